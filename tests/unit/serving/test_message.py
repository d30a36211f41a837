from __future__ import annotations

from typing import Any

import numpy
import pytest

from airflow_provider_seldon.serving.message import BadMessageError, answer_of, as_plain, rows_of


@pytest.mark.parametrize(
    ("message", "rows"),
    [
        ({"data": {"ndarray": [[1, 2], [3, 4]]}}, [[1, 2], [3, 4]]),
        ({"data": {"names": ["a"], "ndarray": [["x"], ["y"]]}}, [["x"], ["y"]]),
        ({"data": {"tensor": {"shape": [2, 2], "values": [1, 2, 3, 4]}}}, [[1, 2], [3, 4]]),
        ({"data": {"tensor": {"shape": [1, 2, 2], "values": [1, 2, 3, 4]}}}, [[[1, 2], [3, 4]]]),
        ({"data": {"tensor": {"shape": [3], "values": [1, 2, 3]}}}, [1, 2, 3]),
        ({"data": {"tensor": {"shape": [0], "values": []}}}, []),
        ({"strData": "hello"}, "hello"),
        ({"binData": "aGVsbG8="}, b"hello"),
        ({"jsonData": {"rows": [1]}}, {"rows": [1]}),
        ({"data": {"ndarray": [[1], [2, 3]]}}, [[1], [2, 3]]),
    ],
)
def test_what_a_message_holds(message: dict[str, Any], rows: Any) -> None:
    assert as_plain(rows_of(message)) == rows


def test_rows_are_an_array_where_numpy_is_installed() -> None:
    assert isinstance(rows_of({"data": {"ndarray": [[1.0, 2.0]]}}), numpy.ndarray)


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ([], "not a JSON object"),
        ({}, "no payload"),
        ({"data": {"ndarray": 3}}, "no payload"),
        ({"data": {"tensor": {"shape": [2, 2], "values": [1, 2, 3]}}}, "does not fit 3 values"),
        ({"data": {"tensor": {"shape": ["x"], "values": []}}}, "not a list of lengths"),
        ({"data": {"tensor": {"values": [1]}}}, "does not fit"),
        ({"binData": "%"}, "not base64"),
    ],
)
def test_an_invalid_message_is_reported(message: Any, told: str) -> None:
    with pytest.raises(BadMessageError, match=told):
        rows_of(message)


NDARRAY = {"data": {"ndarray": [[1]]}}
TENSOR = {"data": {"tensor": {"shape": [1, 1], "values": [1]}}}


@pytest.mark.parametrize(
    ("result", "request_message", "payload"),
    [
        (numpy.array([[0.5, 0.5]]), NDARRAY, {"data": {"names": [], "ndarray": [[0.5, 0.5]]}}),
        ([numpy.float32(1.0), numpy.int64(2)], NDARRAY, {"data": {"names": [], "ndarray": [1.0, 2]}}),
        (
            numpy.array([[1, 2], [3, 4]]),
            TENSOR,
            {"data": {"names": [], "tensor": {"shape": [2, 2], "values": [1, 2, 3, 4]}}},
        ),
        (["a", "b"], TENSOR, {"data": {"names": [], "ndarray": ["a", "b"]}}),
        ([[1], [2, 3]], TENSOR, {"data": {"names": [], "ndarray": [[1], [2, 3]]}}),
        ([], TENSOR, {"data": {"names": [], "tensor": {"shape": [0], "values": []}}}),
        ("text", NDARRAY, {"strData": "text"}),
        (b"bytes", NDARRAY, {"binData": "Ynl0ZXM="}),
        ({"label": numpy.int64(3)}, NDARRAY, {"jsonData": {"label": 3}}),
        (0.5, NDARRAY, {"jsonData": 0.5}),
        (None, NDARRAY, {"jsonData": None}),
    ],
)
def test_a_result_is_answered_in_the_form_of_the_request(
    result: Any, request_message: dict[str, Any], payload: dict[str, Any]
) -> None:
    assert answer_of(result, request_message) == {**payload, "meta": {}}
