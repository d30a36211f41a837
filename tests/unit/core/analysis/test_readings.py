"""What Prometheus answers, as samples; whatever it answers."""

from __future__ import annotations

import math
from typing import Any

import pytest

from airflow_provider_seldon.core.analysis.metrics import ErrorRatio, Latency
from airflow_provider_seldon.core.analysis.queries import Sides
from airflow_provider_seldon.core.analysis.readings import Series, sample_of, series_of
from airflow_provider_seldon.core.analysis.samples import Requests

SIDES = Sides(deployment="iris", candidate="canary", baseline="default")


def one(value: float, predictor: str = "canary", **labels: str) -> Series:
    return Series(value=value, labels={"predictor_name": predictor, **labels})


@pytest.mark.parametrize("errors", [math.nan, math.inf])
def test_errors_that_are_no_number_are_no_data_and_not_zero_errors(errors: float) -> None:
    answer = [
        *(one(1000, counted="requests"), one(errors, counted="errors")),
        *(one(900, "default", counted="requests"), one(9, "default", counted="errors")),
    ]
    sample = sample_of(ErrorRatio(at_most=0.01), SIDES, answer)
    assert sample.candidate is None
    assert sample.baseline == Requests(total=900, errors=9)


def test_a_bucket_that_is_no_number_leaves_no_histogram() -> None:
    answer = [one(10, le="0.1"), one(math.nan, le="0.5"), one(30, le="+Inf")]
    assert sample_of(Latency(at_most=1), SIDES, answer).candidate is None


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {"resultType": "vector", "result": None},
        {"resultType": "vector", "result": [1]},
        {"resultType": "vector", "result": [{"metric": None, "value": [1, "1"]}]},
        {"resultType": "vector", "result": [{"metric": {}, "value": [1, "much"]}]},
        {"resultType": "vector", "result": [{"metric": {}, "value": [1, 10**400]}]},
        {"resultType": "matrix", "result": []},
        {"resultType": "scalar", "result": [1, None]},
        {"resultType": "scalar", "result": [1, {}]},
        {"resultType": "scalar", "result": [1, 10**400]},
        {"resultType": "scalar", "result": "1"},
    ],
)
def test_what_is_no_answer_of_prometheus_is_one_kind_of_error(data: Any) -> None:
    with pytest.raises(ValueError, match="the answer"):
        series_of(data)


def test_a_scalar_is_a_series_without_labels() -> None:
    assert series_of({"resultType": "scalar", "result": [1, "2.5"]}) == [Series(value=2.5)]
