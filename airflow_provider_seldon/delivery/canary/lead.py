"""
Leading a canary: what happens between two pauses, whoever pauses, on a worker or in the triggerer.

Everything that is needed to go on is in the lease and in the task's arguments; only the looks that were counted within
a step travel with the task. Whoever calls pauses as told, comes back with what happened, and is told the next.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_seldon.core.analysis.analysis import Analysis, StepVerdict, conclude, look
from airflow_provider_seldon.core.analysis.assessment import Grade
from airflow_provider_seldon.core.analysis.counters import Counters
from airflow_provider_seldon.core.analysis.queries import Sides
from airflow_provider_seldon.core.analysis.samples import Sample
from airflow_provider_seldon.core.canary.course import Next, baked, next_of
from airflow_provider_seldon.core.canary.lease import Stage
from airflow_provider_seldon.core.canary.predictors import CANDIDATE
from airflow_provider_seldon.core.canary.report import line_of, table
from airflow_provider_seldon.core.readiness.expectation import Expectation
from airflow_provider_seldon.core.readiness.outcome import Ending, Outcome
from airflow_provider_seldon.delivery.analysis.measure import Compare, Query, measure, measure_on_worker
from airflow_provider_seldon.delivery.analysis.predictor_ways import comparison
from airflow_provider_seldon.delivery.canary.bake import bake
from airflow_provider_seldon.delivery.waiting.wait import Waiter, raise_for
from airflow_provider_seldon.exceptions import CanaryAbortedError

if TYPE_CHECKING:
    from airflow_provider_seldon.delivery.canary.conduct import Conductor, UnderWay
    from airflow_provider_seldon.delivery.target import Target

log = logging.getLogger(__name__)

#: Seconds between two looks at the metrics while a step bakes.
LOOK_INTERVAL = 60.0
#: Seconds between two looks at a step that has baked, and has no result.
LONGEST_RETRY, SHORTEST_RETRY = 60.0, 1.0


@dataclass(frozen=True, kw_only=True)
class Terms:
    """
    What a task asks of its canary.

    :param analysis: None for a canary that only bakes.
    :param timeout: seconds for a write to come to serve; a step that has no result goes on for as long.
    :param hold_at: weight at which an approval is waited for.
    :param hold_for: seconds for which that is waited for.
    :param promote: promote after the last step.
    :param look_interval: seconds between two looks while a step bakes.
    :param query: asks Prometheus; None where no connection is given.
    :param namespace_label: name of the label that scraping gives the namespace.
    """

    analysis: Analysis | None
    timeout: float
    hold_at: int | None = None
    hold_for: float = 86400.0
    promote: bool = True
    look_interval: float = LOOK_INTERVAL
    query: Query | None = None
    namespace_label: str = "namespace"


@dataclass(frozen=True, kw_only=True)
class Pause:
    """
    What is waited for.

    :param expected: a write that is to come to serve; None to bake.
    :param until: epoch seconds at which that ends.
    """

    expected: Expectation | None
    until: float


@dataclass(kw_only=True)
class Leader:
    """
    Leads one canary.

    :param target: the namespace that applies.
    :param conductor: what writes.
    :param terms: what the task asks for.
    :param canary: the canary as it is stored.
    :param counters: looks that were counted in this step.
    """

    target: Target
    conductor: Conductor
    terms: Terms
    canary: UnderWay
    counters: Mapping[str, Counters] = field(default_factory=dict)
    #: The verdicts of a canary that is aborted, the one that decided included.
    ending: list[dict[str, Any]] = field(default_factory=list)

    def next(self, told: Outcome | str | None = None) -> Pause | Next:
        """
        Go on.

        :param told: how the pause before has ended; None at the beginning.
        :returns: a pause; or that it is held, or is to be finished.
        :raises CanaryAbortedError: it is to be aborted.
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
            self.counters = {}
            log.info("%s: the routes have its weights; it bakes", lease.current)
            return self._bake_on()
        if isinstance(told, Outcome):
            self._refuse_bad(told)
        if told is None and not baked(lease, time.time()):
            return self._bake_on()
        # The watch says that something is wrong, or a decision is due: only then is the server itself asked.
        if not isinstance(told, Outcome) and (told or baked(lease, time.time())) and not self._settled():
            return Pause(expected=self._still_expected(), until=time.time() + self.terms.timeout)
        return self._look()

    def pause(self, pause: Pause, *, deadline: float, policy: Mapping[str, Any] | None) -> Outcome | str:
        """Pause on this worker."""
        until = min(pause.until, deadline)
        name = self.canary.stored.name
        if pause.expected is not None:
            return Waiter(self.target).wait(
                name, expected=pause.expected, deadline=until, failure_policy=policy
            )
        return asyncio.run(bake(self.target.access, self.target.namespace, name, until=until))

    @property
    def verdicts(self) -> list[dict[str, Any]]:
        """The verdicts on the steps that are concluded, as JSON data."""
        return list(self.canary.lease.verdict.get("steps") or [])

    def _look(self) -> Pause | Next:
        now = time.time()
        lease = self.canary.lease
        concludes = baked(lease, now)
        verdict, samples = self._measured(now, concludes=concludes)
        course = next_of(
            lease,
            settled=True,
            grade=verdict.grade if verdict else None,
            concluded=concludes,
            reason=verdict.reason if verdict else "",
            on_inconclusive=self.terms.analysis.on_inconclusive if self.terms.analysis else "wait",
            hold_at=self.terms.hold_at,
            promote=self.terms.promote,
        )
        if course.action is Next.ABORT:
            raise self._aborted(course.reason, verdict)
        if course.action is Next.WAIT:
            if now > (lease.since or now) + 2 * lease.current.bake + self.terms.timeout:
                raise self._aborted(f"there was no result in time: {course.reason}", verdict)
            if concludes:
                log.info("%s", course.reason)
            return self._bake_on()
        return self._moved_on(course.action, verdict, samples)

    def _moved_on(
        self, action: Next, verdict: StepVerdict | None, samples: Mapping[str, Any]
    ) -> Pause | Next:
        changes = {"samples": samples, "verdict": {"steps": [*self.verdicts, self._entry(verdict)]}}
        self.counters = {}
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

    def _measured(
        self, now: float, *, concludes: bool
    ) -> tuple[StepVerdict | None, dict[str, tuple[Sample, ...]]]:
        analysis, lease = self.terms.analysis, self.canary.lease
        if analysis is None:
            return None, {}
        window = now - (lease.since or now)
        stored = self.canary.stored
        sides = Sides(
            deployment=stored.name,
            candidate=CANDIDATE,
            baseline=self.canary.main,
            namespace=self.target.namespace,
            namespace_label=self.terms.namespace_label,
        )
        looked_at = [one for one in analysis.metrics if concludes or not one.at_end]
        if not looked_at:
            return None, {}
        measured = measured_all(
            dataclasses.replace(analysis, metrics=looked_at),
            sides,
            window=window,
            query=self.terms.query,
            compare=comparison(self.target, stored),
        )
        samples = {name: (*lease.samples.get(name, ()), one) for name, one in measured.items()}
        if concludes:
            verdict = conclude(analysis, samples, self.counters, number=lease.step + 1, of=len(lease.steps))
        else:
            verdict = look(dataclasses.replace(analysis, metrics=looked_at), measured, self.counters)
        self.counters = verdict.counters
        log.info("%s", line_of(lease.current, verdict, baked=window))
        return verdict, samples

    def _bake_on(self) -> Pause:
        now, lease = time.time(), self.canary.lease
        end = (lease.since or now) + lease.current.bake
        if end <= now:
            end = now + min(LONGEST_RETRY, max(SHORTEST_RETRY, lease.current.bake / 10))
        # Without metrics there is nothing to look at before the end; the watch tells of failures.
        until = min(end, now + self.terms.look_interval) if self.terms.analysis else end
        return Pause(expected=None, until=until)

    def _settled(self) -> bool:
        """Whether every predictor is ready, and nobody else has written; looked at the server itself, once."""
        outcome = Waiter(self.target).wait(
            self.canary.stored.name, expected=self._still_expected(), deadline=0.0, failure_policy=None
        )
        if outcome.ending is not Ending.TIMEOUT:
            self._refuse_bad(outcome)
        return outcome.ending is Ending.READY

    def _still_expected(self) -> Expectation:
        return dataclasses.replace(self.canary.expected, settle=False, routes=False, mark=None, status=None)

    def _refuse_bad(self, outcome: Outcome) -> None:
        if outcome.ending is Ending.READY:
            return
        if outcome.ending in {Ending.REPLACED, Ending.DELETED}:
            raise_for(outcome)
        what = "did not come to serve" if self.canary.lease.since is None else "does not serve any more"
        raise self._aborted(
            f"it {what}: {outcome.reason}: {outcome.message}", None, diagnosis=str(outcome.diagnosis or "")
        )

    def _entry(self, verdict: StepVerdict | None) -> dict[str, Any]:
        told = verdict.to_json() if verdict else {"grade": str(Grade.PASS), "reason": "baked", "metrics": []}
        return {"step": str(self.canary.lease.current), **told}

    def _aborted(
        self, reason: str, verdict: StepVerdict | None, *, diagnosis: str = ""
    ) -> CanaryAbortedError:
        entry = self._entry(verdict) if verdict else {"step": str(self.canary.lease.current), "metrics": []}
        self.ending = [*self.verdicts, {**entry, "grade": str(Grade.FAIL), "reason": reason}]
        where = f"{self.target.namespace}/{self.canary.stored.name}"
        text = f"{where}: the canary is aborted at {self.canary.lease.current}: {reason}."
        return CanaryAbortedError(
            f"{text}\n{diagnosis}" if diagnosis else text, reason="CanaryAborted", deployment=where
        )


def measured_all(
    analysis: Analysis,
    sides: Sides,
    *,
    window: float,
    query: Query | None,
    compare: Compare | None = None,
) -> dict[str, Sample]:
    """Measure every metric of an analysis, on a worker: golden rows last, so that they are in no other's numbers."""
    return {
        **asyncio.run(measure(analysis.metrics, sides=sides, window=window, query=query)),
        **measure_on_worker(analysis.metrics, sides=sides, window=window, compare=compare),
    }


def told(outcome: str, steps: list[dict[str, Any]]) -> dict[str, Any]:
    """Log the table, and return what the XCom ``canary`` says."""
    log.info("The canary is %s:\n%s", outcome, table(steps))
    return {"outcome": outcome, "steps": steps}
