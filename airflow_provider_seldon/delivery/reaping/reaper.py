"""
Reap one namespace: ``core.reaping.decision`` decides about each deployment, which gets one write at most.

Every write is conditional on what was just read: uid and resource version are preconditions. If a deployment
has changed meanwhile, it is read and decided again, so a canary that is resumed, or a preview that is
deployed again, is left unchanged, however close the race. An error with one deployment is recorded, and the
others continue.

Requests: one write for each deployment that needs one, a GET before an abort or a deletion, and those of the
waits at the end.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_seldon.core.identity.annotations import ANNOTATION_EXPIRY_NOTICED
from airflow_provider_seldon.core.reaping.decision import ReapingDecision, Verdict, decision_for, notice
from airflow_provider_seldon.core.reaping.origin import Origin, Whereabouts
from airflow_provider_seldon.delivery.canary.abort import abort, wait_out
from airflow_provider_seldon.delivery.conflicts import known_then, until_unchanged
from airflow_provider_seldon.delivery.inventory.removal import delete_if
from airflow_provider_seldon.delivery.reaping.report import Report, entry
from airflow_provider_seldon.delivery.waiting.wait import raise_for
from airflow_provider_seldon.exceptions import DeploymentNotFoundError

if TYPE_CHECKING:
    from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
    from airflow_provider_seldon.delivery.rollout.handoff import Rollout
    from airflow_provider_seldon.delivery.target import Target

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Terms:
    """
    What a reaper may do.

    :param grace: seconds between the mark on a deployment that is due and its deletion.
    :param delete_orphans: whether a deployment whose DAG or task is gone is due.
    :param timeout: seconds to wait, at the end, until aborted deployments are ready and deleted ones are
        gone.
    """

    grace: float
    delete_orphans: bool = False
    timeout: float = 300.0


@dataclass(kw_only=True)
class Reaper:
    """
    Reaps one namespace.

    :param target: the namespace.
    :param terms: what may be done.
    :param report: records all actions.
    :param origin_of: returns the origin of a deployment; None without a lookup.
    :param clock: returns the time in epoch seconds.
    """

    target: Target
    terms: Terms
    report: Report
    origin_of: Callable[[SeldonDeployment], Whereabouts] | None = None
    clock: Callable[[], float] = time.time
    _backs: list[tuple[SeldonDeployment, Rollout]] = field(default_factory=list)
    _gone: list[SeldonDeployment] = field(default_factory=list)

    def reap(self, deployments: Iterable[SeldonDeployment]) -> None:
        """Examine every deployment and do what is due, then wait for the results."""
        for deployment in deployments:
            self._safely(deployment, self._look_at)
        if self.report.dry_run:
            return
        deadline = time.time() + self.terms.timeout
        for deployment, back in self._backs:
            self._safely(deployment, lambda _, back=back: self._wait_out(back, deadline))  # type: ignore[misc]
        for deployment in self._gone:
            self._safely(deployment, lambda one: self._wait_until_gone(one, deadline))

    def _safely(self, deployment: SeldonDeployment, act: Callable[[SeldonDeployment], None]) -> None:
        try:
            act(deployment)
        except Exception as error:
            where = f"{self.target.namespace}/{deployment.name}"
            log.exception("%s is left as it is", where)
            reason = self.target.redact(f"{type(error).__name__}: {error}")
            self.report.errors.append(entry(self.target.namespace, deployment, reason))

    def _look_at(self, deployment: SeldonDeployment) -> None:
        whereabouts = self.origin_of(deployment) if self.origin_of else None
        if whereabouts is not None and whereabouts.is_orphan:
            self._note(self.report.orphans, deployment, whereabouts.reason)
        elif whereabouts is not None and whereabouts.origin is Origin.UNKNOWN:
            log.info("%s: %s", deployment.name, whereabouts.reason)
        name = deployment.name
        look = known_then(deployment, lambda: self.target.client.get(name))
        with suppress(DeploymentNotFoundError):
            until_unchanged(name, lambda: self._act(look(), whereabouts))

    def _judge(self, current: SeldonDeployment, whereabouts: Whereabouts | None) -> ReapingDecision:
        return decision_for(
            current,
            now=self.clock(),
            grace=self.terms.grace,
            whereabouts=whereabouts,
            delete_orphans=self.terms.delete_orphans,
        )

    def _act(self, current: SeldonDeployment, whereabouts: Whereabouts | None) -> None:
        decision = self._judge(current, whereabouts)
        if decision.verdict is Verdict.ABORT:
            self._abort(current, decision)
        elif decision.verdict is Verdict.DELETE:
            self._delete(current, decision, whereabouts)
        elif decision.verdict is Verdict.NOTICE:
            self._annotate(current, notice(current, now=self.clock()))
            self._note(self.report.marked, current, decision.reason)
        elif decision.verdict is Verdict.CLEAR:
            self._annotate(current, {ANNOTATION_EXPIRY_NOTICED: None})
            self._note(self.report.cleared, current, "it is no longer due")
        elif decision.verdict is Verdict.LEFT:
            self._note(self.report.skipped, current, decision.reason)

    def _abort(self, current: SeldonDeployment, decision: ReapingDecision) -> None:
        back = abort(self.target, current.name, expired_at=self.clock())
        if back is None:
            reason = "its canary was resumed or ended meanwhile"
            self._note(self.report.skipped, current, reason)
            return
        self._backs.append((current, back))
        self._note(self.report.aborted, current, decision.reason)

    def _delete(
        self, current: SeldonDeployment, decision: ReapingDecision, whereabouts: Whereabouts | None
    ) -> None:
        uid = current.uid
        deleted = delete_if(
            self.target.client,
            current.name,
            lambda one: one.uid == uid and self._judge(one, whereabouts).verdict is Verdict.DELETE,
        )
        if deleted is None:
            self._note(self.report.skipped, current, "it was deployed again, or deleted, meanwhile")
            return
        self._gone.append(deleted)
        self._note(self.report.deleted, current, decision.reason)

    def _annotate(self, current: SeldonDeployment, annotations: Mapping[str, str | None]) -> None:
        self.target.client.annotate(
            current.name, annotations, uid=current.uid, resource_version=current.resource_version
        )

    def _wait_out(self, back: Rollout, deadline: float) -> None:
        raise_for(wait_out(self.target, back, deadline=deadline))

    def _wait_until_gone(self, deleted: SeldonDeployment, deadline: float) -> None:
        left = max(0.0, deadline - time.time())
        self.target.client.wait_until_deleted(deleted.name, uid=deleted.uid, timeout=left)

    def _note(self, where: list[dict[str, str]], deployment: SeldonDeployment, reason: str) -> None:
        where.append(entry(self.target.namespace, deployment, reason))
