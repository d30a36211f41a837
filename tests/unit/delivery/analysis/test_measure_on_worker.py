"""Metrics that a worker measures: a user's function, and golden rows."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from airflow_provider_seldon.core.analysis.metrics import ErrorRatio, FunctionMetric, GoldenSet
from airflow_provider_seldon.core.analysis.queries import Sides
from airflow_provider_seldon.core.analysis.samples import Sample
from airflow_provider_seldon.delivery.analysis.golden_set import compare
from airflow_provider_seldon.delivery.analysis.measure import measure_on_worker
from airflow_provider_seldon.exceptions import PredictionError

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


def answers(predictor: str, row: Mapping[str, Any]) -> Any:
    """Both double a number; the candidate is wrong on 3, and fails on 4; nobody answers 5."""
    number = row["data"]["ndarray"][0][0]
    if number == 5 or (number == 4 and predictor == "canary"):
        raise PredictionError("no answer")
    wrong = 1 if number == 3 and predictor == "canary" else 1e-9
    return {"data": {"ndarray": [[2 * number + wrong]]}, "meta": {"puid": predictor}}


def test_golden_rows_go_to_both_and_answers_are_compared_with_tolerance(tmp_path: Path) -> None:
    file = tmp_path / "golden.jsonl"
    file.write_text("\n".join(f'{{"data": {{"ndarray": [[{number}]]}}}}' for number in range(1, 6)) + "\n\n")
    golden = GoldenSet(f"file://{file}", max_disagreement=0.02)
    assert measured(golden, compare=partial(compare, ask=answers)) == Sample(candidate=0.5)


def test_golden_rows_that_cannot_be_read_are_a_failed_measurement_that_quotes_no_row(tmp_path: Path) -> None:
    file = tmp_path / "golden.jsonl"
    file.write_text('{"data": 1}\nsecret\n')
    for uri, told in ((f"file://{file}", "line 2"), (f"file://{tmp_path}/none", "cannot be read")):
        sample = measured(GoldenSet(uri), compare=partial(compare, ask=answers))
        assert told in sample.error
        assert "secret" not in sample.error
    assert measured(GoldenSet(f"file://{file}")).error == "there is no way to the predictors"


def test_outputs_of_the_v2_protocol_are_compared_without_what_names_the_version(tmp_path: Path) -> None:
    def v2(predictor: str, _: Mapping[str, Any]) -> Any:
        output = {"name": "predict", "shape": [1], "datatype": "FP64", "data": [1.0]}
        return {"model_version": predictor, "id": predictor, "outputs": [output]}

    assert compare(GoldenSet("x"), SIDES, ask=v2, rows=[{"inputs": []}]) == Sample(candidate=0.0)
