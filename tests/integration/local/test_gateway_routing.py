"""The ingress: where requests go, and who may send them."""

from __future__ import annotations

import base64
import urllib.request
from collections import Counter
from pathlib import Path

import pytest

from airflow_provider_seldon.local.cluster import LocalOptions, LocalSeldon
from tests.integration.local.cluster_client import Cluster, Manifest, RefusedError, seldon_deployment, state
from tests.integration.local.process_cluster import ask, box, custom

ROW = {"data": {"ndarray": [[1, 2, 3, 4]]}}


def two_predictors(first: int, second: int) -> Manifest:
    manifest = seldon_deployment("split", traffic=first)
    canary = manifest["spec"]["predictors"][0] | {"name": "canary", "traffic": second}
    manifest["spec"]["predictors"].append(canary)
    return manifest


def answered_by(cluster: Cluster, count: int) -> Counter[str]:
    return Counter(cluster.predict("split", ROW)["meta"]["tags"]["predictor"] for _ in range(count))


def test_requests_are_split_by_traffic(cluster: Cluster) -> None:
    cluster.create(two_predictors(75, 25))
    cluster.wait_available("split")
    seen = answered_by(cluster, 200)
    assert set(seen) == {"default", "canary"}
    assert 110 < seen["default"] < 190


def test_changed_traffic_takes_effect(cluster: Cluster) -> None:
    cluster.create(two_predictors(100, 0))
    cluster.wait_available("split")
    assert set(answered_by(cluster, 10)) == {"default"}

    def shift(spec: Manifest) -> None:
        spec["predictors"][0]["traffic"], spec["predictors"][1]["traffic"] = 0, 100

    cluster.update("split", shift)
    cluster.wait_for(lambda: dict(answered_by(cluster, 5)), lambda seen: set(seen) == {"canary"})


def test_changed_traffic_has_no_effect_while_the_operator_is_down(
    cluster: Cluster, local_seldon: LocalSeldon
) -> None:
    cluster.create(two_predictors(100, 0))
    cluster.wait_available("split")
    local_seldon.pause_operator()
    try:

        def shift(spec: Manifest) -> None:
            spec["predictors"][0]["traffic"], spec["predictors"][1]["traffic"] = 0, 100

        cluster.update("split", shift)
        assert state(cluster.get("split")) == "Available"
        cluster.wait_for(lambda: dict(answered_by(cluster, 5)), lambda seen: set(seen) == {"default"})
        assert set(answered_by(cluster, 50)) == {"default"}
    finally:
        local_seldon.resume_operator()
    cluster.wait_for(lambda: dict(answered_by(cluster, 5)), lambda seen: set(seen) == {"canary"})


def test_new_predictor_gets_no_requests_before_it_is_ready(cluster: Cluster) -> None:
    manifest = seldon_deployment("split")
    cluster.create(manifest)
    cluster.wait_available("split")

    def add(spec: Manifest) -> None:
        slow = {"annotations": {"local.seldon/behaviour": "slow:1"}}
        spec["predictors"][0]["traffic"] = 50
        spec["predictors"].append(spec["predictors"][0] | {"name": "canary"} | slow)

    cluster.update("split", add)
    cluster.wait_for(lambda: cluster.list("deployments", version="canary"), bool)
    assert set(answered_by(cluster, 20)) == {"default"}
    cluster.wait_available("split")
    cluster.wait_for(lambda: dict(answered_by(cluster, 20)), lambda seen: len(seen) == 2)


@pytest.mark.parametrize(("name", "code"), [("nobody", 404), ("broken", 503)])
def test_unknown_and_unready_deployments_are_distinguished(cluster: Cluster, name: str, code: int) -> None:
    cluster.create(seldon_deployment("broken", annotations={"local.seldon/behaviour": "crash"}))
    cluster.wait("broken", state)
    with pytest.raises(RefusedError) as refused:
        cluster.predict(name, ROW)
    assert refused.value.code == code


def test_no_request_fails_while_versions_are_exchanged(cluster: Cluster) -> None:
    cluster.create(seldon_deployment("iris", replicas=2))
    cluster.wait_available("iris")
    seen = []
    for number in range(3):
        cluster.set_uri("iris", f"gs://models/{number}")
        while not cluster.is_rolled_out(cluster.get("iris")):
            seen.append(cluster.predict("iris", ROW)["meta"]["tags"]["modelUri"])
        seen.append(cluster.predict("iris", ROW)["meta"]["tags"]["modelUri"])
        assert seen[-1] == f"gs://models/{number}"


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/api/v1.0/metadata", "models"),
        ("/api/v1.0/metadata/classifier", "models"),
        ("/api/v1.0/health/status", "data"),
        ("/api/v1.0/status", "data"),
        ("/v2/models/classifier", "versions"),
        ("/v2/models/classifier/ready", "ready"),
        ("/ready", "live"),
    ],
)
def test_paths_besides_predictions(cluster: Cluster, path: str, key: str) -> None:
    cluster.create(seldon_deployment("iris"))
    cluster.wait_available("iris")
    answer = Cluster.call(cluster_at(cluster), "GET", f"/seldon/{cluster.namespace}/iris{path}")
    assert key in answer


def test_docs_page_names_the_units(cluster: Cluster) -> None:
    cluster.create(seldon_deployment("iris"))
    cluster.wait_available("iris")
    url = f"{cluster.gateway_url}/seldon/{cluster.namespace}/iris/api/v1.0/doc/"
    with urllib.request.urlopen(url, timeout=10) as page:
        assert page.headers["Content-Type"].startswith("text/html")
        assert b"classifier" in page.read()


def test_open_inference_answer_carries_the_version_marker(cluster: Cluster) -> None:
    stamp = {"airflow-provider-seldon/revision": "abc123"}
    cluster.create(seldon_deployment("iris", annotations=stamp))
    cluster.wait_available("iris")
    body = {"id": "7", "inputs": [{"name": "x", "shape": [1], "datatype": "FP64", "data": [1]}]}
    answer = cluster.predict("iris", body, path="/v2/models/classifier/infer")
    assert (answer["id"], answer["model_version"]) == ("7", "abc123")
    assert cluster.predict("iris", ROW)["meta"]["tags"]["revision"] == "abc123"


def test_request_id_is_kept(cluster: Cluster) -> None:
    cluster.create(seldon_deployment("iris"))
    cluster.wait_available("iris")
    headers = {"Seldon-Puid": "mine"}
    assert cluster.predict("iris", ROW, **headers)["meta"]["puid"] == "mine"


def test_explainer_is_below_its_own_path(cluster: Cluster) -> None:
    cluster.create(seldon_deployment("told", explainer={"type": "AnchorTabular", "modelUri": "gs://explain"}))
    cluster.wait_available("told")
    answer = cluster.predict("told-explainer/default", ROW)
    assert answer["meta"]["tags"]["modelUri"] == "gs://explain"


def test_shadow_gets_a_copy_and_never_answers(machine: Cluster, tmp_path: Path) -> None:
    manifest = custom("shade", box("--answer", "1"))
    shadow = custom("other", box("--answer", "2", "--record", str(tmp_path / "seen")))["spec"]["predictors"][
        0
    ]
    manifest["spec"]["predictors"].append(shadow | {"name": "shadow", "shadow": True})
    (tmp_path / "seen").touch()
    machine.create(manifest)
    machine.wait_available("shade")
    answers = [ask(machine, "shade", 0)["data"]["ndarray"] for _ in range(5)]
    assert answers == [[[1]]] * 5
    machine.wait_for(lambda: (tmp_path / "seen").read_text().count("/predict"), lambda count: count == 5)


def test_gateway_requires_credentials() -> None:
    options = LocalOptions(
        token=None, kubelet="simulated", gateway_user=("ada", "pass"), gateway_token="token"
    )
    with LocalSeldon(options) as local:
        cluster = Cluster(api_url=local.api_url, gateway_url=local.gateway_url)
        cluster.create(seldon_deployment("iris"))
        cluster.wait_available("iris")
        with pytest.raises(RefusedError) as refused:
            cluster.predict("iris", ROW)
        assert refused.value.code == 401
        basic = "Basic " + base64.b64encode(b"ada:pass").decode()
        for header in (basic, "Bearer token"):
            assert cluster.predict("iris", ROW, Authorization=header)["data"]
        with pytest.raises(RefusedError):
            cluster.predict("iris", ROW, Authorization="Bearer other")


def cluster_at(cluster: Cluster) -> Cluster:
    """The same cluster with the gateway in place of the API server."""
    return Cluster(api_url=cluster.gateway_url, gateway_url=cluster.gateway_url, namespace=cluster.namespace)
