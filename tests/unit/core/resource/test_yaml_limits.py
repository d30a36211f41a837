"""YAML that is small and unfolds to something huge is refused, at once."""

from __future__ import annotations

import contextlib
import time

import pytest

from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.request.model_server import ModelServer
from airflow_provider_seldon.core.resource.manifest import json_copy, parse_yaml


def aliases(levels: int, width: int = 10) -> str:
    lines = ["spec:", "  l0: &l0 [x, x, x]"]
    for level in range(1, levels):
        lines.append(f"  l{level}: &l{level} [{', '.join([f'*l{level - 1}'] * width)}]")
    return "\n".join(lines)


def merges(levels: int) -> str:
    lines = ["l0: &l0 {a0: 1, b0: 2}"]
    lines += [f"l{n}: &l{n}\n  <<: [{', '.join([f'*l{n - 1}'] * 4)}]\n  c{n}: 1" for n in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize("text", [aliases(8), aliases(40), "[" * 20_000 + "]" * 20_000])
def test_a_small_text_that_unfolds_to_millions_of_values_is_refused_at_once(text: str) -> None:
    began = time.process_time()
    with pytest.raises(InvalidRequestError):
        parse_yaml(text)
    with pytest.raises(InvalidRequestError):
        ModelServer.create(model_name="m", manifest=text)
    assert time.process_time() - began < 5


def test_merges_of_merges_are_refused_or_cost_nothing() -> None:
    """PyYAML unfolds them before 6.0.4, where they become what they are: a few keys."""
    began = time.process_time()
    read: object = None
    with contextlib.suppress(InvalidRequestError):
        read = parse_yaml(merges(30))
    assert len(str(read)) < 10_000
    with pytest.raises(InvalidRequestError):
        ModelServer.create(model_name="m", manifest=merges(30))
    assert time.process_time() - began < 5


def test_the_same_in_python_data_is_refused() -> None:
    value: list[object] = ["x"]
    for _ in range(30):
        value = [value, value]
    with pytest.raises(InvalidRequestError, match="more than"):
        json_copy(value)


def test_aliases_and_merges_of_a_reasonable_size_are_read() -> None:
    text = "a: &a {x: 1}\nb: {<<: *a, y: 2}\nc: [*a, *a]"
    assert parse_yaml(text) == {"a": {"x": 1}, "b": {"x": 1, "y": 2}, "c": [{"x": 1}, {"x": 1}]}
