"""
Sample requests with the answers that a model is expected to give.

Reads what a user wrote as ``smoke_test`` and compares answers with it. Pure: nothing is sent from here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_seldon.core.arguments import unknown
from airflow_provider_seldon.core.errors import InvalidRequestError, Problem

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
    :param expected: rows of the prediction; None for any prediction.
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
    if decoded in (None, ""):
        return []
    entries = [decoded] if isinstance(decoded, Mapping) else decoded
    if not isinstance(entries, Sequence) or isinstance(entries, str) or not entries:
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
            data=from_text(one["data"]),
            expected=from_text(one.get("expected")),
            tolerance=float(one.get("tolerance", TOLERANCE)),
        )
        for one in entries
    ]


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
    except ValueError:
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
    if entry.get("data") in (None, "", [], {}):
        yield Problem(f"{field}.data", "is missing", "give the rows to send")
    try:
        tolerance = float(entry.get("tolerance", TOLERANCE))
    except (TypeError, ValueError):
        tolerance = -1.0
    if not tolerance >= 0:
        yield Problem(f"{field}.tolerance", "is not a number of 0 or more", "give one, or leave it out")


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _told(value: Any) -> str:
    return f"a {type(value).__name__}" if value not in ([], ()) else "an empty list"
