"""
Readers of values that another room of ``core`` knows how to read; it is imported when it is used.

Plain values are read in ``values.readers``; which argument is read by which stands in ``argument_rules``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_seldon.core.values.readers import RENDERED, WrongValueError, kind


def metrics(value: Any) -> Any:
    """Read metrics."""
    from airflow_provider_seldon.core.request.model_metrics import parse_metrics

    return parse_metrics(value)


def smoke_test(value: Any) -> Any:
    """Look at a smoke test; it is read again when it is sent."""
    from airflow_provider_seldon.core.prediction.sample_request import sample_requests

    sample_requests(value)
    return value


def failure_policy(value: Any) -> Any:
    """Look at a failure policy; it travels as it was given."""
    from airflow_provider_seldon.core.readiness.failure_policy import FailurePolicy

    if not isinstance(value, Mapping):
        raise WrongValueError(f"is {kind(value)}", "give a dict with fields of FailurePolicy")
    FailurePolicy.from_json(value)
    return value


def data(value: Any) -> Any:
    """Read the input of a prediction."""
    from airflow_provider_seldon.core.prediction.payload import request_body
    from airflow_provider_seldon.core.prediction.sample_request import input_from_text

    if value is None or (isinstance(value, str) and not value):
        raise WrongValueError("is empty" if value == "" else "is None", f"give rows, or {RENDERED}")
    given = input_from_text(value)
    # Of all protocols, this one takes the most.
    request_body("seldon", given)
    return given


def expected(value: Any) -> Any:
    """Read what is expected of an answer."""
    from airflow_provider_seldon.core.prediction.answer_test import AnswerTest
    from airflow_provider_seldon.core.prediction.sample_request import expected_rows

    return value if isinstance(value, AnswerTest) else expected_rows(value, "expected")
