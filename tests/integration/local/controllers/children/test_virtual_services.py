"""Routes with Istio switched on: VirtualServices that the operator keeps and the gateway goes by."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_seldon.local.cluster import LocalOptions, LocalSeldon
from tests.integration.local.cluster_client import (
    Cluster,
    Manifest,
    RefusedError,
    condition,
    seldon_deployment,
    state,
)

GROUP = "/apis/networking.istio.io/v1alpha3"
CRASH = {"local.seldon/behaviour": "crash"}


@pytest.fixture(scope="module")
def meshed() -> Iterator[Cluster]:
    options = LocalOptions(token=None, kubelet="simulated", pod_startup=(0.02, 0.1), istio=True)
    with LocalSeldon(options) as local:
        yield Cluster(api_url=local.api_url, gateway_url=local.gateway_url)


def path(cluster: Cluster, name: str = "") -> str:
    return f"{GROUP}/namespaces/{cluster.namespace}/virtualservices" + (f"/{name}" if name else "")


def weights(cluster: Cluster, name: str) -> dict[str, Any]:
    """The share of each predictor; None where a route has none."""
    rule = cluster.call("GET", path(cluster, name))["spec"]["http"][0]
    return {one["destination"]["subset"]: one.get("weight") for one in rule["route"]}


def predictor(name: str, uri: str, **more: Any) -> Manifest:
    found: Manifest = seldon_deployment(name, uri=uri)["spec"]["predictors"][0] | {
        "name": name,
        "replicas": 1,
    }
    return found | more


def deployed(cluster: Cluster, name: str, *predictors: Manifest) -> None:
    manifest = seldon_deployment(name)
    manifest["spec"]["predictors"] = list(predictors)
    cluster.create(manifest)
    cluster.wait_available(name)
    cluster.wait(name, lambda one: condition(one, "istioVirtualServicesReady") == "True")


def give(cluster: Cluster, name: str, *predictors: Manifest) -> None:
    cluster.update(name, lambda spec: spec.update(predictors=list(predictors)))


def answering(cluster: Cluster, name: str) -> str:
    answer = cluster.predict(name, {"data": {"ndarray": [[1]]}})
    return str(answer["meta"]["tags"]["modelUri"])


def status_writes(deployment: Manifest) -> list[Manifest]:
    entries = deployment["metadata"]["managedFields"]
    return [one for one in entries if one.get("subresource") == "status" and one["operation"] == "Update"]


def test_weights_are_rewritten_while_nothing_restarts_and_the_status_is_written(meshed: Cluster) -> None:
    blue, green = predictor("blue", "gs://a/1"), predictor("green", "gs://a/2")
    deployed(meshed, "split", blue | {"traffic": 100}, green | {"traffic": 0})
    assert weights(meshed, "split") == {"blue": 100, "green": None}  # absent beside others: nothing
    assert {answering(meshed, "split") for _ in range(10)} == {"gs://a/1"}
    children = {one["metadata"]["uid"]: one["metadata"]["generation"] for one in meshed.list("deployments")}
    with meshed.recorded("seldondeployments") as seen:
        give(meshed, "split", blue | {"traffic": 0}, green | {"traffic": 100})
        meshed.wait_for(lambda: weights(meshed, "split"), lambda now: now == {"blue": None, "green": 100})
        meshed.wait_for(lambda: len(seen) >= 4, bool)
        meshed.wait("split", lambda one: condition(one, "Ready") == "True")
    assert {state(one) for one in seen} == {"Available"}
    assert any(condition(one, "istioVirtualServicesReady") == "False" for one in seen)
    assert status_writes(seen[-1])[0]["time"]
    now = {one["metadata"]["uid"]: one["metadata"]["generation"] for one in meshed.list("deployments")}
    assert {uid: now[uid] for uid in children} == children
    meshed.wait_for(lambda: answering(meshed, "split"), lambda uri: uri == "gs://a/2")
    assert {answering(meshed, "split") for _ in range(10)} == {"gs://a/2"}


def test_routes_stay_as_they_are_while_a_candidate_crashes_and_abort_is_one_write(meshed: Cluster) -> None:
    main = predictor("main", "gs://b/1")
    deployed(meshed, "careful", main)
    before = meshed.call("GET", path(meshed, "careful"))
    assert weights(meshed, "careful") == {"main": None}  # absent when alone: everything
    bad = predictor("canary", "gs://b/2", annotations=CRASH, traffic=10)
    give(meshed, "careful", main | {"traffic": 90}, bad)
    meshed.wait_for(lambda: pods(meshed, "careful-canary"), bool)
    meshed.wait("careful", lambda one: state(one) == "Creating")
    give(meshed, "careful", main | {"traffic": 50}, bad | {"traffic": 50})
    meshed.wait_for(
        lambda: pods(meshed, "careful-canary"), lambda found: any(restarts(one) > 1 for one in found)
    )
    assert meshed.call("GET", path(meshed, "careful")) == before
    assert {answering(meshed, "careful") for _ in range(10)} == {"gs://b/1"}
    give(meshed, "careful", main | {"traffic": 100})
    meshed.wait_for(lambda: weights(meshed, "careful"), lambda now: now == {"main": 100})
    meshed.wait_for(lambda: pods(meshed, "careful-canary"), lambda found: not found)
    meshed.wait("careful", lambda one: state(one) == "Available")


def pods(cluster: Cluster, service: str) -> list[Manifest]:
    return cluster.list("pods", seldon_app=service)


def restarts(pod: Manifest) -> int:
    return max((one["restartCount"] for one in pod["status"].get("containerStatuses", [])), default=0)


def test_candidate_gets_its_share_when_it_is_ready_and_a_shadow_is_a_mirror(meshed: Cluster) -> None:
    main = predictor("main", "gs://c/1", traffic=95)
    deployed(meshed, "grown", main | {"traffic": 100})
    give(meshed, "grown", main, predictor("next", "gs://c/2", traffic=5))
    meshed.wait_for(lambda: weights(meshed, "grown"), lambda now: now == {"main": 95, "next": 5})
    assert pods(meshed, "grown-next")
    give(meshed, "grown", main | {"traffic": 100}, predictor("next", "gs://c/2", shadow=True))
    meshed.wait_for(lambda: weights(meshed, "grown"), lambda now: now == {"main": 100})
    rule = meshed.call("GET", path(meshed, "grown"))["spec"]["http"][0]
    assert (rule["mirror"]["subset"], "mirrorPercentage" in rule) == ("next", False)


def test_explainer_has_a_route_of_its_own_that_goes_with_it(meshed: Cluster) -> None:
    explainer = {"type": "AnchorTabular", "modelUri": "gs://why/1", "replicas": 1}
    deployed(meshed, "told", predictor("main", "gs://d/1", explainer=explainer))
    route = meshed.call("GET", path(meshed, "told-main-explainer-http"))["spec"]["http"][0]["route"][0]
    assert route["destination"]["host"] == "told-main-explainer"
    give(meshed, "told", predictor("main", "gs://d/1"))
    meshed.wait_for(
        lambda: [one["metadata"]["name"] for one in meshed.call("GET", path(meshed))["items"]],
        lambda names: "told-main-explainer-http" not in names,
    )
    assert "told" in [one["metadata"]["name"] for one in meshed.call("GET", path(meshed))["items"]]
    meshed.delete("told")
    meshed.wait_for(
        lambda: [one["metadata"]["name"] for one in meshed.call("GET", path(meshed))["items"]],
        lambda names: "told" not in names,
    )


def test_without_istio_there_are_no_virtual_services(cluster: Cluster) -> None:
    with pytest.raises(RefusedError) as refused:
        cluster.call("GET", path(cluster))
    assert refused.value.code == 404
