"""
Measure metrics on both sides of a canary, over one window: at most one query per metric and measurement.

Purpose: return a :class:`~airflow_provider_seldon.core.analysis.samples.Sample` for a metric, whatever its
source. An error is reported in the sample, not raised: a canary survives an outage of Prometheus.

It evaluates nothing, and knows no hook and no trigger: the caller passes the query functions.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from airflow_provider_seldon.core.analysis.metrics import FunctionMetric, GoldenSet, TrafficMetric
from airflow_provider_seldon.core.analysis.queries import Sides, question
from airflow_provider_seldon.core.analysis.readings import Series, sample_of
from airflow_provider_seldon.core.analysis.samples import Sample
from airflow_provider_seldon.exceptions import InvalidModelServerError, SeldonError

log = logging.getLogger(__name__)


class Query(Protocol):
    """Queries Prometheus, like ``PrometheusClient.query``."""

    def __call__(self, expression: str, *, at: float | None = None) -> Awaitable[Sequence[Series]]:
        """Return an instant vector, evaluated now or at a time in epoch seconds."""


Compare = Callable[[GoldenSet, Sides], Sample]
"""``compare(metric, sides)``: the same rows to both predictors, as ``golden_set.compare`` does; it blocks."""


def on_worker(metric: TrafficMetric) -> bool:
    """Return whether a metric needs a worker: it runs a user's code, or sends requests to models."""
    return isinstance(metric, FunctionMetric | GoldenSet)


def refuse_without_prometheus(metrics: Sequence[TrafficMetric], *, of: str, connected: bool) -> None:
    """
    Refuse metrics that nothing would measure.

    :param of: owner of the metrics, for the error.
    :param connected: whether a connection to Prometheus is named.
    :raises InvalidModelServerError: names the metrics and the fix.
    """
    asked = [one.name for one in metrics if not on_worker(one)]
    if asked and not connected:
        raise InvalidModelServerError.of(
            of,
            f"prometheus_conn_id: is missing, but {', '.join(asked)} needs it. Fix: name a connection.",
        )


async def measure(
    metrics: Sequence[TrafficMetric],
    *,
    sides: Sides,
    window: float,
    query: Query | None,
    at: float | None = None,
) -> dict[str, Sample]:
    """
    Measure all Prometheus metrics concurrently; the others are left out.

    :param at: end of the window in epoch seconds; now when None.
    :param window: seconds up to that time: at most as long as the step has baked, at least four scrape
        intervals.
    :param query: queries Prometheus; None without a connection, which is an error of each metric.
    :returns: a sample for each metric, by its name.
    """
    asked = [metric for metric in metrics if not on_worker(metric)]
    samples = await asyncio.gather(*(_measured(metric, sides, window, query, at) for metric in asked))
    return {metric.name: sample for metric, sample in zip(asked, samples, strict=True)}


def measure_on_worker(
    metrics: Sequence[TrafficMetric], *, sides: Sides, window: float, compare: Compare | None = None
) -> dict[str, Sample]:
    """
    Measure the metrics that need a worker; blocks. The others are left out.

    :param window: seconds up to now.
    :param compare: sends golden rows to both predictors; None if they cannot be reached.
    """
    found = {}
    for metric in metrics:
        if isinstance(metric, FunctionMetric):
            found[metric.name] = _called(metric, sides, window)
        elif isinstance(metric, GoldenSet):
            found[metric.name] = _compared(metric, sides, compare)
    return found


async def _measured(
    metric: TrafficMetric, sides: Sides, window: float, query: Query | None, at: float | None
) -> Sample:
    if query is None:
        return Sample(error="no connection to Prometheus is given (prometheus_conn_id)")
    try:
        return sample_of(metric, sides, await query(question(metric, sides, window), at=at))
    except SeldonError as error:
        return Sample(error=str(error))


def _called(metric: FunctionMetric, sides: Sides, window: float) -> Sample:
    def value(predictor: str) -> float | None:
        assert metric.function is not None
        found = metric.function(
            deployment=sides.deployment, predictor=predictor, namespace=sides.namespace, window=window
        )
        if found is None:
            return None
        number = float(found)
        return number if math.isfinite(number) else None

    try:
        candidate = value(sides.candidate)
        baseline = value(sides.baseline) if metric.compares and sides.baseline else None
        return Sample(candidate=candidate, baseline=baseline)
    except Exception as error:
        # A user's code may raise anything, with anything in its text; the log masks the credentials that
        # Airflow knows.
        log.exception("%s cannot be measured", metric.name)
        return Sample(error=f"the function raised {type(error).__name__}")


def _compared(metric: GoldenSet, sides: Sides, compare: Compare | None) -> Sample:
    if compare is None:
        return Sample(error="the predictors cannot be reached")
    try:
        return compare(metric, sides)
    except (SeldonError, OSError, ValueError) as error:
        log.exception("%s cannot be measured", metric.name)
        return Sample(error=str(error) if isinstance(error, SeldonError) else f"{type(error).__name__}")
