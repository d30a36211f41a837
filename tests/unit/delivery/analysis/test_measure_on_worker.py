"""Metrics that a worker measures: a user's function. Golden rows have a test of their own."""

from __future__ import annotations

from typing import Any

from airflow_provider_seldon.core.analysis.metrics import ErrorRatio, FunctionMetric, GoldenSet
from airflow_provider_seldon.core.analysis.queries import Sides
from airflow_provider_seldon.core.analysis.samples import Sample
from airflow_provider_seldon.delivery.analysis.measure import measure_on_worker

SIDES = Sides(deployment="iris", candidate="canary", baseline="main", namespace="models")


def measured(metric: Any, **more: Any) -> Sample:
    found = measure_on_worker([ErrorRatio(at_most=1), metric], sides=SIDES, window=60, **more)
    assert list(found) == [metric.name], "what Prometheus answers is left out"
    return found[metric.name]


def test_a_function_is_called_once_for_each_side_that_has_limits() -> None:
    asked: list[dict[str, Any]] = []

    def drift(**given: Any) -> float:
        asked.append(given)
        return 0.5 if given["predictor"] == "canary" else 0.25

    assert measured(FunctionMetric(drift, at_most_ratio=2)) == Sample(candidate=0.5, baseline=0.25)
    assert asked[0] == {"deployment": "iris", "predictor": "canary", "namespace": "models", "window": 60}
    assert measured(FunctionMetric(drift, at_most=1)) == Sample(candidate=0.5)
    assert len(asked) == 3


def test_a_function_without_a_number_is_no_data_and_one_that_raises_a_failed_measurement() -> None:
    def nothing(**_: Any) -> None:
        return None

    def broken(**_: Any) -> float:
        raise RuntimeError("s3cr3t")

    assert measured(FunctionMetric(nothing, at_most=1)) == Sample()
    assert measured(FunctionMetric(lambda **_: float("nan"), at_most=1, label="nan")) == Sample()
    assert measured(FunctionMetric(broken, at_most=1)).error == "the function raised RuntimeError"


def test_the_text_of_a_function_metric_is_the_same_in_every_process() -> None:
    """A mapped task's arguments are part of its serialized DAG: an address makes a new version at each parse."""
    assert " at 0x" not in repr(FunctionMetric(lambda **_: 0.5, at_most=1, label="drift"))


def test_golden_rows_without_a_way_to_the_predictors_are_a_failed_measurement() -> None:
    assert measured(GoldenSet("x")).error == "the predictors cannot be reached"
