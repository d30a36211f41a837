"""
Sample requests with a model's expected answers.

Parses a user's ``smoke_test`` and compares answers with it. Pure: sends nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from airflow_provider_seldon.core.invalid_request import InvalidRequestError, Problem
from airflow_provider_seldon.core.prediction.payload import request_body, sendable
from airflow_provider_seldon.core.values.readers import WrongValueError
from airflow_provider_seldon.core.values.readers import tolerance as read_tolerance
from airflow_provider_seldon.core.values.suggestion import unknown

#: Default of the largest absolute difference between two numbers that still counts as equal.
TOLERANCE = 1e-6

_KEYS = ("data", "expected", "tolerance")
#: Maximum characters of a request or an answer in a message.
_SHOWN = 500


@dataclass(frozen=True, kw_only=True)
class SampleRequest:
    """
    One request, and its expected answer.

    :param data: rows, or a dict that is sent unchanged.
    :param expected: rows of the prediction, a list; None for any prediction.
    :param tolerance: largest absolute difference between two numbers that still counts as equal.
    """

    data: Any
    expected: Any = None
    tolerance: float = TOLERANCE

    def is_answered_by(self, rows: Any) -> bool:
        """Return whether the rows of a prediction are the expected ones."""
        return self.expected is None or equal(rows, self.expected, self.tolerance)


def sample_requests(given: Any) -> list[SampleRequest]:
    """
    Parse a smoke test: a dict ``{"data": ..., "expected": ..., "tolerance": ...}``, a list of these, or JSON
    text.

    Only ``data`` is required. None and empty text, which a template may render to, mean no smoke test.

    :raises InvalidRequestError: names each wrong entry and its fix.
    """
    decoded = from_text(given)
    if decoded is None or (isinstance(decoded, str) and not decoded):
        return []
    entries = [decoded] if isinstance(decoded, Mapping) else decoded
    if not isinstance(entries, Sequence) or isinstance(entries, str | bytes) or not entries:
        raise InvalidRequestError.of(
            "smoke_test",
            f"is {_told(decoded)}",
            "give {'data': rows, 'expected': rows}, or a list of these, or omit it",
        )
    problems = [problem for index, one in enumerate(entries) for problem in _problems(index, one)]
    if problems:
        raise InvalidRequestError(problems)
    return [
        SampleRequest(
            data=input_from_text(one["data"]),
            expected=expected_rows(one.get("expected"), "expected"),
            tolerance=read_tolerance(one.get("tolerance", TOLERANCE)),
        )
        for one in entries
    ]


def ensure_sendable(samples: Sequence[SampleRequest], protocol: str) -> None:
    """
    Check that the model server's protocol supports the requests.

    :raises InvalidRequestError: names the requests that it does not support.
    """
    problems: list[Problem] = []
    for index, sample in enumerate(samples):
        try:
            request_body(protocol, sample.data)
        except InvalidRequestError as error:
            problems += [replace(one, field=f"smoke_test[{index}].{one.field}") for one in error.problems]
    if problems:
        raise InvalidRequestError(problems)


def expected_rows(given: Any, field: str) -> list[Any] | None:
    """
    Parse an expected answer: rows, an array, or JSON text of rows; None and empty text for none.

    :raises InvalidRequestError: no answer could ever match it.
    """
    decoded = from_text(given)
    if decoded is None or (isinstance(decoded, str) and not decoded):
        return None
    rows = sendable(decoded, field)
    if not isinstance(rows, list):
        raise InvalidRequestError.of(
            field, f"is {_told(rows)}, not rows", "give the rows of a prediction, a list"
        )
    return rows


def input_from_text(value: Any) -> Any:
    """Decode JSON text of rows or of a body. Other text is the input itself, such as ``42`` for a model of text."""
    decoded = from_text(value)
    return decoded if isinstance(decoded, list | Mapping) else value


def equal(actual: Any, expected: Any, tolerance: float) -> bool:
    """Return whether two answers are the same, numbers within a tolerance."""
    if isinstance(actual, Mapping) and isinstance(expected, Mapping):
        return actual.keys() == expected.keys() and all(
            equal(actual[key], expected[key], tolerance) for key in actual
        )
    if _is_list(actual) and _is_list(expected):
        return len(actual) == len(expected) and all(
            equal(one, other, tolerance) for one, other in zip(actual, expected, strict=True)
        )
    if isinstance(actual, int | float) and isinstance(expected, int | float):
        return abs(actual - expected) <= tolerance
    return bool(actual == expected)


def from_text(value: Any) -> Any:
    """Decode JSON text, which a template renders to; anything else stays as it is."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def shortened(value: Any) -> str:
    """Return a request or an answer as JSON text that fits into a message."""
    text = json.dumps(value, default=str)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _problems(index: int, entry: Any) -> Iterator[Problem]:
    field = f"smoke_test[{index}]"
    if not isinstance(entry, Mapping):
        yield Problem(field, f"is {_told(entry)}", "give {'data': rows, 'expected': rows}")
        return
    for key in entry:
        if key not in _KEYS:
            yield unknown(f"{field}.{key}", str(key), _KEYS, noun="key")
    if _is_empty(entry.get("data")):
        yield Problem(f"{field}.data", "is missing", "give the rows to send")
    else:
        # ``ensure_sendable`` checks it for the deployment's protocol.
        yield from _unsendable(input_from_text(entry["data"]), f"{field}.data")
    try:
        expected_rows(entry.get("expected"), f"{field}.expected")
    except InvalidRequestError as error:
        yield from error.problems
    try:
        read_tolerance(entry.get("tolerance", TOLERANCE))
    except WrongValueError as wrong:
        yield Problem(f"{field}.tolerance", str(wrong), f"{wrong.fix}, or omit it")


def _unsendable(data: Any, field: str) -> Iterator[Problem]:
    try:
        if not isinstance(data, bytes):
            sendable(data, field)
    except InvalidRequestError as error:
        yield from error.problems


def _is_empty(data: Any) -> bool:
    return data is None or (hasattr(data, "__len__") and len(data) == 0)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _told(value: Any) -> str:
    return "an empty list" if isinstance(value, list | tuple) and not value else f"a {type(value).__name__}"
