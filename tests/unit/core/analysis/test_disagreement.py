"""The same rows, answered by two versions."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from airflow_provider_seldon.core.analysis.disagreement import MOST_ROWS, agreement, rows_of, sample_of_rows
from airflow_provider_seldon.core.invalid_request import InvalidRequestError


def of(*numbers: Any) -> dict[str, Any]:
    return {"data": {"ndarray": [list(numbers)]}, "meta": {"puid": "each has its own"}}


def deep(levels: int) -> Any:
    found: Any = 1
    for _ in range(levels):
        found = [found]
    return {"data": found}


@pytest.mark.parametrize(
    ("mine", "theirs", "same"),
    [
        (of(1.0), of(1.0 + 1e-9), True),
        (of(1e9), of(1e9 + 1), True),
        (of(1.0), of(1.1), False),
        (of(1.0), of(1.0, 2.0), False),
        (of(1), of(True), False),
        (of(1.0), of("1.0"), False),
        (of(math.nan), of(1.0), False),
        (of(math.nan), of(math.nan), True),
        (of(math.inf), of(math.inf), True),
        (of(10**400), of(1.5), False),
        (None, of(1.0), False),
        ({"status": {"status": "FAILURE"}}, of(1.0), False),
        (["no object"], of(1.0), False),
        (of(1.0), None, None),
        (of(1.0), {"status": {"status": "FAILURE"}}, None),
        (deep(5000), deep(5000), False),
        ({"data": of(1.0)}, {"jsonData": of(1.0)}, False),
    ],
)
def test_answers_agree_when_their_outputs_do_within_the_tolerance(mine: Any, theirs: Any, same: Any) -> None:
    assert agreement(mine, theirs, tolerance=1e-6) is same


def test_outputs_of_the_v2_protocol_are_compared_without_what_names_the_version() -> None:
    def v2(version: str) -> Any:
        output = {
            "name": "predict",
            "shape": [1],
            "datatype": "FP64",
            "data": [1.0],
            "parameters": {version: 1},
        }
        return {"model_version": version, "id": version, "outputs": [output]}

    assert agreement(v2("1"), v2("2"), tolerance=0) is True


def test_the_share_is_of_rows_that_the_baseline_answers_and_most_must_be() -> None:
    assert sample_of_rows([True, False, None]).candidate == 0.5
    for few in ([True, None, None], [None], []):
        found = sample_of_rows(few)
        assert found.candidate is None
        assert "could be compared" in found.error


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (['{"data": 1}', "secret"], "line 2: is not a JSON object"),
        (["[" * 100_000], "line 1: is not a JSON object"),
        ([f'{{"data": "{"x" * (1 << 20)}"}}'], "line 1: is longer"),
        (["{}"] * (MOST_ROWS + 1), "holds 1001 requests"),
        (["", " "], "holds no request"),
    ],
)
def test_a_file_that_is_no_set_of_rows_is_refused_by_line_without_its_content(
    lines: list[str], told: str
) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        rows_of(lines, where="GoldenSet.uri")
    assert told in str(refused.value)
    assert "secret" not in str(refused.value)
    assert rows_of([json.dumps({"data": 1}), ""], where="x") == [{"data": 1}]
