from __future__ import annotations

from typing import Any

from airflow_provider_seldon.core.readiness.failure_policy import FailurePolicy
from airflow_provider_seldon.core.readiness.pod_failure import pod_problems

CHILD = {"metadata": {"name": "iris-default-0-classifier"}}


def pod(**statuses: Any) -> dict[str, Any]:
    owner = {"kind": "ReplicaSet", "name": "iris-default-0-classifier-abc", "controller": True}
    return {"metadata": {"name": "iris-abc-1", "ownerReferences": [owner]}, "status": statuses}


def ended(code: int, *, restarts: int) -> dict[str, Any]:
    return {
        "name": "classifier",
        "ready": False,
        "restartCount": restarts,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"exitCode": code, "reason": "Completed" if code == 0 else "Error"}},
    }


def test_a_server_that_keeps_ending_with_zero_is_in_a_crash_loop_as_well() -> None:
    """MLServer ends in good order, and with exit code 0, when its model cannot be loaded."""
    (problem,) = pod_problems(CHILD, [pod(containerStatuses=[ended(0, restarts=3)])], FailurePolicy())
    assert (problem.reason, problem.grace) == ("CrashLoopBackOff", 0.0)


def test_a_few_restarts_are_not_fatal_yet() -> None:
    assert pod_problems(CHILD, [pod(containerStatuses=[ended(1, restarts=1)])], FailurePolicy()) == []


def test_an_initializer_that_has_ended_well_is_done() -> None:
    done = {"name": "classifier-model-initializer", "ready": True, "state": {"terminated": {"exitCode": 0}}}
    assert pod_problems(CHILD, [pod(initContainerStatuses=[done])], FailurePolicy()) == []
