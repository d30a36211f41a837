"""The faults of Seldon's status, one by one: each must be visible when it is switched on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from airflow_provider_seldon.local.cluster import LocalOptions, LocalSeldon, OperatorFaults
from tests.integration.local.cluster_client import (
    Cluster,
    Manifest,
    as_of,
    condition,
    seldon_deployment,
    state,
)


@contextmanager
def faulty(operator_faults: OperatorFaults, **options: object) -> Iterator[Cluster]:
    """A cluster of its own with these faults."""
    chosen = LocalOptions(
        token=None, kubelet="simulated", pod_startup=(0.05, 0.1), operator_faults=operator_faults, **options
    )  # type: ignore[arg-type]
    with LocalSeldon(chosen) as local:
        yield Cluster(api_url=local.api_url, gateway_url=local.gateway_url)


def deployed(cluster: Cluster, **predictor: object) -> Manifest:
    """A deployment that is available."""
    cluster.create(seldon_deployment("iris", **predictor))
    return cluster.wait_available("iris")


def child(cluster: Cluster) -> Manifest:
    return cluster.get("iris-default-0-classifier", "deployments")


def test_available_of_the_previous_version_stays_visible_after_an_update() -> None:
    with faulty(OperatorFaults(operator_delay=0.5)) as cluster:
        before = deployed(cluster)
        cluster.set_uri("iris", "gs://models/two")
        after = cluster.get("iris")
        assert after["metadata"]["generation"] > before["metadata"]["generation"]
        assert after["status"] == before["status"]
        cluster.wait_available("iris")


def test_operator_that_is_down_leaves_the_old_status_for_ever(
    cluster: Cluster, local_seldon: LocalSeldon
) -> None:
    before = deployed(cluster)
    local_seldon.pause_operator()
    try:
        cluster.set_uri("iris", "gs://models/two")
        assert cluster.get("iris")["status"] == before["status"]
    finally:
        local_seldon.resume_operator()
    cluster.wait_available("iris")


def test_available_is_said_again_before_the_child_has_noticed_the_update() -> None:
    with faulty(OperatorFaults(deployment_status_delay=0.3)) as cluster:
        deployed(cluster)
        with cluster.recorded("seldondeployments") as seen, cluster.recorded("deployments") as children:
            cluster.set_uri("iris", "gs://models/two")
            cluster.wait_available("iris")
        states = [state(one) for one in seen]
        assert states[:4] == ["Available", "Available", "Creating", "Available"]
        stale = as_of(children, seen[3])
        assert condition(seen[3], "Ready") == "True"
        assert stale["status"]["observedGeneration"] < stale["metadata"]["generation"]
        assert states[4] == "Creating"


def test_available_shows_up_in_the_middle_of_a_rollout_of_two_replicas() -> None:
    with faulty(OperatorFaults(rollout_pause=0.1)) as cluster:
        deployed(cluster, replicas=2)
        with cluster.recorded("seldondeployments") as seen, cluster.recorded("deployments") as children:
            cluster.set_uri("iris", "gs://models/two")
            cluster.wait_available("iris")
        half_done = [
            one
            for one in seen
            if state(one) == "Available" and as_of(children, one)["status"].get("updatedReplicas") == 1
        ]
        assert half_done


def test_failed_flashes_and_recovers() -> None:
    with faulty(OperatorFaults(transient_failed=1.0, transient_failed_limit=1)) as cluster:
        with cluster.recorded("seldondeployments") as seen:
            cluster.create(seldon_deployment("iris"))
            cluster.wait_available("iris")
        failed = [one for one in seen if state(one) == "Failed"]
        assert (
            failed[0]["status"]["description"]
            == 'deployments.apps "iris-default-0-classifier" already exists'
        )
        assert state(seen[-1]) == "Available"
        assert "description" not in seen[-1]["status"]


def test_ready_lags_behind_available_while_routes_are_made() -> None:
    with faulty(OperatorFaults(mesh_delay=0.5)) as cluster:
        cluster.create(seldon_deployment("iris"))
        first = cluster.wait("iris", lambda one: state(one) == "Available")
        assert condition(first, "Ready") == "False"
        assert condition(first, "istioVirtualServicesReady") == "False"
        cluster.wait("iris", lambda one: condition(one, "Ready") == "True")


def test_no_request_goes_to_a_dropped_predictor_whatever_the_state_says_meanwhile() -> None:
    faults = OperatorFaults(
        mesh_delay=0.1,
        transient_failed=0.6,
        transient_failed_limit=None,
        transient_failed_seconds=0.15,
        seed=3,
    )

    def alone(spec: Manifest) -> None:
        spec["predictors"] = [spec["predictors"][0] | {"traffic": 100}]

    with faulty(faults) as cluster:
        split = seldon_deployment("split", traffic=50)
        split["spec"]["predictors"].append(split["spec"]["predictors"][0] | {"name": "canary"})
        cluster.create(split)
        for _ in range(3):
            cluster.wait_available("split")
            cluster.wait("split", lambda one: condition(one, "Ready") == "True")
            cluster.wait_for(lambda: answers(cluster, 20), lambda seen: seen == {"default", "canary"})
            cluster.update("split", alone)
            while cluster.list("deployments", seldon_app="split-canary"):
                answers(cluster, 5)
            assert answers(cluster, 5) == {"default"}
            cluster.update("split", lambda spec: spec.update(split["spec"]))


def answers(cluster: Cluster, count: int) -> set[str]:
    """Which predictors answer; a request without an answer is an error."""
    return {
        cluster.predict("split", {"data": {"ndarray": [[1]]}})["meta"]["tags"]["predictor"]
        for _ in range(count)
    }


def test_bad_update_behind_healthy_pods_stays_creating(cluster: Cluster) -> None:
    deployed(cluster, progressDeadlineSeconds=1)

    def spoil(spec: Manifest) -> None:
        spec["predictors"][0] |= {"annotations": {"local.seldon/behaviour": "image-pull"}}

    cluster.update("iris", spoil)
    progressing = cluster.wait_for(
        lambda: next(one for one in child(cluster)["status"]["conditions"] if one["type"] == "Progressing"),
        lambda one: one["status"] == "False",
    )
    assert progressing["reason"] == "ProgressDeadlineExceeded"
    cluster.wait_for(lambda: cluster.events("Updated"), bool)
    stuck = cluster.get("iris")
    assert state(stuck) == "Creating"
    assert "description" not in stuck["status"]


def test_bad_first_version_becomes_failed_after_the_progress_deadline(cluster: Cluster) -> None:
    cluster.create(
        seldon_deployment(
            "iris", progressDeadlineSeconds=1, annotations={"local.seldon/behaviour": "never-ready"}
        )
    )
    failed = cluster.wait("iris", lambda one: state(one) == "Failed")
    assert failed["status"]["description"] == "Deployment is no longer progressing and not available."
    assert condition(failed, "DeploymentsReady") == "False"


def test_recreated_deployment_reads_the_old_childs_health(
    cluster: Cluster, local_seldon: LocalSeldon
) -> None:
    before = deployed(cluster)
    local_seldon.pause_operator()
    path = cluster.path("deployments", "iris-default-0-classifier")
    cluster.call("DELETE", cluster.path("seldondeployments", "iris"), {"propagationPolicy": "Orphan"})
    cluster.wait_for(lambda: cluster.list("seldondeployments"), lambda seen: not seen)
    created = cluster.create(seldon_deployment("iris"))
    local_seldon.resume_operator()
    cluster.wait("iris", lambda one: state(one) == "Available")
    adopted = cluster.call("GET", path)
    assert created["metadata"]["uid"] != before["metadata"]["uid"]
    assert adopted["metadata"].get("ownerReferences", []) == []


@pytest.mark.parametrize("seed", [1, 2])
def test_every_lie_at_once_ends_in_the_truth(seed: int) -> None:
    with faulty(OperatorFaults.all(seed=seed), seed=seed) as cluster:
        deployed(cluster, replicas=2)
        cluster.set_uri("iris", "gs://models/two")
        cluster.wait_available("iris")
        answer = cluster.predict("iris", {"data": {"ndarray": [[1, 2, 3, 4]]}})
        assert answer["meta"]["tags"]["modelUri"] == "gs://models/two"
