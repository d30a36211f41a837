"""
Assess one metric: compare its sample with its limits.

Purpose: the only place where numbers become pass, fail or inconclusive. It never passes without data, and
never fails on a handful of requests. Counting over several measurements is in ``counters``, the verdict over
all metrics in ``analysis``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self

from airflow_provider_seldon.core.analysis.metrics import Latency, TrafficMetric
from airflow_provider_seldon.core.analysis.samples import Histogram, Requests, Sample
from airflow_provider_seldon.core.analysis.significance import (
    errs_more_often_than,
    in_common_buckets,
    more_above,
    more_errors,
    slower,
    spent,
)

#: Fewer requests than this never fail a candidate, however bad they are.
FLOOR = 20
#: Probability of the errors under the limit below which a candidate fails before ``min_requests``.
EARLY = 0.001


class Grade(StrEnum):
    """Result of one metric; ``ERROR`` is a failed measurement, which says nothing about the candidate."""

    PASS = "pass"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    ERROR = "error"


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """
    Result of one metric, with the numbers.

    :param metric: its name.
    :param grade: the result.
    :param candidate: the candidate's value; None if there is none.
    :param baseline: the baseline's value; None if there is none, or none is needed.
    :param requests: requests of the candidate for its value; None for metrics without requests.
    :param baseline_requests: the same of the baseline.
    :param limit: the deciding limit, as text.
    :param reason: a sentence.
    """

    metric: str
    grade: Grade
    candidate: float | None = None
    baseline: float | None = None
    requests: int | None = None
    baseline_requests: int | None = None
    limit: str = ""
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return {key: value for key, value in asdict(self).items() if value not in (None, "")}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read it back."""
        known = {name: data[name] for name in cls.__dataclass_fields__ if name in data}
        return cls(**{**known, "grade": Grade(data["grade"])})

    def __str__(self) -> str:
        """Return the reason and, of a failure, all numbers."""
        told = f"{self.metric}: {self.grade} ({self.reason})"
        if self.grade is not Grade.FAIL:
            return told
        beside = "" if self.baseline is None else f", and {self.baseline:.4g} of the running version"
        counts = [str(one) for one in (self.requests, self.baseline_requests) if one is not None]
        requests = f", in {' and '.join(counts)} requests" if counts else ""
        return f"{told}: {self.candidate:.4g}{beside}{requests}; limit: {self.limit}"


def assess_safety(metric: TrafficMetric, sample: Sample, *, min_requests: int) -> Assessment:
    """
    Compare the candidate's own value with the metric's absolute limit; at any moment of a step.

    :param min_requests: with fewer requests the result is inconclusive, unless the errors cannot be chance.
    """
    side = sample.candidate
    found = _described(metric, sample, grade=Grade.INCONCLUSIVE)
    if sample.error:
        return _graded(found, Grade.ERROR, sample.error)
    value = _value(metric, side)
    if value is None:
        return _graded(found, Grade.INCONCLUSIVE, "no data of the candidate")
    if metric.at_most is None:
        return _graded(found, Grade.PASS, "measured; it is compared at the end of the step")
    limit = f"at most {metric.at_most:g}"
    over = value > metric.at_most
    few = found.requests is not None and found.requests < min_requests
    if few and not (over and _cannot_be_chance(metric.at_most, side)):
        reason = f"{found.requests} of {min_requests} required requests"
        return _graded(found, Grade.INCONCLUSIVE, reason, limit)
    if over:
        return _graded(found, Grade.FAIL, f"{value:.4g} is more than {metric.at_most:g}", limit)
    return _graded(found, Grade.PASS, f"{value:.4g} is {limit}", limit)


def assess_step(
    metric: TrafficMetric,
    samples: Sequence[Sample],
    *,
    min_requests: int,
    look: int,
    looks: int,
    share: float = 1.0,
) -> Assessment:
    """
    Assess a metric at the end of a step: its absolute limit, then the comparison with the baseline.

    :param samples: one for each step so far, the current one last. The absolute limit applies to the current
        one; the comparison is over all of them, step by step.
    :param min_requests: minimum on both sides, in the current step, for a comparison.
    :param look: number of this comparison within the canary, from 1.
    :param looks: total number of comparisons.
    :param share: share of this comparison's significance level that may be spent.
    """
    sample = samples[-1]
    own = assess_safety(metric, sample, min_requests=min_requests)
    if own.grade is not Grade.PASS or not metric.compares:
        return own
    baseline = _value(metric, sample.baseline)
    if baseline is None:
        return _graded(own, Grade.INCONCLUSIVE, "no data of the baseline to compare with")
    candidate = own.candidate if own.candidate is not None else math.nan
    allowed = metric.allowed(baseline)
    limit = f"at most {allowed:.4g}, at a baseline of {baseline:.4g}"
    counted = (own.requests, own.baseline_requests)
    few = [n for n in counted if n is not None and n < min_requests]
    if few:
        return _graded(own, Grade.INCONCLUSIVE, f"{min(few)} of {min_requests} required requests", limit)
    if candidate <= allowed:
        return _graded(own, Grade.PASS, f"{candidate:.4g} against {baseline:.4g}", limit)
    if _incomparable(sample):
        return _graded(own, Grade.INCONCLUSIVE, "the histograms of both sides have no bound in common", limit)
    chance = _chance(samples, allowed)
    level = share * spent(metric.significance, look, looks)
    if chance is None:
        return _graded(own, Grade.FAIL, f"{candidate:.4g} against {baseline:.4g}", limit)
    if chance < level:
        reason = (
            f"{candidate:.4g} against {baseline:.4g}; for equal versions, by chance in {chance:.1%} of cases"
        )
        return _graded(own, Grade.FAIL, reason, limit)
    reason = f"{candidate:.4g} against {baseline:.4g} may be chance ({chance:.0%})"
    return _graded(own, Grade.PASS, reason, limit)


def _incomparable(sample: Sample) -> bool:
    durations = sample.candidate, sample.baseline
    return all(isinstance(one, Histogram) for one in durations) and not _compared_durations([sample])


def _chance(samples: Sequence[Sample], allowed: float) -> float | None:
    """
    Return the probability of the samples by chance; None for plain values, which have no distribution.

    Of durations, two tests are made, of all requests and of the slow ones; the smaller result counts, doubled
    because there are two (Bonferroni).

    :param allowed: seconds that the candidate's quantile may have.
    """
    rates = [
        (one.candidate, one.baseline)
        for one in samples
        if isinstance(one.candidate, Requests)
        and isinstance(one.baseline, Requests)
        and Requests.usable(one.candidate)
        and Requests.usable(one.baseline)
    ]
    if rates:
        return more_errors(rates)
    durations = _compared_durations(samples)
    if not durations:
        return None
    return min(1.0, 2 * min(slower(durations)[0], more_above(durations, allowed)))


def _compared_durations(samples: Sequence[Sample]) -> list[tuple[Histogram, Histogram]]:
    """Return the histograms of all steps in which both sides have one, in the buckets that both have."""
    pairs = [
        in_common_buckets(one.candidate, one.baseline)
        for one in samples
        if isinstance(one.candidate, Histogram)
        and isinstance(one.baseline, Histogram)
        and Histogram.usable(one.candidate)
        and Histogram.usable(one.baseline)
    ]
    return [pair for pair in pairs if pair is not None]


def _cannot_be_chance(limit: float, side: Any) -> bool:
    if not isinstance(side, Requests) or side.whole()[0] < FLOOR:
        return False
    return errs_more_often_than(limit, side) < EARLY


def _value(metric: TrafficMetric, side: Any) -> float | None:
    """Return a side as one number; None if there is none, or it is not finite."""
    value: float | None
    if isinstance(side, Requests):
        value = side.ratio if Requests.usable(side) else None
    elif isinstance(side, Histogram):
        quantile = metric.quantile if isinstance(metric, Latency) else 0.5
        value = side.quantile(quantile) if Histogram.usable(side) else None
    else:
        value = side
    return value if value is not None and math.isfinite(value) else None


def _requests(side: Any) -> int | None:
    if isinstance(side, Requests | Histogram):
        return round(side.total) if math.isfinite(side.total) else 0
    return None


def _described(metric: TrafficMetric, sample: Sample, *, grade: Grade) -> Assessment:
    return Assessment(
        metric=metric.name,
        grade=grade,
        candidate=_value(metric, sample.candidate),
        baseline=_value(metric, sample.baseline),
        requests=_requests(sample.candidate),
        baseline_requests=_requests(sample.baseline),
    )


def _graded(found: Assessment, grade: Grade, reason: str, limit: str = "") -> Assessment:
    return Assessment(**{**asdict(found), "grade": grade, "reason": reason, "limit": limit or found.limit})
