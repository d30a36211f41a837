"""Which answers are the expected ones."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.prediction.sample_request import (
    SampleRequest,
    equal,
    sample_requests,
    shortened,
)


@pytest.mark.parametrize(
    ("actual", "expected", "same"),
    [
        ([[0.25, 0.75]], [[0.25, 0.75 + 1e-9]], True),
        ([[0.25, 0.75]], [[0.25, 0.76]], False),
        ([[0.25]], [[0.25], [0.25]], False),
        (["setosa"], ["setosa"], True),
        (["setosa"], ["virginica"], False),
        ([{"p": 0.5}], [{"p": 0.5 + 1e-9}], True),
        ([{"p": 0.5}], [{"q": 0.5}], False),
        ([float("nan")], [0.0], False),
        ([1], ["1"], False),
    ],
)
def test_numbers_are_compared_within_the_tolerance_and_the_rest_exactly(
    actual: Any, expected: Any, same: bool
) -> None:
    assert equal(actual, expected, 1e-6) is same


def test_without_an_expectation_any_prediction_will_do() -> None:
    assert SampleRequest(data=[[1.0]]).is_answered_by([["whatever"]])


@pytest.mark.parametrize("given", [None, "", "null"])
def test_what_a_template_renders_to_when_there_is_none_is_no_smoke_test(given: Any) -> None:
    assert sample_requests(given) == []


def test_every_wrong_entry_is_named_with_the_nearest_key() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        sample_requests([{"data": [[1]], "expect": [[1]]}, {"expected": [[1]]}])
    text = str(caught.value)
    assert "smoke_test[0].expect" in text
    assert "did you mean 'expected'" in text
    assert "smoke_test[1].data" in text


def test_a_long_answer_is_shortened_in_a_message() -> None:
    assert len(shortened(list(range(10_000)))) < 600
