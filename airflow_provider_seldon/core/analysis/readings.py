"""
Convert Prometheus' answer to a sample of both sides. Pure.

Purpose: the counterpart of ``queries``, which has the labels. A side without series, or with ``NaN``, has no
data; zero errors are recorded only if requests were counted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_seldon.core.analysis.metrics import ErrorRatio, Latency, TrafficMetric
from airflow_provider_seldon.core.analysis.queries import COUNTED, PREDICTOR, SIDE, Sides
from airflow_provider_seldon.core.analysis.samples import Histogram, Requests, Sample, Side


@dataclass(frozen=True, kw_only=True)
class Series:
    """
    One element of an instant vector.

    :param labels: its labels.
    :param value: its value; may be NaN or infinite.
    """

    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


def sample_of(metric: TrafficMetric, sides: Sides, answer: Sequence[Series]) -> Sample:
    """
    Parse the answer to ``queries.question``.

    If a user's expression returns several series for a side, the measurement fails: it is ambiguous.
    """
    if isinstance(metric, ErrorRatio):
        return _both(sides, answer, _requests)
    if isinstance(metric, Latency):
        return _both(sides, answer, _histogram)
    found: dict[str, Side] = {}
    for word in ("candidate", "baseline"):
        values = [one.value for one in answer if one.labels.get(SIDE) == word]
        if len(values) > 1:
            return Sample(
                error=f"the expression answers {len(values)} series for one predictor, not one number"
            )
        found[word] = values[0] if values and math.isfinite(values[0]) else None
    return Sample(candidate=found["candidate"], baseline=found["baseline"])


def _both(sides: Sides, answer: Sequence[Series], read: Callable[[Sequence[Series]], Side]) -> Sample:
    def side(predictor: str) -> Side:
        own = [one for one in answer if predictor and one.labels.get(PREDICTOR) == predictor]
        # What is left of an answer with NaN in it is not what was asked for: without its errors, all is well.
        return read(own) if all(math.isfinite(one.value) for one in own) else None

    return Sample(candidate=side(sides.candidate), baseline=side(sides.baseline))


def _requests(answer: Sequence[Series]) -> Side:
    counts = {one.labels.get(COUNTED, ""): one.value for one in answer}
    if not counts.get("requests"):
        return None
    return Requests(total=counts["requests"], errors=min(counts.get("errors", 0.0), counts["requests"]))


def _histogram(answer: Sequence[Series]) -> Side:
    buckets = {}
    for one in answer:
        bound = _bound(one.labels.get("le", ""))
        if bound is not None:
            buckets[bound] = one.value
    histogram = Histogram.of_cumulative(buckets)
    return histogram if histogram.total > 0 and math.isinf(histogram.bounds[-1]) else None


def _bound(text: str) -> float | None:
    try:
        bound = float(text)
    except ValueError:
        return None
    return None if math.isnan(bound) else bound


def series_of(data: Any) -> list[Series]:
    """
    Parse the ``data`` of an answer of Prometheus' query API: a vector, or a scalar as a vector of one.

    :raises ValueError: it is neither; the message says what it is.
    """
    kind = data.get("resultType") if isinstance(data, Mapping) else None
    result = data.get("result") if isinstance(data, Mapping) else None
    if kind == "scalar":
        return [_series({"metric": {}, "value": result})]
    if kind != "vector" or not isinstance(result, list):
        raise ValueError(f"the answer is a {str(kind)[:40]}, not an instant vector")
    return [_series(one) for one in result if not isinstance(one, Mapping) or "value" in one]


def _series(one: Any) -> Series:
    try:
        labels = {str(name): str(value) for name, value in one["metric"].items()}
        return Series(labels=labels, value=float(one["value"][1]))
    except (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError):
        raise ValueError("an element of the answer is not a series with a value") from None
