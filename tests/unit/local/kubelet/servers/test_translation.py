"""Seldon's JSON, the open inference protocol, and paths."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_seldon.local.kubelet.servers.routes import Operation, Route, route
from airflow_provider_seldon.local.kubelet.servers.translation import BadRequestError, from_v2, to_v2

rows = st.integers(1, 5).flatmap(
    lambda width: st.lists(
        st.lists(st.floats(-1e6, 1e6), min_size=width, max_size=width), min_size=1, max_size=5
    )
)


@given(rows)
def test_table_survives_the_way_there_and_back(table: list[list[float]]) -> None:
    request = {"data": {"ndarray": table}}
    tensor = to_v2(request)["inputs"][0]
    assert tensor["shape"] == [len(table), len(table[0])]
    answer = {"outputs": [tensor | {"name": "echo"}]}
    assert from_v2(answer, request=request)["data"]["ndarray"] == table


@given(rows)
def test_tensor_is_answered_as_a_tensor(table: list[list[float]]) -> None:
    flat = [value for row in table for value in row]
    request = {"data": {"tensor": {"shape": [len(table), len(table[0])], "values": flat}}}
    tensor = to_v2(request)["inputs"][0]
    answer = from_v2({"outputs": [tensor | {"name": "echo"}]}, request=request)
    assert answer["data"]["tensor"] == request["data"]["tensor"]


def test_columns_are_named_as_seldons_server_names_them() -> None:
    output = {"name": "predict_proba", "shape": [1, 3], "data": [0.1, 0.2, 0.7]}
    answer = from_v2({"outputs": [output]}, request={"data": {"ndarray": [[1]]}})
    assert answer == {"data": {"names": ["t:0", "t:1", "t:2"], "ndarray": [[0.1, 0.2, 0.7]]}, "meta": {}}


def test_column_of_predictions_becomes_a_list() -> None:
    output = {"name": "predict", "shape": [2, 1], "data": [0, 2]}
    answer = from_v2({"outputs": [output]}, request={"data": {"ndarray": [[1], [2]]}})
    assert answer["data"] == {"names": [], "ndarray": [0, 2]}


def test_booster_answers_the_probability_of_the_second_of_two_classes() -> None:
    output = {"name": "predict_proba", "shape": [2, 2], "data": [0.9, 0.1, 0.3, 0.7]}
    answer = from_v2({"outputs": [output]}, request={"data": {"ndarray": [[1], [2]]}}, booster=True)
    assert answer["data"]["ndarray"] == [0.1, 0.7]


def test_single_row_and_text_are_taken() -> None:
    assert to_v2({"data": {"ndarray": [1, 2]}})["inputs"][0]["shape"] == [1, 2]
    assert to_v2({"data": {"ndarray": [["a"]]}})["inputs"][0]["datatype"] == "BYTES"


@pytest.mark.parametrize("body", [{}, {"strData": "x"}, {"data": {}}, {"data": {"ndarray": [[1], [1, 2]]}}])
def test_what_is_no_table_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(BadRequestError):
        to_v2(body)


@pytest.mark.parametrize(
    ("method", "path", "wanted"),
    [
        ("POST", "/api/v1.0/predictions", Route(operation=Operation.PREDICT)),
        ("POST", "/api/v0.1/predictions", Route(operation=Operation.PREDICT)),
        ("POST", "/api/v1.0/feedback", Route(operation=Operation.FEEDBACK)),
        ("GET", "/api/v1.0/metadata", Route(operation=Operation.METADATA)),
        ("GET", "/api/v1.0/metadata/node", Route(operation=Operation.METADATA, unit="node")),
        ("GET", "/api/v1.0/doc/", Route(operation=Operation.DOCS)),
        ("POST", "/v2/models/node/infer", Route(operation=Operation.INFER, unit="node")),
        ("POST", "/v2/models/infer", Route(operation=Operation.INFER)),
        ("GET", "/v2/models/node/ready", Route(operation=Operation.MODEL_READY, unit="node")),
        ("GET", "/v2/models/node", Route(operation=Operation.MODEL, unit="node")),
        ("GET", "/v2/health/ready", Route(operation=Operation.LIVE)),
        ("GET", "/ready", Route(operation=Operation.LIVE)),
        ("GET", "/api/v1.0/predictions", Route(operation=Operation.UNKNOWN, takes="POST")),
        ("POST", "/elsewhere", Route(operation=Operation.UNKNOWN)),
    ],
)
def test_paths_of_a_predictor(method: str, path: str, wanted: Route) -> None:
    assert route(method, path) == wanted
