"""
The imports of a DAG file with a canary: its steps, and the metrics that the candidate must meet.

::

    from airflow_provider_seldon.analysis import Analysis, FunctionMetric, Shadow, minutes

Cheap to import: no Kubernetes client, no hook.
"""

from __future__ import annotations

from airflow_provider_seldon.core.analysis.analysis import Analysis
from airflow_provider_seldon.core.analysis.metrics import (
    ErrorRatio,
    FunctionMetric,
    GoldenSet,
    Latency,
    PromQL,
)
from airflow_provider_seldon.core.canary.steps import Shadow, Weight, canary, linear

__all__ = [
    "Analysis",
    "ErrorRatio",
    "FunctionMetric",
    "GoldenSet",
    "Latency",
    "PromQL",
    "Shadow",
    "Weight",
    "canary",
    "linear",
    "minutes",
]


def minutes(number: float) -> float:
    """Return a number of minutes in seconds, as ``bake`` takes them."""
    return 60.0 * number
