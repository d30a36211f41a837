"""The arithmetic of rolling updates, whatever the pods do."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_seldon.local.controllers.workloads import rolling
from airflow_provider_seldon.local.controllers.workloads.deployment_status import (
    next_status,
    seconds_to_deadline,
)

Manifest = dict[str, Any]


def child(replicas: int, **spec: Any) -> Manifest:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": "25%"}}
    return {
        "metadata": {"name": "child", "namespace": "models", "generation": 1},
        "spec": {"replicas": replicas, "strategy": strategy, "progressDeadlineSeconds": 60} | spec,
    }


def replica_set(name: str, replicas: int, available: int, existing: int | None = None) -> Manifest:
    status = {"replicas": replicas if existing is None else existing}
    status |= {"readyReplicas": available, "availableReplicas": available}
    return {
        "metadata": {"name": name, "creationTimestamp": name},
        "spec": {"replicas": replicas},
        "status": status,
    }


def condition(status: Manifest, kind: str) -> Manifest:
    return next(one for one in status["conditions"] if one["type"] == kind)


@pytest.mark.parametrize(("replicas", "surge"), [(1, 1), (4, 1), (5, 2), (8, 2), (9, 3)])
def test_surge_rounds_up(replicas: int, surge: int) -> None:
    assert rolling.limits(child(replicas)) == (surge, 0)


def test_percentage_of_unavailable_pods_rounds_down_and_both_are_never_zero() -> None:
    strategy = {"rollingUpdate": {"maxUnavailable": "25%", "maxSurge": 0}}
    assert rolling.limits(child(3, strategy=strategy)) == (0, 1)


@given(replicas=st.integers(1, 9), choices=st.lists(st.integers(0, 3), min_size=1, max_size=200))
def test_healthy_pods_never_fall_below_what_is_wanted(replicas: int, choices: list[int]) -> None:
    """One step or one pod's readiness at a time, in any order."""
    deployment = child(replicas)
    surge, _ = rolling.limits(deployment)
    old, new = replica_set("a", replicas, replicas), replica_set("b", 0, 0)
    for choice in [*choices, *([0, 1, 2] * 4 * replicas)]:
        if choice == 0:
            new["spec"]["replicas"] = rolling.new_size(deployment, new, [old, new])
        elif choice == 1:
            size = rolling.old_sizes(deployment, new, [old]).get("a")
            if size is not None:
                old["spec"]["replicas"] = old["status"]["availableReplicas"] = size
        elif new["status"]["availableReplicas"] < new["spec"]["replicas"]:
            new["status"]["availableReplicas"] += 1
        available = old["status"]["availableReplicas"] + new["status"]["availableReplicas"]
        assert available >= replicas
        assert old["spec"]["replicas"] + new["spec"]["replicas"] <= replicas + surge
    assert (old["spec"]["replicas"], new["spec"]["replicas"]) == (0, replicas)


def test_unhealthy_old_pods_go_first() -> None:
    deployment = child(2)
    new, old = replica_set("b", 1, 1), replica_set("a", 2, 1)
    assert rolling.old_sizes(deployment, new, [old]) == {"a": 1}


def test_scaling_down_is_immediate() -> None:
    assert rolling.new_size(child(1), replica_set("a", 4, 4), [replica_set("a", 4, 4)]) == 1


def test_unavailable_pods_are_counted_from_what_should_be_and_are_zero_for_a_moment() -> None:
    """The middle of a rollout: three of two are available, so none counts as unavailable."""
    old, new = replica_set("a", 1, 2, existing=2), replica_set("b", 1, 1)
    status = next_status(child(2), new, [old, new], datetime.now(UTC))
    assert "unavailableReplicas" not in status
    assert (status["replicas"], status["updatedReplicas"], status["availableReplicas"]) == (3, 1, 3)


def test_progress_goes_from_updated_to_available() -> None:
    deployment, now = child(1), datetime.now(UTC)
    deployment["status"] = next_status(deployment, replica_set("a", 1, 0), [replica_set("a", 1, 0)], now)
    assert condition(deployment["status"], "Progressing")["reason"] == "ReplicaSetUpdated"
    assert condition(deployment["status"], "Available")["status"] == "False"
    done = next_status(deployment, replica_set("a", 1, 1), [replica_set("a", 1, 1)], now)
    assert condition(done, "Progressing")["reason"] == "NewReplicaSetAvailable"
    assert condition(done, "Available")["status"] == "True"


def test_deadline_passes_only_without_progress() -> None:
    deployment, now = child(1), datetime.now(UTC)
    new = replica_set("a", 1, 0)
    deployment["status"] = next_status(deployment, new, [new], now)
    assert math.isclose(seconds_to_deadline(deployment, now) or 0, 60, abs_tol=2)
    late = next_status(deployment, new, [new], now + timedelta(seconds=61))
    assert condition(late, "Progressing")["status"] == "False"
    assert condition(late, "Progressing")["reason"] == "ProgressDeadlineExceeded"
    deployment["status"] = late
    assert seconds_to_deadline(deployment, now) is None


def test_pod_that_fails_after_a_finished_rollout_does_not_count_as_a_stuck_one() -> None:
    deployment, now = child(1), datetime.now(UTC)
    for ready in (0, 1):
        new = replica_set("a", 1, ready)
        deployment["status"] = next_status(deployment, new, [new], now)
    dead = replica_set("a", 1, 0)
    status = next_status(deployment, dead, [dead], now + timedelta(days=1))
    assert condition(status, "Progressing")["status"] == "True"
    assert condition(status, "Available")["status"] == "False"
    assert status["unavailableReplicas"] == 1
