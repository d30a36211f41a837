"""Pods that fail, as an annotation says: what their status and events show."""

from __future__ import annotations

import pytest

from airflow_provider_seldon.local.cluster import LocalOptions, LocalSeldon
from airflow_provider_seldon.local.faults import Fault
from tests.integration.local.cluster_client import Cluster, Manifest, seldon_deployment


def start(cluster: Cluster, behaviour: str, **predictor: object) -> None:
    cluster.create(seldon_deployment("iris", annotations={"local.seldon/behaviour": behaviour}, **predictor))


def container(cluster: Cluster, name: str = "classifier") -> Manifest:
    """Status of a container of the only pod; empty before there is one."""
    for pod in cluster.list("pods"):
        status = pod.get("status") or {}
        for one in [*status.get("containerStatuses", []), *status.get("initContainerStatuses", [])]:
            if one["name"] == name:
                return dict(one)
    return {}


def waiting_for(reason: str, name: str = "classifier"):  # type: ignore[no-untyped-def]
    return lambda one: one.get("state", {}).get("waiting", {}).get("reason") == reason


def test_crash_becomes_a_back_off_with_restarts_and_the_last_exit_code(cluster: Cluster) -> None:
    start(cluster, "crash:3")
    seen = cluster.wait_for(lambda: container(cluster), waiting_for("CrashLoopBackOff"))
    assert seen["lastState"]["terminated"]["exitCode"] == 3
    assert seen["lastState"]["terminated"]["reason"] == "Error"
    assert seen["restartCount"] >= 1
    assert "restarting failed container=classifier" in seen["state"]["waiting"]["message"]
    cluster.wait_for(lambda: cluster.events("BackOff"), bool)
    pod = cluster.list("pods")[0]["metadata"]["name"]
    assert "exit code 3" in cluster.log(pod, "classifier", previous=True)


def test_image_that_does_not_exist_is_a_pull_error_and_a_back_off(cluster: Cluster) -> None:
    start(cluster, "image-pull")
    cluster.wait_for(lambda: container(cluster), waiting_for("ErrImagePull"))
    cluster.wait_for(lambda: container(cluster), waiting_for("ImagePullBackOff"))
    messages = cluster.wait_for(
        lambda: [one["message"] for one in cluster.events("Failed")], lambda seen: len(seen) >= 2
    )
    assert "Error: ErrImagePull" in messages


def test_image_without_a_valid_name(cluster: Cluster) -> None:
    start(cluster, "invalid-image")
    cluster.wait_for(lambda: container(cluster), waiting_for("InvalidImageName"))


def test_killed_for_want_of_memory(cluster: Cluster) -> None:
    start(cluster, "oom")
    seen = cluster.wait_for(lambda: container(cluster), waiting_for("CrashLoopBackOff"))
    terminated = seen["lastState"]["terminated"]
    assert (terminated["reason"], terminated["exitCode"]) == ("OOMKilled", 137)


def test_model_initializer_that_fails_keeps_the_pod_pending(cluster: Cluster) -> None:
    start(cluster, "init-crash")
    name = "classifier-model-initializer"
    seen = cluster.wait_for(lambda: container(cluster, name), waiting_for("CrashLoopBackOff"))
    assert seen["lastState"]["terminated"]["exitCode"] == 1
    pod = cluster.list("pods")[0]
    assert pod["status"]["phase"] == "Pending"
    initialized = next(one for one in pod["status"]["conditions"] if one["type"] == "Initialized")
    assert (initialized["status"], initialized["reason"]) == ("False", "ContainersNotInitialized")
    assert container(cluster)["state"]["waiting"]["reason"] == "PodInitializing"


def test_missing_secret_of_the_initializer_is_a_config_error_until_it_exists(cluster: Cluster) -> None:
    manifest = seldon_deployment("iris")
    manifest["spec"]["predictors"][0]["graph"]["envSecretRefName"] = "storage"
    cluster.create(manifest)
    name = "classifier-model-initializer"
    seen = cluster.wait_for(lambda: container(cluster, name), waiting_for("CreateContainerConfigError"))
    assert seen["state"]["waiting"]["message"] == 'secret "storage" not found'
    cluster.wait_for(
        lambda: [one["message"] for one in cluster.events("Failed")],
        lambda seen: 'Error: secret "storage" not found' in seen,
    )
    cluster.create(
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "storage"}, "data": {}}, "secrets"
    )
    cluster.wait_available("iris")


def test_missing_key_of_a_secret_is_a_config_error(cluster: Cluster) -> None:
    cluster.create(
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}, "data": {"a": "YQ=="}}, "secrets"
    )
    reference = {"name": "B", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "b"}}}
    box = {"name": "classifier", "env": [reference]}
    cluster.create(seldon_deployment("iris", componentSpecs=[{"spec": {"containers": [box]}}]))
    seen = cluster.wait_for(lambda: container(cluster), waiting_for("CreateContainerConfigError"))
    assert seen["state"]["waiting"]["message"] == f"couldn't find key b in Secret {cluster.namespace}/keys"


@pytest.mark.parametrize("resource", ["nvidia.com/gpu", "memory"])
def test_pod_that_requests_more_than_the_node_has_is_unschedulable(cluster: Cluster, resource: str) -> None:
    limits = {"nvidia.com/gpu": "1"} if resource == "nvidia.com/gpu" else {"memory": "9000Gi"}
    box = {"name": "classifier", "resources": {"limits": limits, "requests": limits}}
    cluster.create(seldon_deployment("iris", componentSpecs=[{"spec": {"containers": [box]}}]))
    conditions = cluster.wait_for(
        lambda: [one for pod in cluster.list("pods") for one in pod.get("status", {}).get("conditions", [])],
        bool,
    )
    assert conditions[0]["type"] == "PodScheduled"
    assert (conditions[0]["status"], conditions[0]["reason"]) == ("False", "Unschedulable")
    assert f"Insufficient {resource}" in conditions[0]["message"]
    cluster.wait_for(lambda: cluster.events("FailedScheduling"), bool)


def test_quota_shows_as_failed_create_and_replica_failure(
    cluster: Cluster, local_seldon: LocalSeldon
) -> None:
    message = (
        'pods "iris" is forbidden: exceeded quota: small, requested: pods=1, used: pods=0, limited: pods=0'
    )
    fault = Fault(
        verb="create",
        resource="pods",
        namespace=cluster.namespace,
        status=403,
        reason="Forbidden",
        message=message,
        count=2,
    )
    local_seldon.controller_faults.add(fault)
    cluster.create(seldon_deployment("iris"))
    cluster.wait_for(lambda: cluster.events("FailedCreate"), bool)
    child = cluster.wait_for(
        lambda: cluster.get("iris-default-0-classifier", "deployments"),
        lambda one: any(
            entry["type"] == "ReplicaFailure" for entry in one.get("status", {}).get("conditions", [])
        ),
    )
    failure = next(one for one in child["status"]["conditions"] if one["type"] == "ReplicaFailure")
    assert (failure["reason"], failure["message"]) == ("FailedCreate", message)
    cluster.wait_available("iris")


def test_flaky_container_recovers_and_keeps_its_restart_count(cluster: Cluster) -> None:
    start(cluster, "flaky:2")
    cluster.wait_available("iris")
    assert container(cluster)["restartCount"] == 2


def test_pod_that_crashes_after_it_was_ready_makes_the_state_creating_again(cluster: Cluster) -> None:
    start(cluster, "crash-after:1")
    cluster.wait("iris", lambda one: one.get("status", {}).get("state") == "Available")
    cluster.wait("iris", lambda one: one.get("status", {}).get("state") == "Creating")


def test_slow_pod_is_available_only_when_its_time_has_come() -> None:
    with LocalSeldon(LocalOptions(token=None, kubelet="simulated", probe_period=0.05)) as local:
        cluster = Cluster(api_url=local.api_url, gateway_url=local.gateway_url)
        start(cluster, "slow:1")
        cluster.wait_for(lambda: container(cluster), lambda one: "running" in one.get("state", {}))
        assert container(cluster)["ready"] is False
        cluster.wait_available("iris")
