"""Changes of health: reported once, when they have lasted."""

from __future__ import annotations

from typing import Any

from airflow_provider_seldon.core.readiness.health import Health, HealthMonitor, HealthTransitions
from tests.unit.core.cluster_objects import complete_children, sdep, spec

TWO_PODS = sdep(spec(replicas=2))


def children(available: int = 2, *, rolled_out: bool = True, of: dict[str, Any] = TWO_PODS) -> list[Any]:
    """The Deployment with that many available pods."""
    (child,) = complete_children(of)
    child["status"]["availableReplicas"] = available
    child["status"]["unavailableReplicas"] = 2 - available
    reason = "NewReplicaSetAvailable" if rolled_out else "ReplicaSetUpdated"
    child["status"]["conditions"] = [{"type": "Progressing", "status": "True", "reason": reason}]
    return [child]


class Watched:
    """A monitor, its clock, and somebody who is told what is news."""

    def __init__(self, *, grace: float = 60.0, known: Health | None = None) -> None:
        self.monitor = HealthMonitor(grace=grace)
        self.transitions = HealthTransitions(known)
        self.now = 1000.0

    def see(
        self, seconds: float, deployment: Any = TWO_PODS, parts: Any = None, pods: Any = None
    ) -> list[str]:
        """Look at the beginning and at the end of a stretch of time; return the kinds of event."""
        told = []
        for step in (0.0, seconds):
            self.now += step
            given = children() if parts is None else parts
            change = self.monitor.observe(deployment, given, pods, now=self.now)
            if self.monitor.gone:
                self.transitions.is_new(None)
            elif change and self.transitions.is_new(change.event):
                told.append(str(change.event))
        return told


FAILED = {**TWO_PODS, "status": {"state": "Failed", "description": "Deployment.apps x is invalid: no"}}


def test_a_change_is_reported_once_after_it_has_lasted() -> None:
    watched = Watched()
    assert watched.see(100) == []
    assert watched.see(59, parts=children(1)) == []
    assert watched.see(1, parts=children(1)) == ["degraded"]
    assert watched.see(1000, parts=children(1)) == []
    assert watched.see(59) == []
    assert watched.see(1) == ["available"]
    assert watched.see(1000) == []


def test_a_flicker_is_not_told() -> None:
    watched = Watched()
    watched.see(100)
    for _ in range(5):
        assert watched.see(30, FAILED) == []
        assert watched.see(1) == []


def test_a_bad_moment_between_two_good_ones_makes_no_news_of_the_second() -> None:
    watched = Watched()
    watched.see(100)
    assert watched.see(10, parts=children(0)) == []
    assert watched.see(1000) == []


def test_a_failure_at_the_start_is_reported_and_readiness_is_not() -> None:
    assert Watched().see(1000) == []
    assert Watched().see(60, FAILED) == ["failed"]
    assert Watched().see(60, parts=children(1)) == ["degraded"]


def test_an_event_is_not_repeated_and_its_end_is_reported() -> None:
    watched = Watched(known=Health.FAILED)
    assert watched.see(1000, FAILED) == []
    assert watched.see(60) == ["available"]


def test_getting_better_or_worse_in_kind_is_a_change() -> None:
    watched = Watched()
    watched.see(100)
    assert watched.see(60, parts=children(1)) == ["degraded"]
    assert watched.see(60, FAILED, children(1)) == ["failed"]
    assert watched.see(60, parts=children(1)) == ["degraded"]


def test_changing_failures_are_reported_after_one_grace_period() -> None:
    watched = Watched()
    watched.see(100)
    assert watched.see(30, parts=children(1)) == []
    assert watched.see(30, FAILED) == ["failed"]


def test_a_first_rollout_is_not_reported_however_long_it_takes() -> None:
    creating = {**TWO_PODS, "status": {"state": "Creating"}}
    watched = Watched()
    assert watched.see(3000, creating, children(0, rolled_out=False)) == []
    assert watched.see(3000, creating, []) == []
    assert watched.see(100) == []


def test_a_rollout_whose_old_pods_keep_serving_is_not_reported_and_its_failure_is() -> None:
    watched = Watched()
    watched.see(100)
    creating = {**TWO_PODS, "status": {"state": "Creating"}}
    (child,) = children(2, rolled_out=False)
    child["status"] |= {"replicas": 3, "updatedReplicas": 1, "unavailableReplicas": 1}
    assert watched.see(500, creating, [child]) == []
    child["status"]["conditions"] = [
        {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
    ]
    assert watched.see(60, creating, [child]) == ["failed"]


def test_a_missing_part_degrades_a_ready_deployment() -> None:
    watched = Watched()
    watched.see(100)
    assert watched.see(60, parts=[]) == ["degraded"]


def test_scaling_to_zero_and_deletion_say_nothing() -> None:
    watched = Watched()
    watched.see(100)
    asleep = sdep(spec(replicas=0))
    (child,) = complete_children(asleep)
    assert watched.see(1000, asleep, [child]) == []
    gone = Watched()
    gone.see(100)
    assert gone.see(1000, None, []) == []


def test_what_is_made_anew_under_the_name_starts_anew() -> None:
    watched = Watched()
    watched.see(100)
    assert watched.see(60, FAILED) == ["failed"]
    assert watched.see(0, None, []) == []
    assert watched.see(100) == []
    assert watched.see(60, FAILED) == ["failed"]


def test_what_pods_have_told_holds_until_they_are_read_again() -> None:
    creating = {**TWO_PODS, "status": {"state": "Creating"}}
    waiting = {"waiting": {"reason": "InvalidImageName", "message": "no valid name"}}
    owner = {"kind": "ReplicaSet", "name": "iris-default-0-classifier-abc", "controller": True}
    template = children()[0]["spec"]["template"]["metadata"]
    pod = {
        "metadata": {**template, "name": "iris-abc-1", "ownerReferences": [owner]},
        "status": {"containerStatuses": [{"name": "classifier", "state": waiting}]},
    }
    watched = Watched()
    watched.see(100)
    broken = children(0)
    watched.see(10, creating, broken)
    assert watched.monitor.wants_pods
    assert watched.see(20, creating, broken, [pod]) == []
    assert watched.see(30, creating, broken) == ["failed"]
    assert watched.see(500, creating, broken) == []


def test_without_the_right_to_read_deployments_the_counts_of_the_status_are_judged() -> None:
    def counted(available: int) -> dict[str, Any]:
        counts = {"iris-default-0-classifier": {"replicas": 2, "availableReplicas": available}}
        state = "Available" if available == 2 else "Creating"
        return {**TWO_PODS, "status": {"state": state, "deploymentStatus": counts}}

    monitor, now, told = HealthMonitor(grace=60), 0.0, []
    for available, seconds in ((2, 200), (1, 100), (2, 200)):
        for _ in range(seconds):
            now += 1
            told.append(monitor.observe(counted(available), None, now=now))
    assert [str(one.event) for one in told if one] == ["available", "degraded", "available"]


def test_the_next_look_is_due_when_the_grace_is_over() -> None:
    monitor = HealthMonitor(grace=60)
    assert monitor.observe(TWO_PODS, children(), now=0.0) is None
    assert monitor.observe(FAILED, children(), now=100.0) is None
    assert monitor.due == 160.0
    change = monitor.observe(FAILED, children(), now=160.0)
    assert change is not None
    assert change.to_json() == {
        "event": "failed",
        "reason": "OperatorReportsFailed",
        "message": "the operator reports Failed: Deployment.apps x is invalid: no "
        "(state Failed; iris-default-0-classifier 2 updated, 2 available of 2)",
        "state": "Failed",
    }
