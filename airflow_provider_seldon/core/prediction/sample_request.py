"""
Sample requests with the answers that a model is expected to give.

Reads what a user wrote as ``smoke_test`` and compares answers with it. Pure: nothing is sent from here.
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

#: Largest absolute difference between two numbers that still counts as equal, where none is given.
TOLERANCE = 1e-6

_KEYS = ("data", "expected", "tolerance")
#: Characters of a request or an answer that a message shows.
_SHOWN = 500


@dataclass(frozen=True, kw_only=True)
class SampleRequest:
    """
    One request, and what is expected of its answer.

    :param data: rows, or a dict that is sent as it is.
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
    Read a smoke test: a dict ``{"data": ..., "expected": ..., "tolerance": ...}``, a list of such, or JSON text.

    Only ``data`` is needed. None and empty text, which a template may render to, are no smoke test.

    :raises InvalidRequestError: naming each wrong entry and its fix.
    """
    decoded = from_text(given)
    if decoded is None or (isinstance(decoded, str) and not decoded):
        return []
    entries = [decoded] if isinstance(decoded, Mapping) else decoded
    if not isinstance(entries, Sequence) or isinstance(entries, str | bytes) or not entries:
        raise InvalidRequestError.of(
            "smoke_test",
            f"is {_told(decoded)}",
            "give {'data': rows, 'expected': rows}, or a list of such, or leave it out",
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
    Look whether a model server's protocol can carry the requests.

    :raises InvalidRequestError: names the requests that it cannot.
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
    Read what is expected of an answer: rows, an array, or JSON text of rows; None and empty text for nothing.

    :raises InvalidRequestError: no answer could ever be that.
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
    """Decode JSON text, which is what a template renders to; anything else stays as it is."""
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
        # What the deployment's protocol makes of it is checked where that is known.
        yield from _unsendable(input_from_text(entry["data"]), f"{field}.data")
    try:
        expected_rows(entry.get("expected"), f"{field}.expected")
    except InvalidRequestError as error:
        yield from error.problems
    try:
        read_tolerance(entry.get("tolerance", TOLERANCE))
    except WrongValueError as wrong:
        yield Problem(f"{field}.tolerance", str(wrong), f"{wrong.fix}, or leave it out")


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
