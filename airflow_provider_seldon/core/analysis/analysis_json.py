"""
An analysis as JSON data, for a trigger's arguments: the triggerer can evaluate Prometheus metrics.

Metrics that run a user's code, or send requests to models, have no JSON form.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from airflow_provider_seldon.core.analysis.analysis import Analysis
from airflow_provider_seldon.core.analysis.metrics import ErrorRatio, Latency, PromQL, TrafficMetric

_KINDS: Mapping[str, type[TrafficMetric]] = {one.__name__: one for one in (ErrorRatio, Latency, PromQL)}


def has_json(analysis: Analysis) -> bool:
    """Return whether a whole analysis has a JSON form."""
    return all(type(one).__name__ in _KINDS and type(one) in _KINDS.values() for one in analysis.metrics)


def analysis_to_json(analysis: Analysis) -> dict[str, Any]:
    """
    Return an analysis as JSON data.

    :raises ValueError: a metric has no JSON form; see :func:`has_json`.
    """
    if not has_json(analysis):
        raise ValueError("a metric cannot be written as JSON")
    metrics = [{"kind": type(one).__name__, **_differing(one)} for one in analysis.metrics]
    return {**_differing(analysis), "metrics": metrics}


def analysis_from_json(data: Mapping[str, Any]) -> Analysis:
    """
    Read it back.

    A limit that this release does not know must not be ignored: nothing would check it.

    :raises ValueError: it is invalid, or of a later release.
    """
    try:
        metrics = [_metric(one) for one in data["metrics"]]
        return Analysis(**{**data, "metrics": metrics})
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"no analysis ({type(error).__name__})") from None


def _metric(data: Mapping[str, Any]) -> TrafficMetric:
    given = dict(data)
    return _KINDS[given.pop("kind")](**given)


def _differing(one: Analysis | TrafficMetric) -> dict[str, Any]:
    return {
        field.name: getattr(one, field.name)
        for field in fields(one)
        if getattr(one, field.name) != field.default
    }
