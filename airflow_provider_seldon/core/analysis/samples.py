"""
Sample of one metric on both sides, in one window: counts, histograms or plain values.

Purpose: one form for all sources of metrics, small enough to be stored as JSON in a lease. It does not
evaluate a sample: see ``assessment``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self


@dataclass(frozen=True, kw_only=True)
class Requests:
    """
    Requests of one side.

    :param total: their number. Prometheus' ``increase`` extrapolates, so it need not be a whole number.
    :param errors: number of failed requests.
    """

    total: float
    errors: float

    @property
    def ratio(self) -> float:
        """Share of failed requests; NaN without requests."""
        return self.errors / self.total if self.total > 0 else math.nan

    def whole(self) -> tuple[int, int]:
        """Return total and errors as whole numbers; never more errors than requests."""
        total = max(round(self.total), 0)
        return total, min(max(round(self.errors), 0), total)

    @classmethod
    def usable(cls, value: Requests | None) -> bool:
        """Return whether both numbers exist and are finite and not negative."""
        return value is not None and all(math.isfinite(n) and n >= 0 for n in (value.total, value.errors))


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """
    Durations of one side's requests, in Prometheus' form.

    :param bounds: upper bounds of the buckets in seconds, rising; the last is infinite.
    :param counts: requests in each single bucket (not cumulative, as ``le`` series are).
    """

    bounds: tuple[float, ...]
    counts: tuple[float, ...]

    @classmethod
    def of_cumulative(cls, buckets: Mapping[float, float]) -> Self:
        """Convert ``le`` -> count, as a query returns it; a count that falls with ``le`` is levelled."""
        bounds = tuple(sorted(buckets))
        levels, top = [], 0.0
        for bound in bounds:
            top = max(top, buckets[bound])
            levels.append(top)
        return cls(bounds=bounds, counts=tuple(b - a for a, b in pairwise([0.0, *levels])))

    @property
    def total(self) -> float:
        """Number of requests."""
        return sum(self.counts)

    def above(self, bound: float) -> float:
        """
        Return how many requests took longer than a bound.

        :param bound: one of the bounds.
        """
        return sum(count for upper, count in zip(self.bounds, self.counts, strict=True) if upper > bound)

    def of_bounds(self, bounds: Sequence[float]) -> Self:
        """
        Return the same requests in fewer buckets.

        :param bounds: some of the bounds, rising, with the last one.
        """
        levels = [self.total - self.above(bound) for bound in bounds]
        return type(self)(bounds=tuple(bounds), counts=tuple(b - a for a, b in pairwise([0.0, *levels])))

    def quantile(self, q: float) -> float:
        """
        Return the quantile, interpolated in its bucket as Prometheus' ``histogram_quantile`` does.

        A value in the last bucket is reported as the last finite bound: 10 s in Seldon's executor. NaN
        without requests.

        :param q: between 0 and 1.
        """
        rank, seen, lower = q * self.total, 0.0, 0.0
        if not self.total > 0:
            return math.nan
        for bound, count in zip(self.bounds, self.counts, strict=True):
            if seen + count >= rank and count > 0:
                return lower if math.isinf(bound) else lower + (bound - lower) * (rank - seen) / count
            seen += count
            lower = lower if math.isinf(bound) else bound
        return lower

    @classmethod
    def usable(cls, value: Histogram | None) -> bool:
        """Return whether there are counts, and all of them are finite and not negative."""
        return (
            value is not None
            and bool(value.counts)
            and all(math.isfinite(n) and n >= 0 for n in value.counts)
        )


Side = Requests | Histogram | float | None


@dataclass(frozen=True, kw_only=True)
class Sample:
    """
    One metric, both sides, one window.

    :param candidate: value of the candidate; None without data.
    :param baseline: value of the running version, in the same window; None without data, or for
        a metric of only one side.
    :param error: why it could not be measured; empty when it could. That is not the same as no data.
    """

    candidate: Side = None
    baseline: Side = None
    error: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON data."""
        given = {
            "candidate": _side_json(self.candidate),
            "baseline": _side_json(self.baseline),
            "error": self.error,
        }
        return {key: value for key, value in given.items() if value not in (None, "")}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read it back; what is not understood counts as no data."""
        return cls(
            candidate=_side_of(data.get("candidate")),
            baseline=_side_of(data.get("baseline")),
            error=str(data.get("error") or ""),
        )


def _side_json(side: Side) -> Any:
    if isinstance(side, Requests):
        return {"total": _short(side.total), "errors": _short(side.errors)}
    if isinstance(side, Histogram):
        # JSON has no infinity; the last bound always is.
        return {"bounds": list(side.bounds[:-1]), "counts": [_short(n) for n in side.counts]}
    return side if side is None or math.isfinite(side) else None


def _short(requests: float) -> float:
    """Return a number of requests with two decimals: a lease has those of up to a hundred steps."""
    return round(float(requests), 2) if math.isfinite(requests) else requests


def _side_of(data: Any) -> Side:
    if isinstance(data, int | float) and not isinstance(data, bool):
        return _number(data)
    if not isinstance(data, Mapping):
        return None
    if "total" in data:
        return Requests(total=_number(data.get("total")), errors=_number(data.get("errors")))
    bounds, counts = data.get("bounds"), data.get("counts")
    if isinstance(bounds, Sequence) and isinstance(counts, Sequence) and len(counts) == len(bounds) + 1:
        return Histogram(bounds=(*map(_number, bounds), math.inf), counts=tuple(map(_number, counts)))
    return None


def _number(value: Any) -> float:
    try:
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    except OverflowError:  # a whole number beyond the range of floats
        return math.nan
