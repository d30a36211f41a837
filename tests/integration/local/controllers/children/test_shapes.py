"""Shapes of SeldonDeployments: several predictors, engines, explainers, autoscalers."""

from __future__ import annotations

import base64
import json

from tests.integration.local.cluster_client import Cluster, Manifest, seldon_deployment, state


def children(cluster: Cluster) -> dict[str, Manifest]:
    return {one["metadata"]["name"]: one for one in cluster.list("deployments")}


def engine_predictor(child: Manifest) -> Manifest:
    for container in child["spec"]["template"]["spec"]["containers"]:
        if container["name"] == "seldon-container-engine":
            env = {one["name"]: one.get("value", "") for one in container["env"]}
            decoded: Manifest = json.loads(base64.b64decode(env["ENGINE_PREDICTOR"]))
            return decoded
    raise AssertionError("no engine")


def test_traffic_change_rolls_no_pod_and_keeps_the_state(cluster: Cluster) -> None:
    manifest = seldon_deployment("split", traffic=100)
    manifest["spec"]["predictors"].append(
        manifest["spec"]["predictors"][0] | {"name": "canary", "traffic": 0}
    )
    cluster.create(manifest)
    before = cluster.wait_available("split")
    templates = {name: one["spec"]["template"] for name, one in children(cluster).items()}

    def shift(spec: Manifest) -> None:
        spec["predictors"][0]["traffic"], spec["predictors"][1]["traffic"] = 70, 30

    cluster.update("split", shift)
    cluster.wait_for(
        lambda: cluster.events("Updated"), lambda seen: any(one.get("count", 1) > 1 for one in seen)
    )
    assert {name: one["spec"]["template"] for name, one in children(cluster).items()} == templates
    assert cluster.get("split")["status"] == before["status"]


def test_replicas_change_scales_without_a_new_template(cluster: Cluster) -> None:
    cluster.create(seldon_deployment("iris"))
    cluster.wait_available("iris")
    template = children(cluster)["iris-default-0-classifier"]["spec"]["template"]

    def scale(spec: Manifest) -> None:
        spec["predictors"][0]["replicas"] = 3

    cluster.update("iris", scale)
    cluster.wait_for(
        lambda: children(cluster)["iris-default-0-classifier"],
        lambda one: one["status"].get("availableReplicas") == 3,
    )
    child = children(cluster)["iris-default-0-classifier"]
    assert child["spec"]["template"] == template
    assert len(cluster.list("replicasets")) == 1


def test_scale_subresource_sets_the_lowest_precedence_replicas(cluster: Cluster) -> None:
    manifest = seldon_deployment("iris")
    manifest["spec"]["replicas"] = 1
    cluster.create(manifest)
    cluster.wait_available("iris")
    path = cluster.path("seldondeployments", "iris") + "/scale"
    scale = cluster.call("GET", path)
    scale["spec"]["replicas"] = 2
    cluster.call("PUT", path, scale)
    cluster.wait("iris", lambda one: one["status"].get("replicas") == 2)


def test_separate_engine_has_pods_of_its_own_and_another_id_label(cluster: Cluster) -> None:
    manifest = seldon_deployment("apart")
    manifest["spec"]["annotations"] = {"seldon.io/engine-separate-pod": "true"}
    cluster.create(manifest)
    cluster.wait_for(lambda: state(cluster.get("apart")), lambda seen: seen == "Available")
    found = children(cluster)
    assert set(found) == {"apart-default-0-classifier", "apart-default-svc-orch"}
    engine = found["apart-default-svc-orch"]
    assert engine["metadata"]["labels"]["seldon-deployment-id"] == "apart-default"
    graph = engine_predictor(engine)["graph"]
    host = f"apart-default-classifier.{cluster.namespace}.svc.cluster.local"
    assert graph["endpoint"]["service_host"] == host
    pod = found["apart-default-0-classifier"]["spec"]["template"]["spec"]
    assert [one["name"] for one in pod["containers"]] == ["classifier"]


def test_no_engine_predictor_serves_by_its_only_container(cluster: Cluster) -> None:
    cluster.create(seldon_deployment("plain", annotations={"seldon.io/no-engine": "true"}))
    deployment = cluster.wait_available("plain")
    child = children(cluster)["plain-default-0-classifier"]
    assert [one["name"] for one in child["spec"]["template"]["spec"]["containers"]] == ["classifier"]
    assert child["spec"]["template"]["metadata"]["labels"]["seldon-app"] == "plain-default"
    assert deployment["status"]["address"]["url"].endswith(":9000/api/v1.0/predictions")
    answer = cluster.predict("plain", {"data": {"ndarray": [[1]]}})
    assert answer["meta"]["tags"]["modelUri"] == "gs://models/one"


def test_explainer_is_a_child_and_is_left_out_of_the_engine(cluster: Cluster) -> None:
    cluster.create(seldon_deployment("told", explainer={"type": "AnchorTabular", "modelUri": "gs://explain"}))
    cluster.wait_available("told")
    found = children(cluster)
    assert set(found) == {"told-default-0-classifier", "told-default-explainer"}
    assert "explainer" not in engine_predictor(found["told-default-0-classifier"])
    labels = found["told-default-explainer"]["spec"]["template"]["metadata"]["labels"]
    assert (labels["seldon-app"], labels["seldon.io/explainer"]) == ("told-default-explainer", "true")
    url = f"{cluster.gateway_url}/seldon/{cluster.namespace}/told-explainer/default"
    assert url


def test_autoscaled_component_is_not_fought_over(cluster: Cluster) -> None:
    component = {"hpaSpec": {"maxReplicas": 3, "minReplicas": 1}, "spec": {"containers": []}}
    cluster.create(seldon_deployment("auto", componentSpecs=[component], replicas=1))
    cluster.wait_available("auto")
    child = children(cluster)["auto-default-0-classifier"]
    path = cluster.path("deployments", "auto-default-0-classifier")
    child["spec"]["replicas"] = 3  # the autoscaler
    cluster.call("PUT", path, child)
    cluster.wait("auto", lambda one: one["status"].get("replicas") == 3 and state(one) == "Available")
    cluster.set_uri("auto", "gs://models/two")
    cluster.wait_available("auto")
    assert cluster.call("GET", path)["spec"]["replicas"] == 3


def test_engine_predictor_has_neither_traffic_nor_replicas(cluster: Cluster) -> None:
    cluster.create(seldon_deployment("iris", traffic=100, replicas=2, annotations={"stamp": "abc"}))
    cluster.wait_for(lambda: children(cluster), bool)
    child = children(cluster)["iris-default-0-classifier"]
    predictor = engine_predictor(child)
    assert "traffic" not in predictor
    assert predictor["replicas"] == 0
    assert predictor["annotations"] == {"stamp": "abc"}
    for metadata in (child["metadata"], child["spec"]["template"]["metadata"]):
        assert metadata["annotations"]["stamp"] == "abc"


def test_two_components_become_two_children_that_find_each_other_by_service(cluster: Cluster) -> None:
    manifest = seldon_deployment("pair")
    predictor = manifest["spec"]["predictors"][0]
    predictor["componentSpecs"] = [
        {"spec": {"containers": [{"name": "first", "image": "example/first:1"}]}},
        {"spec": {"containers": [{"name": "second", "image": "example/second:1"}]}, "replicas": 2},
    ]
    predictor["graph"] = {
        "name": "first",
        "type": "MODEL",
        "children": [{"name": "second", "type": "MODEL"}],
    }
    cluster.create(manifest)
    cluster.wait_available("pair")
    found = children(cluster)
    assert set(found) == {"pair-default-0-first", "pair-default-1-second"}
    assert found["pair-default-1-second"]["spec"]["replicas"] == 2
    second = engine_predictor(found["pair-default-0-first"])["graph"]["children"][0]
    assert second["endpoint"]["service_host"].startswith("pair-default-second.")
    assert second["endpoint"]["httpPort"] == 9001
