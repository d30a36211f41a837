"""The operator's life cycle of a status, on a cluster that runs."""

from __future__ import annotations

import pytest

from airflow_provider_seldon.local.cluster import LocalSeldon
from airflow_provider_seldon.local.controllers.workloads import replica_set
from tests.integration.local.cluster_client import Cluster, condition, seldon_deployment, state


def test_a_new_deployment_gets_children_with_names_labels_and_owner(cluster: Cluster) -> None:
    created = cluster.create(seldon_deployment("iris"))
    cluster.wait_available("iris")
    child = cluster.get("iris-default-0-classifier", "deployments")
    assert (
        child["metadata"]["labels"]
        | {
            "seldon-deployment-id": "iris",
            "app": "iris-default-0-classifier",
            "seldon-app": "iris-default",
            "seldon-app-svc-classifier": "iris-default-classifier",
            "seldon.io/model": "true",
            "version": "default",
            "seldon-deployment-contains-svcorch": "true",
            "app.kubernetes.io/managed-by": "seldon-core",
        }
        == child["metadata"]["labels"]
    )
    owner = child["metadata"]["ownerReferences"][0]
    assert (owner["uid"], owner["controller"], owner["blockOwnerDeletion"]) == (
        created["metadata"]["uid"],
        True,
        True,
    )
    assert {one["metadata"]["name"] for one in cluster.list("services")} == {
        "iris-default",
        "iris-default-classifier",
    }
    pod = cluster.list("pods", seldon_deployment_id="iris")[0]
    assert [one["name"] for one in pod["spec"]["containers"]] == ["classifier", "seldon-container-engine"]
    assert [one["name"] for one in pod["spec"]["initContainers"]] == ["classifier-model-initializer"]


def test_status_of_a_new_deployment_goes_from_creating_to_available(cluster: Cluster) -> None:
    with cluster.recorded("seldondeployments") as seen:
        cluster.create(seldon_deployment("iris", replicas=2))
        cluster.wait("iris", lambda one: state(one) == "Available")
    states = [state(one) for one in seen]
    assert states[-2:] == ["Creating", "Available"]
    assert set(states) <= {None, "Creating", "Available"}
    status = seen[-1]["status"]
    assert status["deploymentStatus"] == {
        "iris-default-0-classifier": {"replicas": 2, "availableReplicas": 2}
    }
    assert status["replicas"] == 2
    host = f"iris-default.{cluster.namespace}.svc.cluster.local"
    assert status["address"] == {"url": f"http://{host}:8000/api/v1.0/predictions"}
    assert status["serviceStatus"]["iris-default"] == {
        "svcName": "iris-default",
        "httpEndpoint": f"iris-default.{cluster.namespace}:8000",
        "grpcEndpoint": f"iris-default.{cluster.namespace}:5001",
    }
    assert condition(seen[-1], "Ready") == "True"
    assert "observedGeneration" not in status
    assert "description" not in status


def test_a_settled_deployment_is_not_written_again(cluster: Cluster) -> None:
    cluster.create(seldon_deployment("iris"))
    before = cluster.wait_available("iris")

    def rename(spec: dict[str, object]) -> None:
        spec["name"] = "a name that nobody reads"

    updated = cluster.update("iris", rename)
    assert updated["metadata"]["generation"] == before["metadata"]["generation"] + 1
    cluster.wait_for(
        lambda: cluster.events("Updated"), lambda seen: any(one.get("count", 1) > 1 for one in seen)
    )
    after = cluster.get("iris")
    assert after["metadata"]["resourceVersion"] == updated["metadata"]["resourceVersion"]


def test_removed_predictor_goes_after_the_rest_is_ready(cluster: Cluster) -> None:
    manifest = seldon_deployment("split", traffic=50)
    other = dict(manifest["spec"]["predictors"][0], name="canary")
    manifest["spec"]["predictors"].append(other)
    cluster.create(manifest)
    cluster.wait_available("split")
    assert len(cluster.list("deployments", seldon_deployment_id="split")) == 2

    def drop(spec: dict[str, list[dict[str, object]]]) -> None:
        spec["predictors"] = [spec["predictors"][0] | {"traffic": 100}]

    cluster.update("split", drop)
    names = cluster.wait_for(
        lambda: {one["metadata"]["name"] for one in cluster.list("services")},
        lambda seen: not any("canary" in name for name in seen),
    )
    assert names == {"split-default", "split-default-classifier"}
    assert len(cluster.list("deployments", seldon_deployment_id="split")) == 1
    assert list(cluster.get("split")["status"]["deploymentStatus"]) == ["split-default-0-classifier"]


def test_foreground_deletion_keeps_the_deployment_until_its_pods_are_gone(cluster: Cluster) -> None:
    cluster.create(seldon_deployment("iris"))
    cluster.wait_available("iris")
    cluster.delete("iris", propagation="Foreground")
    cluster.wait_for(lambda: cluster.list("seldondeployments"), lambda seen: not seen)
    assert cluster.list("pods", seldon_deployment_id="iris") == []
    assert cluster.list("deployments", seldon_deployment_id="iris") == []


def test_replicas_zero_stays_creating(cluster: Cluster) -> None:
    cluster.create(seldon_deployment("none", replicas=0))
    child = cluster.wait_for(
        lambda: cluster.list("deployments", seldon_deployment_id="none"),
        lambda seen: seen and seen[0].get("status", {}).get("observedGeneration"),
    )[0]
    assert child["spec"]["replicas"] == 0
    assert state(cluster.wait("none", lambda one: state(one))) == "Creating"


def test_a_failing_child_write_is_failed_with_the_servers_sentence(cluster: Cluster) -> None:
    name = "a" * 60
    manifest = seldon_deployment(name)
    manifest["spec"]["predictors"][0]["componentSpecs"] = [
        {"spec": {"containers": [{"name": "Not_A_Name", "image": "x"}]}}
    ]
    manifest["spec"]["predictors"][0]["graph"] = {"name": "Not_A_Name", "type": "MODEL"}
    cluster.create(manifest)
    failed = cluster.wait(name, lambda one: state(one) == "Failed")
    assert "invalid" in failed["status"]["description"].lower()
    assert cluster.events("InternalError")


def test_unknown_server_is_failed_with_seldons_sentence(local_seldon: LocalSeldon, cluster: Cluster) -> None:
    manifest = seldon_deployment("odd")
    manifest["spec"]["predictors"][0]["graph"]["implementation"] = "TRITON_SERVER"
    cluster.create(manifest)
    failed = cluster.wait("odd", lambda one: state(one) == "Failed")
    assert "TRITON_SERVER" in failed["status"]["description"]


@pytest.mark.parametrize("label", ["namespace", "deployment"])
def test_what_belongs_to_another_operator_gets_no_status(cluster: Cluster, label: str) -> None:
    mine = seldon_deployment("mine")
    if label == "namespace":
        path = f"/api/v1/namespaces/{cluster.namespace}"
        namespace = cluster.call("GET", path)
        namespace["metadata"].setdefault("labels", {})["seldon.io/controller-id"] = "other"
        cluster.call("PUT", path, namespace)
        cluster.wait_for(
            lambda: cluster.call("GET", path),
            lambda one: "seldon.io/controller-id" in one["metadata"]["labels"],
        )
    else:
        mine["metadata"]["labels"] = {"seldon.io/controller-id": "other"}
    cluster.create(mine)
    control = Cluster(api_url=cluster.api_url, gateway_url=cluster.gateway_url)
    control.create(seldon_deployment(f"control-{cluster.namespace}-{label}"))
    control.wait(f"control-{cluster.namespace}-{label}", state)
    control.delete(f"control-{cluster.namespace}-{label}")
    assert "status" not in cluster.get("mine")
    assert cluster.list("deployments") == []


def test_more_pods_than_a_node_allows_end_at_a_quota_and_others_continue(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replica_set, "MAX_PODS", 5)
    cluster.create(seldon_deployment("huge", replicas=10**9))
    child = cluster.wait_for(
        lambda: cluster.list("deployments", seldon_deployment_id="huge"),
        lambda seen: any(condition(one, "ReplicaFailure") == "True" for one in seen),
        timeout=60,
    )[0]
    assert "exceeded quota" in str(child["status"])
    cluster.create(seldon_deployment("small"))
    cluster.wait_available("small", timeout=30)
    cluster.delete("huge")
    cluster.wait_for(
        lambda: cluster.list("pods", seldon_deployment_id="huge"), lambda seen: not seen, timeout=60
    )
