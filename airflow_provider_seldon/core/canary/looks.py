"""
The measurements of a step while it bakes: when each is due, its result, and when the step ends. Pure.

Measurements have fixed times, counted from when the step began to bake, and each queries Prometheus as of its
own time. So no write is needed between two of them: the process that resumes (a restarted triggerer, a
retried task) repeats the past measurements, as of their times, and gets the same counters.

On a worker and in the triggerer, the same code determines the measurements, and takes the results.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from airflow_provider_seldon.core.analysis.analysis import Analysis, StepVerdict, conclude, look
from airflow_provider_seldon.core.analysis.analysis_json import analysis_from_json, analysis_to_json
from airflow_provider_seldon.core.analysis.assessment import Grade
from airflow_provider_seldon.core.analysis.counters import Counters
from airflow_provider_seldon.core.analysis.metrics import TrafficMetric
from airflow_provider_seldon.core.analysis.samples import Sample
from airflow_provider_seldon.core.canary.lease import Lease
from airflow_provider_seldon.core.canary.steps import Step
from airflow_provider_seldon.core.canary.transition import bakes_on

#: Default seconds between two measurements while a step bakes.
LOOK_INTERVAL = 60.0
#: Seconds between two measurements of a step that has baked and has no result.
LONGEST_RETRY, SHORTEST_RETRY = 60.0, 1.0


@dataclass(frozen=True, kw_only=True)
class Look:
    """
    A measurement that is due.

    :param at: its time in epoch seconds.
    :param window: seconds before that over which it measures: since the step began to bake.
    :param concludes: whether the candidate is compared, because the step has baked.
    """

    at: float
    window: float
    concludes: bool


@dataclass(frozen=True, kw_only=True)
class Progress:
    """
    The measurements of a step so far.

    :param since: epoch seconds at which the step began to bake; identifies the step.
    :param taken: number of measurements.
    :param counters: by metric.
    :param verdict: of the last measurement; None before the first, or without an analysis.
    :param samples: of the last measurement, by metric.
    :param concluded: whether the last measurement was the one at the step's end.
    """

    since: float
    taken: int = 0
    counters: Mapping[str, Counters] = field(default_factory=dict)
    verdict: StepVerdict | None = None
    samples: Mapping[str, Sample] = field(default_factory=dict)
    concluded: bool = False

    def reopened(self) -> Self:
        """Return it for a step to measure again: it was concluded while not all of it was ready."""
        return dataclasses.replace(self, verdict=None, samples={}, concluded=False)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return {
            "since": self.since,
            "taken": self.taken,
            "counters": {name: one.to_json() for name, one in self.counters.items()},
            "verdict": self.verdict.to_json() if self.verdict else None,
            "samples": {name: one.to_json() for name, one in self.samples.items()},
            "concluded": self.concluded,
        }

    @classmethod
    def from_json(cls, data: Any) -> Self | None:
        """Read it back; None if this release cannot continue it, so that its measurements are repeated."""
        try:
            counters = {name: Counters.from_json(one) for name, one in (data.get("counters") or {}).items()}
            verdict = data.get("verdict")
            return cls(
                since=float(data["since"]),
                taken=int(data["taken"]),
                counters=counters,
                verdict=StepVerdict.from_json(verdict, counters) if verdict else None,
                samples={name: Sample.from_json(one) for name, one in (data.get("samples") or {}).items()},
                concluded=data.get("concluded") is True,
            )
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
            return None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """
    The measurements of one step.

    :param analysis: None for a step that only bakes.
    :param step: the step.
    :param since: epoch seconds at which it began to bake.
    :param interval: seconds between two measurements.
    :param patience: seconds for which a step without a result continues, beyond another bake time.
    :param number: number of the step, from 1.
    :param of: number of steps.
    :param before: by metric, the samples that concluded the previous steps.
    """

    analysis: Analysis | None
    step: Step
    since: float
    interval: float = LOOK_INTERVAL
    patience: float = 600.0
    number: int = 1
    of: int = 1
    before: Mapping[str, Sequence[Sample]] = field(default_factory=dict)

    @classmethod
    def of_lease(
        cls, lease: Lease, analysis: Analysis | None, *, interval: float, patience: float, now: float
    ) -> Self:
        """
        Return the measurements of the current step of a canary.

        :param now: start in epoch seconds of a step whose lease has none.
        """
        return cls(
            analysis=analysis,
            step=lease.current,
            since=now if lease.since is None else lease.since,
            interval=interval,
            patience=patience,
            number=lease.step + 1,
            of=len(lease.steps),
            before=lease.samples,
        )

    @property
    def metrics(self) -> Sequence[TrafficMetric]:
        """The metrics to measure."""
        return self.analysis.metrics if self.analysis else ()

    @property
    def limit(self) -> float:
        """Epoch seconds at which a step without a result ends."""
        return self.since + 2 * self.step.bake + self.patience

    def begun(self) -> Progress:
        """Return the progress of a step without measurements."""
        return Progress(since=self.since)

    def due(self, progress: Progress) -> Look:
        """Return the next measurement."""
        end = self.since + self.step.bake
        at = self.since + (progress.taken + 1) * self.interval
        if progress.taken >= self._before_end:
            retry = min(LONGEST_RETRY, max(SHORTEST_RETRY, self.step.bake / 10))
            at = min(end + (progress.taken - self._before_end) * retry, self.limit)
        return Look(at=at, window=at - self.since, concludes=progress.taken >= self._before_end)

    def last(self, progress: Progress) -> Look:
        """Return the last measurement that was made."""
        return self.due(dataclasses.replace(progress, taken=max(0, progress.taken - 1)))

    def after(self, progress: Progress, samples: Mapping[str, Sample]) -> Progress:
        """
        Return the progress after the next measurement.

        :param samples: the samples. A metric that is left out while a step bakes was not measured and does
            not count; at the step's end it has no data.
        """
        due = self.due(progress)
        taken = dataclasses.replace(progress, taken=progress.taken + 1, samples=samples)
        if self.analysis is None:
            return dataclasses.replace(taken, concluded=due.concludes)
        if due.concludes:
            verdict = self._conclusion(progress, samples, attempt=progress.taken - self._before_end)
            return dataclasses.replace(taken, verdict=verdict, counters=verdict.counters, concluded=True)
        measured = [one for one in self.metrics if one.name in samples]
        if not measured:
            return taken
        verdict = look(dataclasses.replace(self.analysis, metrics=measured), samples, progress.counters)
        counters = {**progress.counters, **verdict.counters}
        early = self._early(progress, samples, counters)
        if early is not None:
            return dataclasses.replace(taken, verdict=early, counters=early.counters, concluded=True)
        return dataclasses.replace(taken, verdict=verdict, counters=counters)

    def over(self, progress: Progress) -> bool:
        """Return whether the step needs no further measurement."""
        if self.given_up(progress):
            return True
        policy = self.analysis.on_inconclusive if self.analysis else "wait"
        grade = progress.verdict.grade if progress.verdict else None
        return not bakes_on(grade, concluded=progress.concluded, on_inconclusive=policy)

    def given_up(self, progress: Progress) -> bool:
        """Return whether the step has had its last measurement and has no result."""
        if not progress.concluded or progress.verdict is None:
            return False
        return progress.verdict.grade is Grade.INCONCLUSIVE and self.last(progress).at >= self.limit

    def to_json(self) -> dict[str, Any]:
        """
        Return it as JSON data.

        :raises ValueError: a metric has no such form.
        """
        return {
            "analysis": analysis_to_json(self.analysis) if self.analysis else None,
            "step": self.step.to_json(),
            "since": self.since,
            "interval": self.interval,
            "patience": self.patience,
            "number": self.number,
            "of": self.of,
            "before": {name: [one.to_json() for one in many] for name, many in self.before.items()},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """
        Read it back.

        :raises ValueError: it is invalid, or has content that only a later release knows.
        """
        try:
            return cls(
                analysis=analysis_from_json(data["analysis"]) if data.get("analysis") else None,
                step=Step.from_json(data["step"]),
                since=float(data["since"]),
                interval=float(data["interval"]),
                patience=float(data["patience"]),
                number=int(data["number"]),
                of=int(data["of"]),
                before={
                    name: tuple(Sample.from_json(one) for one in many)
                    for name, many in data["before"].items()
                },
            )
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"no looks at a step ({type(error).__name__})") from None

    @property
    def _before_end(self) -> int:
        """Number of measurements before the one at the end of the step."""
        if all(one.at_end for one in self.metrics):
            return 0
        return max(0, math.ceil(self.step.bake / self.interval) - 1)

    def _conclusion(
        self, progress: Progress, samples: Mapping[str, Sample], *, attempt: int = 0
    ) -> StepVerdict:
        assert self.analysis is not None
        steps = {
            one.name: (*self.before.get(one.name, ()), samples.get(one.name, Sample()))
            for one in self.metrics
        }
        return conclude(
            self.analysis, steps, progress.counters, number=self.number, of=self.of, attempt=attempt
        )

    def _early(
        self, progress: Progress, samples: Mapping[str, Sample], counters: Mapping[str, Counters]
    ) -> StepVerdict | None:
        """
        Return the verdict that ends a step early; None if it continues to bake.

        Only if every metric has a result: a comparison is made once, not at each measurement.
        """
        limit = self.analysis.consecutive_success_limit if self.analysis else None
        passes = [counters.get(one.name, Counters()).consecutive_passes for one in self.metrics]
        if not limit or min(passes) < limit:
            return None
        verdict = self._conclusion(progress, samples)
        return verdict if verdict.enough else None
