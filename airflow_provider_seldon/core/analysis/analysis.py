"""
The verdict on a step of a canary: all metrics together, with Argo Rollouts' limits.

While a step bakes, :func:`look` checks the hard limits; at its end, :func:`conclude` compares once. Pure:
takes the samples and the previous counters, returns a verdict and the new counters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self, get_args

from airflow_provider_seldon.core.analysis.assessment import Assessment, Grade, assess_safety, assess_step
from airflow_provider_seldon.core.analysis.counters import Counters
from airflow_provider_seldon.core.analysis.metrics import TrafficMetric
from airflow_provider_seldon.core.analysis.samples import Sample
from airflow_provider_seldon.core.invalid_request import InvalidRequestError

#: Effect of a step without a result: continue to bake until the canary times out, abort, or continue as if it
#: had passed.
OnInconclusive = Literal["wait", "abort", "continue"]
#: Grades without a result.
OPEN = frozenset({Grade.INCONCLUSIVE, Grade.ERROR})


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """
    Metrics and limits that a candidate must meet.

    :param metrics: at least one, with different names.
    :param min_requests: requests of each side in a step below which rates and durations are inconclusive. 300
        distinguish an error rate of 1 % from none; 605 distinguish 3 % from 1 % with a power of 80 %.
    :param failure_limit: how many measurements of one metric may fail in a step; one more fails the canary
        (Argo Rollouts: ``failureLimit``).
    :param inconclusive_limit: how many may be inconclusive, likewise; None for any number, while the step
        continues to bake.
    :param consecutive_error_limit: how many consecutive measurements may end in an error before the step
        counts as inconclusive (Argo Rollouts: ``consecutiveErrorLimit``).
    :param consecutive_success_limit: number of consecutive passing measurements that ends a step early, if
        all metrics reach it; None to bake in full. A ``GoldenSet`` is measured at the end only, so with one
        no step ends early.
    :param on_inconclusive: see ``OnInconclusive``.
    :raises InvalidRequestError: names the field and the fix.
    """

    metrics: Sequence[TrafficMetric] = ()
    min_requests: int = 300
    failure_limit: int = 0
    inconclusive_limit: int | None = None
    consecutive_error_limit: int = 4
    consecutive_success_limit: int | None = None
    on_inconclusive: OnInconclusive = "wait"

    def __post_init__(self) -> None:
        object.__setattr__(self, "metrics", tuple(self.metrics))
        strangers = [one for one in self.metrics if not isinstance(one, TrafficMetric)]
        if not self.metrics or strangers:
            raise InvalidRequestError.of(
                "Analysis.metrics",
                "holds something that is not a metric"
                if strangers
                else "is empty, so nothing could ever fail",
                "give ErrorRatio, Latency, PromQL, FunctionMetric or GoldenSet objects; analysis=None for "
                "a canary without any",
            )
        names = [one.name for one in self.metrics]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise InvalidRequestError.of(
                "Analysis.metrics",
                f"has {twice[0]!r} twice",
                "put both limits into one, or give each its own label",
            )
        counts = ("min_requests", "failure_limit", "inconclusive_limit", "consecutive_error_limit")
        for name in (*counts, "consecutive_success_limit"):
            value = getattr(self, name)
            optional = name in {"inconclusive_limit", "consecutive_success_limit"} and value is None
            if not optional and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
                raise InvalidRequestError.of(
                    f"Analysis.{name}", "is not a whole number of 0 or more", "give one"
                )
        if self.on_inconclusive not in get_args(OnInconclusive):
            words = ", ".join(get_args(OnInconclusive))
            raise InvalidRequestError.of("Analysis.on_inconclusive", "is unknown", f"use one of {words}")


@dataclass(frozen=True, kw_only=True)
class StepVerdict:
    """
    The verdict of one measurement of a step.

    :param grade: ``PASS``, ``FAIL`` or ``INCONCLUSIVE``; never ``ERROR``.
    :param assessments: one for each metric.
    :param counters: by metric, for the next measurement.
    :param reason: a sentence: the deciding metric, and why.
    """

    grade: Grade
    assessments: tuple[Assessment, ...]
    counters: Mapping[str, Counters] = field(default_factory=dict)
    reason: str = ""

    @property
    def enough(self) -> bool:
        """Whether every metric has a result."""
        return all(one.grade in {Grade.PASS, Grade.FAIL} for one in self.assessments)

    @property
    def deciding(self) -> str:
        """Name of the deciding metric; "" without any."""
        decided = [one.metric for one in self.assessments if str(one) == self.reason]
        return next(iter([*decided, *(one.metric for one in self.assessments)]), "")

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON data, for an XCom."""
        return {
            "grade": str(self.grade),
            "reason": self.reason,
            "metrics": [one.to_json() for one in self.assessments],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any], counters: Mapping[str, Counters]) -> Self:
        """
        Read it back.

        :param counters: its counters, which are stored separately.
        :raises ValueError: it is invalid.
        """
        try:
            return cls(
                grade=Grade(data["grade"]),
                assessments=tuple(Assessment.from_json(one) for one in data["metrics"]),
                counters=counters,
                reason=str(data.get("reason", "")),
            )
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"no verdict ({type(error).__name__})") from None


def look(analysis: Analysis, samples: Mapping[str, Sample], counters: Mapping[str, Counters]) -> StepVerdict:
    """
    Check the hard limits while a step bakes.

    :param samples: by the metric's name; a missing one counts as no data.
    :param counters: counters of the previous measurements in this step.
    """
    assessments = [
        assess_safety(metric, samples.get(metric.name, Sample()), min_requests=analysis.min_requests)
        for metric in analysis.metrics
    ]
    return _verdict(analysis, assessments, counters, ends=False)


def conclude(
    analysis: Analysis,
    steps: Mapping[str, Sequence[Sample]],
    counters: Mapping[str, Counters],
    *,
    number: int,
    of: int,
    attempt: int = 0,
) -> StepVerdict:
    """
    Evaluate a step at its end.

    A step without a result is evaluated again, each time with all of its comparisons. So that this does not
    make equal versions appear different more often, an attempt in which a metric has no result may spend half
    of the significance level that the previous attempts left; the attempt in which all have one may spend all
    of it.

    :param steps: by the metric's name, a sample for each step so far, the current one last.
    :param counters: counters of the previous measurements in this step.
    :param number: number of the step, from 1.
    :param of: number of steps that are evaluated.
    :param attempt: how often this step was already evaluated at its end, without a result.
    """

    def assessed(share: float) -> list[Assessment]:
        return [
            assess_step(
                metric,
                steps.get(metric.name) or [Sample()],
                min_requests=analysis.min_requests,
                look=number,
                looks=of,
                share=share,
            )
            for metric in analysis.metrics
        ]

    left = 0.5**attempt
    assessments = assessed(left)
    if any(one.grade in OPEN for one in assessments):
        assessments = assessed(left / 2)
    return _verdict(analysis, assessments, counters, ends=True)


def _verdict(
    analysis: Analysis, assessments: Sequence[Assessment], before: Mapping[str, Counters], *, ends: bool
) -> StepVerdict:
    counters = {one.metric: before.get(one.metric, Counters()).after(one.grade) for one in assessments}
    for one in assessments:
        count = counters[one.metric]
        # A failure at the end of a step is not one measurement among others: it is the decisive comparison.
        if one.grade is Grade.FAIL and (ends or count.failed > analysis.failure_limit):
            return _named(Grade.FAIL, one, assessments, counters)
    for one in assessments:
        count = counters[one.metric]
        inconclusive = (
            analysis.inconclusive_limit is not None and count.inconclusive > analysis.inconclusive_limit
        )
        if inconclusive or count.consecutive_errors > analysis.consecutive_error_limit:
            return _named(Grade.INCONCLUSIVE, one, assessments, counters)
    open_ones = [one for one in assessments if one.grade in OPEN]
    if ends and open_ones:
        return _named(Grade.INCONCLUSIVE, open_ones[0], assessments, counters)
    worst = next((one for one in assessments if one.grade is not Grade.PASS), assessments[0])
    return _named(Grade.PASS, worst, assessments, counters)


def _named(
    grade: Grade, one: Assessment, assessments: Sequence[Assessment], counters: Mapping[str, Counters]
) -> StepVerdict:
    return StepVerdict(grade=grade, assessments=tuple(assessments), counters=counters, reason=str(one))
