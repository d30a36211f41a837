"""
Run a canary: what happens between two pauses, whether on a worker or in the triggerer.

The lease and the task's arguments contain everything that is needed to resume. The measurements of a step
have fixed times, so those that were not reported are repeated (``core.canary.looks``). The caller pauses as
returned, comes back with the result, and gets the next action.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_seldon.core.analysis.analysis import Analysis, StepVerdict
from airflow_provider_seldon.core.analysis.assessment import Grade
from airflow_provider_seldon.core.analysis.queries import Sides, graph
from airflow_provider_seldon.core.analysis.samples import Sample
from airflow_provider_seldon.core.canary.lease import Stage
from airflow_provider_seldon.core.canary.looks import LOOK_INTERVAL, Plan, Progress
from airflow_provider_seldon.core.canary.predictors import CANDIDATE
from airflow_provider_seldon.core.canary.report import table
from airflow_provider_seldon.core.canary.transition import Next, next_of
from airflow_provider_seldon.core.readiness.expectation import Expectation
from airflow_provider_seldon.core.readiness.outcome import Ending, Outcome
from airflow_provider_seldon.delivery.analysis.measure import Query
from airflow_provider_seldon.delivery.analysis.predictor_ways import comparison
from airflow_provider_seldon.delivery.canary.analysis_run import AnalysisRun, Baked, from_anything
from airflow_provider_seldon.delivery.canary.crashes import crashed
from airflow_provider_seldon.delivery.waiting.wait import Waiter, raise_for
from airflow_provider_seldon.exceptions import CanaryAbortedError

if TYPE_CHECKING:
    from airflow_provider_seldon.delivery.canary.conduct import Conductor
    from airflow_provider_seldon.delivery.canary.under_way import UnderWay
    from airflow_provider_seldon.delivery.target import Target

log = logging.getLogger(__name__)

#: Minimum seconds over which a graph's rates are taken: four scrapes at Prometheus' default interval.
FINEST_RATE = 60.0


@dataclass(frozen=True, kw_only=True)
class Terms:
    """
    A task's settings for its canary.

    :param analysis: None for a canary that only bakes.
    :param timeout: seconds for a written version to become ready; a step without a result continues for the
        same time.
    :param hold_at: weight at which the canary waits for an approval.
    :param hold_for: seconds for which it waits.
    :param promote: promote after the last step.
    :param look_interval: seconds between two measurements while a step bakes.
    :param query: queries Prometheus; None without a connection.
    :param namespace_label: name of the label in which scraping stores the namespace.
    :param ends: epoch seconds at which the task itself times out; None if it does not.
    """

    analysis: Analysis | None
    timeout: float
    hold_at: int | None = None
    hold_for: float = 86400.0
    promote: bool = True
    look_interval: float = LOOK_INTERVAL
    query: Query | None = None
    namespace_label: str = "namespace"
    ends: float | None = None


@dataclass(frozen=True, kw_only=True)
class Pause:
    """
    What to wait for.

    :param expected: a write that must become ready; None to bake.
    :param until: epoch seconds at which the pause ends.
    :param wake: epoch seconds of the next measurement, for a caller that cannot measure during the pause.
    """

    expected: Expectation | None
    until: float
    wake: float = math.inf


@dataclass(kw_only=True)
class Leader:
    """
    Runs one canary.

    :param target: the namespace.
    :param conductor: makes the writes.
    :param terms: the task's settings.
    :param canary: the canary as stored.
    :param progress: this step's measurements as far as they are known; unknown ones are repeated.
    """

    target: Target
    conductor: Conductor
    terms: Terms
    canary: UnderWay
    progress: Progress | None = None
    #: The verdicts of an aborted canary, including the deciding one.
    ending: list[dict[str, Any]] = field(default_factory=list)

    def next(self, told: Outcome | Baked | None = None) -> Pause | Next:
        """
        Continue.

        :param told: how the previous pause ended; None at the beginning.
        :returns: a pause; or that the canary is held, or must be finished.
        :raises CanaryAbortedError: it must be aborted.
        """
        lease = self.canary.lease
        if lease.stage is Stage.HOLDING:
            return Next.HOLD
        if lease.since is None:
            if not isinstance(told, Outcome):
                until = time.time() + self.terms.timeout
                return Pause(expected=self.canary.expected, until=until)
            self._refuse_bad(told)
            if lease.stage is Stage.PROMOTING:
                return Next.FINISH
            self.canary = self.conductor.bake(self.canary)
            log.info("%s: the routes have its weights; it bakes", lease.current)
            return self._bake_on()
        if isinstance(told, Outcome):
            self._refuse_bad(told)
        if isinstance(told, Baked):
            self.progress = told.progress or self.progress
            # Only if the watch reports a failure, or a decision is due, is the API server itself read.
            if told.failed and not self._settled():
                return self._until_settled()
            self._look_at_what_is_due()
        return self._decide() if self.analysis_run.over else self._bake_on()

    @property
    def analysis_run(self) -> AnalysisRun:
        """The measurements of the current step, on this worker."""
        plan, lease = self.plan, self.canary.lease
        mine = self.progress is not None and self.progress.since == lease.since
        return AnalysisRun(
            plan=plan,
            progress=self.progress if mine and self.progress else plan.begun(),
            measure=from_anything(
                plan,
                self.sides,
                self.terms.query,
                compare=comparison(self.target, self.canary.stored),
            ),
            logger=log,
        )

    @property
    def plan(self) -> Plan:
        """The plan of the current step's measurements."""
        return Plan.of_lease(
            self.canary.lease,
            self.terms.analysis,
            interval=self.terms.look_interval,
            patience=self.terms.timeout,
            now=time.time(),
        )

    @property
    def sides(self) -> Sides:
        """The predictors whose metrics are queried."""
        return Sides(
            deployment=self.canary.stored.name,
            candidate=CANDIDATE,
            baseline=self.canary.main,
            namespace=self.target.namespace,
            namespace_label=self.terms.namespace_label,
        )

    def pause(self, pause: Pause, *, deadline: float, policy: Mapping[str, Any] | None) -> Outcome | Baked:
        """Pause on this worker."""
        until = min(pause.until, deadline)
        name = self.canary.stored.name
        if pause.expected is not None:
            return Waiter(self.target).wait(
                name, expected=pause.expected, deadline=until, failure_policy=policy
            )
        return asyncio.run(
            self.analysis_run.bake(self.target.access, self.target.namespace, name, until=until)
        )

    @property
    def verdicts(self) -> list[dict[str, Any]]:
        """The verdicts of the completed steps, as JSON data."""
        return list(self.canary.lease.verdict.get("steps") or [])

    def _look_at_what_is_due(self) -> None:
        """Make the measurements that were due in a pause and were not made."""
        run = self.analysis_run
        if not run.over and run.plan.due(run.progress).at <= time.time():
            asyncio.run(run.look_until(time.time()))
        self.progress = run.progress

    def _decide(self) -> Pause | Next:
        lease, progress, analysis = self.canary.lease, self.analysis_run.progress, self.terms.analysis
        verdict = progress.verdict
        transition = next_of(
            lease,
            settled=True,
            grade=verdict.grade if verdict else None,
            concluded=progress.concluded,
            reason=verdict.reason if verdict else "",
            on_inconclusive=analysis.on_inconclusive if analysis else "wait",
            hold_at=self.terms.hold_at,
            promote=self.terms.promote,
        )
        if transition.action is Next.ABORT:
            raise self._aborted(transition.reason, progress)
        if transition.action is Next.WAIT:
            raise self._aborted(f"there was no result in time: {transition.reason}", progress)
        if not self._settled():
            self.progress = progress.reopened()
            return self._until_settled()
        return self._moved_on(transition.action, progress)

    def _moved_on(self, action: Next, progress: Progress) -> Pause | Next:
        before = self.canary.lease.samples
        samples = {
            one.name: (*before.get(one.name, ()), progress.samples.get(one.name, Sample()))
            for one in self.plan.metrics
        }
        changes = {
            "samples": samples,
            "verdict": {"steps": [*self.verdicts, self._entry(progress)]},
        }
        if action is Next.SHIFT:
            self.canary = self.conductor.shift(self.canary, **changes)
            log.info("Next: %s", self.canary.lease.current)
        elif action is Next.HOLD:
            self.canary = self.conductor.hold(self.canary, seconds=self.terms.hold_for, **changes)
            return Next.HOLD
        else:
            self.canary = self.conductor.promote(self.canary, seconds=2 * self.terms.timeout, **changes)
            log.info("All steps have passed; the main predictor gets the candidate's content")
        return self.next(None)

    def _bake_on(self) -> Pause:
        run, ends = self.analysis_run, self.terms.ends
        if ends is not None and time.time() >= ends:
            raise self._aborted("the task has timed out (execution_timeout)", run.progress)
        limit = run.plan.limit if ends is None else min(run.plan.limit, ends)
        self.progress = run.progress
        return Pause(expected=None, until=limit, wake=run.plan.due(run.progress).at)

    def _until_settled(self) -> Pause:
        return Pause(expected=self._still_expected(), until=time.time() + self.terms.timeout)

    def _settled(self) -> bool:
        """Return whether every predictor is ready, and no other client wrote; reads the API server once."""
        outcome = Waiter(self.target).wait(
            self.canary.stored.name, expected=self._still_expected(), deadline=0.0, failure_policy=None
        )
        if outcome.ending is not Ending.TIMEOUT:
            self._refuse_bad(outcome)
        if ended := crashed(self.target, self.canary):
            raise self._aborted(f"the candidate has crashed: {ended}", None)
        return outcome.ending is Ending.READY

    def _still_expected(self) -> Expectation:
        return dataclasses.replace(self.canary.expected, settle=False, routes=False, mark=None, status=None)

    def _refuse_bad(self, outcome: Outcome) -> None:
        if outcome.ending is Ending.READY:
            return
        if outcome.ending in {Ending.REPLACED, Ending.DELETED}:
            raise_for(outcome)
        what = "did not become ready" if self.canary.lease.since is None else "is no longer ready"
        raise self._aborted(
            f"it {what}: {outcome.reason}: {outcome.message}", None, diagnosis=str(outcome.diagnosis or "")
        )

    def _entry(self, progress: Progress | None) -> dict[str, Any]:
        """Return the report on the current step."""
        step = {"step": str(self.canary.lease.current)}
        if progress is None:
            return {**step, "metrics": []}
        if progress.verdict is None:
            return {**step, "grade": str(Grade.PASS), "reason": "baked", "metrics": []}
        drawn = self._drawn(progress, progress.verdict)
        told = {**step, **progress.verdict.to_json(), "looks": progress.taken}
        return {**told, "graph": drawn} if drawn else told

    def _drawn(self, progress: Progress, verdict: StepVerdict) -> dict[str, Any] | None:
        """Return the graph of the deciding metric; if all have passed, of the first one with a graph."""
        plan = self.plan
        made = plan.last(progress)
        resolution = min(made.window, max(FINEST_RATE, plan.interval))
        metrics = sorted(plan.metrics, key=lambda one: one.name != verdict.deciding)
        for metric in metrics if verdict.grade is Grade.PASS else metrics[:1]:
            if query := graph(metric, self.sides, resolution):
                return {"metric": metric.name, "query": query, "end": made.at, "seconds": made.window}
        return None

    def _aborted(self, reason: str, progress: Progress | None, *, diagnosis: str = "") -> CanaryAbortedError:
        entry = self._entry(progress)
        self.ending = [*self.verdicts, {**entry, "grade": str(Grade.FAIL), "reason": reason}]
        where = f"{self.target.namespace}/{self.canary.stored.name}"
        text = f"{where}: CanaryAborted: the canary was aborted at {self.canary.lease.current}: {reason}."
        return CanaryAbortedError(
            f"{text}\n{diagnosis}" if diagnosis else text, reason="CanaryAborted", deployment=where
        )


def told(outcome: str, steps: list[dict[str, Any]]) -> dict[str, Any]:
    """Log the table, and return the XCom ``canary``."""
    log.info("The canary is %s:\n%s", outcome, table(steps))
    return {"outcome": outcome, "steps": steps}
