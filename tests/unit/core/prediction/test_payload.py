from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.prediction.payload import (
    UnexpectedResponseError,
    parse_response,
    request_body,
)

numpy = pytest.importorskip("numpy")

ROWS = [[5.1, 3.5, 1.4, 0.2], [6.2, 2.9, 4.3, 1.3]]
FLAT = [5.1, 3.5, 1.4, 0.2, 6.2, 2.9, 4.3, 1.3]


class Frame:
    """What this provider needs of a data frame."""

    columns = ("length", "width")

    def to_numpy(self) -> Any:
        return numpy.array([[1.0, 2.0]])


def test_rows_become_the_body_of_each_protocol() -> None:
    assert request_body("seldon", ROWS) == {"data": {"ndarray": ROWS}}
    assert request_body("tensorflow", ROWS) == {"instances": ROWS}
    expected = {"inputs": [{"name": "predict", "shape": [2, 4], "datatype": "FP64", "data": FLAT}]}
    assert request_body("v2", ROWS) == request_body("kfserving", ROWS) == expected


@pytest.mark.parametrize("protocol", ["seldon", "v2", "kfserving", "tensorflow"])
def test_a_complete_body_is_passed_through(protocol: str) -> None:
    body = {"data": {"tensor": {"shape": [1], "values": [1]}}, "meta": {"tags": {"a": "b"}}}
    made = request_body(protocol, body)
    assert made == body
    assert made is not body


def test_arrays_frames_and_tuples_are_taken() -> None:
    assert request_body("seldon", numpy.array(ROWS)) == {"data": {"ndarray": ROWS}}
    assert request_body("seldon", [numpy.array([1, 2])]) == {"data": {"ndarray": [[1, 2]]}}
    assert request_body("seldon", ((1, numpy.float64(2)),)) == {"data": {"ndarray": [[1, 2.0]]}}
    assert request_body("seldon", Frame()) == {
        "data": {"names": ["length", "width"], "ndarray": [[1.0, 2.0]]}
    }
    assert request_body("v2", Frame())["inputs"][0]["shape"] == [1, 2]


@pytest.mark.parametrize(
    ("data", "datatype"),
    [
        ([[1, 2]], "INT64"),
        ([[1, 2.5]], "FP64"),
        ([True, False], "BOOL"),
        (["a", "b"], "BYTES"),
        (numpy.array([[1]], dtype="float32"), "FP32"),
        (numpy.array([[1]], dtype="uint8"), "UINT8"),
        (numpy.array(["a"]), "BYTES"),
    ],
)
def test_the_v2_datatype_follows_from_the_values(data: Any, datatype: str) -> None:
    assert request_body("v2", data)["inputs"][0]["datatype"] == datatype


def test_text_and_bytes_have_their_own_form_in_the_seldon_protocol() -> None:
    assert request_body("seldon", "hello") == {"strData": "hello"}
    assert request_body("seldon", b"\x00\x01") == {"binData": "AAE="}


@pytest.mark.parametrize(
    ("protocol", "data", "message"),
    [
        ("seldon", [], "is not a list of rows"),
        ("seldon", None, "is not a list of rows"),
        ("v2", "text", "is not a list of rows"),
        ("v2", [[1, 2], [3]], "not of one length"),
        ("v2", [[1, 2], [3, 4, 5], [6]], "not of one length"),
        ("v2", [[1, 2], 3], "not of one length"),
        ("v2", [[1, "a"]], "mixes values"),
        ("seldon", [[float("nan")]], "type float"),
        ("seldon", [date(2024, 1, 1)], "type date"),
        ("grpc", ROWS, "Invalid protocol"),
    ],
)
def test_what_cannot_be_sent_is_refused(protocol: str, data: Any, message: str) -> None:
    with pytest.raises(InvalidRequestError, match=message):
        request_body(protocol, data)


@pytest.mark.parametrize(
    ("protocol", "payload", "rows"),
    [
        ("seldon", {"data": {"names": ["a"], "ndarray": [[0.1], [0.9]]}, "meta": {}}, [[0.1], [0.9]]),
        ("seldon", {"data": {"tensor": {"shape": [2, 2], "values": [1, 2, 3, 4]}}}, [[1, 2], [3, 4]]),
        ("seldon", {"strData": "yes"}, ["yes"]),
        ("seldon", {"jsonData": {"label": 1}}, [{"label": 1}]),
        ("seldon", {"jsonData": [1, 2]}, [1, 2]),
        (
            "v2",
            {"outputs": [{"name": "predict", "shape": [3], "datatype": "INT64", "data": [0, 1, 2]}]},
            [0, 1, 2],
        ),
        ("v2", {"outputs": [{"name": "x", "shape": [2, 2], "data": [1, 2, 3, 4]}]}, [[1, 2], [3, 4]]),
        ("v2", {"outputs": [{"name": "x", "shape": [2, 1], "data": [[1], [2]]}]}, [[1], [2]]),
        ("v2", {"outputs": [{"name": "x", "data": [1]}, {"name": "predict", "data": [2]}]}, [2]),
        ("kfserving", {"outputs": [{"name": "x", "shape": [9], "data": [1]}]}, [1]),
        ("tensorflow", {"predictions": [[1.0]]}, [[1.0]]),
        ("tensorflow", {"outputs": {"scores": [1]}}, [{"scores": [1]}]),
    ],
)
def test_predictions_are_read_out_of_every_protocol(protocol: str, payload: Any, rows: list[Any]) -> None:
    assert parse_response(protocol, payload) == rows


@pytest.mark.parametrize(
    ("protocol", "payload", "message"),
    [
        (
            "seldon",
            {"status": {"code": -1, "info": "wrong number of features", "status": "FAILURE"}},
            "wrong number",
        ),
        ("v2", {"error": "Model iris not found"}, "Model iris not found"),
        ("v2", {"outputs": []}, "no prediction"),
        ("v2", {"outputs": 1}, "no prediction"),
        ("tensorflow", {}, "no prediction"),
        ("seldon", [], "no prediction"),
        ("seldon", None, "no prediction"),
    ],
)
def test_an_answer_without_a_prediction_is_reported_with_the_servers_message(
    protocol: str, payload: Any, message: str
) -> None:
    with pytest.raises(UnexpectedResponseError, match=message):
        parse_response(protocol, payload)
