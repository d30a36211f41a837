"""
Readers of values that another package of ``core`` parses; it is imported only on use.

Plain values are read in ``values.readers``; ``argument_rules`` assigns readers to arguments.
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
    """Check a smoke test; it is parsed again when it is sent."""
    from airflow_provider_seldon.core.prediction.sample_request import sample_requests

    sample_requests(value)
    return value


def failure_policy(value: Any) -> Any:
    """Check a failure policy; it is passed on as it was given."""
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
    # Of all protocols, this one accepts the most.
    request_body("seldon", given)
    return given


def expected(value: Any) -> Any:
    """Read the expected answer."""
    from airflow_provider_seldon.core.prediction.answer_test import AnswerTest
    from airflow_provider_seldon.core.prediction.sample_request import expected_rows

    return value if isinstance(value, AnswerTest) else expected_rows(value, "expected")
