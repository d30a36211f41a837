"""What the Kubernetes API's answers mean, and that nothing but the documented errors comes of them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_seldon.exceptions import SeldonError, UnexpectedAnswerError
from airflow_provider_seldon.kube.requests.answers import (
    parse_answer,
    raise_for_status,
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "kind",
                    "metadata",
                    "items",
                    "name",
                    "message",
                    "reason",
                    "details",
                    "causes",
                    "status",
                    "code",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
bodies = st.binary(max_size=40) | json_values.map(lambda value: json.dumps(value).encode())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Please log in</html>",
        b'{"kind": "SeldonDeploymentList", "items": [{"metadata": {"na',
        b"null",
        b"[]",
        b"5",
        b"{}",
        b'{"error": "no"}',
        b'{"kind": 5}',
        b'{"kind": "Pod", "metadata": [1]}',
        b'{"kind": "PodList", "items": {}}',
        b'{"kind": "PodList", "items": [null]}',
        b'{"kind": "PodList", "items": [{"metadata": {}}]}',
        b'{"kind": "PodList", "items": [{"metadata": {"name": 5}}]}',
        b"[" * 100_000,
        b'{"kind":' * 100_000,
        b"\xff\xfe",
    ],
)
def test_an_invalid_answer_is_distinguished(body: bytes):
    with pytest.raises(UnexpectedAnswerError, match="GET /x: the server is not a Kubernetes API"):
        parse_answer(body, action="GET /x")


@given(bodies)
def test_whatever_answers_is_an_object_or_a_documented_error(body: bytes):
    try:
        answer = parse_answer(body, action="GET /x")
    except UnexpectedAnswerError:
        return
    assert isinstance(answer["kind"], str)
    assert all(item["metadata"]["name"] for item in answer.get("items") or ())


@given(st.integers(min_value=300, max_value=599), bodies, st.dictionaries(st.just("Retry-After"), st.text()))
def test_whatever_a_bad_answer_says_is_a_documented_error(status: int, body: bytes, headers: dict[str, str]):
    with pytest.raises(SeldonError, match="GET /x"):
        raise_for_status(status, body, headers, action="GET /x")
