"""
Is an available deployment still available? Its health over time, and the transitions.

``readiness`` evaluates a rollout: whether a write has become ready. This module evaluates the time after
that, without end. The status flickers (Seldon Core reference, transitions), so a change counts only after it
has held for a grace time without interruption. A transition, such as a rollout whose old pods keep serving,
is not a change.

A ``HealthMonitor`` follows one deployment for all of its listeners; a ``HealthTransitions`` knows what was
reported to one of them.

Pure: no clock, no I/O, no state but these two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from airflow_provider_seldon.core.children.parts import parts_of
from airflow_provider_seldon.core.readiness.expectation import Expectation
from airflow_provider_seldon.core.readiness.failure_policy import DEFAULT_POLICY
from airflow_provider_seldon.core.readiness.judge import Phase, Verdict, judge
from airflow_provider_seldon.core.readiness.stabilization import History, Stabilization
from airflow_provider_seldon.core.resource.unstructured import (
    Object,
    text_at,
)

#: The monitor has its own grace time; these would be added to it.
_POLICY = replace(DEFAULT_POLICY, failed_grace=0.0, deadline_grace=0.0)


class Health(StrEnum):
    """Health of a deployment that has been ready."""

    AVAILABLE = "available"
    DEGRADED = "degraded"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Change:
    """
    Health that has lasted.

    :param event: the health.
    :param reason: one CamelCase word.
    :param message: a sentence, and the numbers of pods.
    :param state: ``status.state``, as the operator wrote it.
    """

    event: Health
    reason: str
    message: str
    state: str

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {**asdict(self), "event": str(self.event)}


class HealthMonitor:
    """
    Follows one deployment.

    - ``failed``: the operator reports Failed, an update does not become ready, or pods cannot start and a part of the
      graph has none that are available.
    - ``degraded``: a Deployment that had rolled out has fewer available pods than desired, or is gone.
    - ``available``: all of it is ready.

    A deployment that is deleted, scaled to zero, or has never been ready has no health.

    :param grace: seconds for which a health must hold.
    """

    def __init__(self, *, grace: float) -> None:
        #: Epoch seconds at which the next check is due without news; None for not before news.
        self.due: float | None = None
        #: Whether reading pods would add information.
        self.wants_pods = False
        #: Whether the last check found no deployment, or one that is being deleted.
        self.gone = False
        self._settled: Health | None = None
        self._grace = grace
        self._judged = History()
        self._history = History()
        #: The verdict from the last read of pods: checks without pods in between must not lose it.
        self._told_by_pods: Verdict | None = None

    def observe(
        self,
        deployment: Object | None,
        children: Sequence[Object] | None,
        pods: Sequence[Object] | None = None,
        *,
        now: float,
    ) -> Change | None:
        """
        Evaluate a deployment and its children as they are at one moment.

        :param children: see :func:`~airflow_provider_seldon.core.readiness.judge.judge`.
        :param pods: the same.
        :param now: epoch seconds.
        :return: the health that has now lasted long enough, if it differs from before.
        """
        verdict = judge(
            deployment, children, pods, expected=Expectation(), now=now, history=self._judged, policy=_POLICY
        )
        self._judged, self.wants_pods = verdict.history, verdict.wants_pods
        verdict = self._with_pods(verdict, looked=pods is not None)
        stabilization = Stabilization(self._history, now)
        self.gone = deployment is None or verdict.phase is Phase.DELETED
        health = None
        if self.gone or deployment is None:
            self._settled = None
        else:
            health = _health(verdict, deployment, children, served=self._settled is not None)
        lasting = health is not None and self._lasts(health, stabilization)
        self._history = stabilization.history()
        self.due = min(
            (at for at in (stabilization.next_due, verdict.recheck_at) if at is not None), default=None
        )
        if health is None or deployment is None or not lasting or health is self._settled:
            return None
        self._settled = health
        return _change(health, verdict, deployment)

    def _with_pods(self, verdict: Verdict, *, looked: bool) -> Verdict:
        if looked or verdict.phase is not Phase.PENDING:
            self._told_by_pods = verdict if looked and verdict.phase is Phase.FAILED else None
        return self._told_by_pods or verdict

    def _lasts(self, health: Health, stabilization: Stabilization) -> bool:
        """Return whether it has held long enough; from good to bad, one kind of bad may follow another."""
        same = stabilization.lasted(health, self._grace)
        if health is Health.AVAILABLE:
            return same
        bad = stabilization.lasted("bad", self._grace)
        return same or (bad and self._settled in (None, Health.AVAILABLE))


class HealthTransitions:
    """
    What was reported to a listener about a deployment's health, and so what is new to it.

    Nothing is reported twice in a row. At the start, good health is not news; bad health is.

    :param known: the health that was reported last.
    """

    def __init__(self, known: Health | None = None) -> None:
        self._known = known

    def is_new(self, health: Health | None) -> bool:
        """Return whether a health is news, and remember it. None, for a deleted deployment, resets it."""
        before, self._known = self._known, health
        if before is None:
            return health in (Health.DEGRADED, Health.FAILED)
        return health is not None and health is not before


def _health(
    verdict: Verdict, deployment: Object, children: Sequence[Object] | None, *, served: bool
) -> Health | None:
    """Return the health of one moment; None while it is undetermined."""
    if verdict.phase is Phase.READY:
        return None if verdict.reason == "ScaledToZero" else Health.AVAILABLE
    parts = list(parts_of(deployment, children))
    rolled_out = all(part.rolled_out for part in parts)
    if verdict.phase is Phase.FAILED:
        some_serve = bool(verdict.child) and rolled_out and all(part.available for part in parts)
        return Health.DEGRADED if some_serve else Health.FAILED
    lacks_pods = any(part.available < part.wanted for part in parts)
    return Health.DEGRADED if lacks_pods and (served or rolled_out) else None


def _change(health: Health, verdict: Verdict, deployment: Object) -> Change:
    return Change(
        event=health,
        reason=verdict.reason,
        message=f"{verdict.message} ({verdict.progress})",
        state=text_at(deployment, "status", "state"),
    )
