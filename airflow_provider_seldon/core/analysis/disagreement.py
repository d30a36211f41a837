"""
How often do two versions disagree on the same rows? Pure.

A row that the baseline cannot answer cannot be compared and is left out; a row that only the candidate cannot
answer is a disagreement.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from airflow_provider_seldon.core.analysis.samples import Sample
from airflow_provider_seldon.core.invalid_request import InvalidRequestError

#: Maximum of rows in a set, and of characters in a row.
MOST_ROWS, LONGEST_ROW = 1000, 1024 * 1024
#: Parts of an answer that the model produces, in Seldon's protocol, v2, and TensorFlow's. The rest names pod,
#: time or version.
_OUTPUT = ("data", "jsonData", "strData", "binData", "outputs", "predictions")
#: Parts of an output tensor that are compared.
_TENSOR = ("name", "shape", "datatype", "data")


def rows_of(lines: Iterable[str], *, where: str) -> list[Mapping[str, Any]]:
    """
    Parse requests, one JSON object per line; empty lines are skipped.

    :param where: source, for the error, which names the line's number but no content.
    :raises InvalidRequestError: a line is not a JSON object or too long, or there are too many, or none.
    """
    rows: list[Mapping[str, Any]] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        if len(line) > LONGEST_ROW:
            raise InvalidRequestError.of(
                f"{where}, line {number}", "is longer than 1 MiB", "put fewer rows into one request"
            )
        row = _object(line)
        if row is None:
            raise InvalidRequestError.of(
                f"{where}, line {number}", "is not a JSON object", "give one request body per line"
            )
        rows.append(row)
    if not rows:
        raise InvalidRequestError.of(where, "holds no request", "give one request body per line")
    if len(rows) > MOST_ROWS:
        raise InvalidRequestError.of(
            where,
            f"holds {len(rows)} requests",
            f"give {MOST_ROWS} at most: all are sent to both, at each step",
        )
    return rows


def agreement(mine: Any, theirs: Any, *, tolerance: float) -> bool | None:
    """
    Return whether both versions give the same answer to a row; None if the baseline has no answer.

    :param mine: the candidate's answer; None if it gave none.
    :param theirs: the baseline's, likewise.
    :param tolerance: numbers that differ by no more, absolutely or relatively, agree.
    """
    expected = _output(theirs)
    if expected is None:
        return None
    found = _output(mine)
    try:
        return found is not None and _alike(found, expected, tolerance)
    except RecursionError:  # no real answer is a thousand lists deep
        return False


def sample_of_rows(found: Sequence[bool | None]) -> Sample:
    """
    Return the share of rows that are answered differently, as the candidate's value.

    :param found: results of :func:`agreement` for each row. If most rows cannot be compared, the rest says
        little, and nothing is measured.
    """
    count = Counter(found)
    compared = count[True] + count[False]
    if 2 * compared < len(found) or not compared:
        return Sample(
            error=f"only {compared} of {len(found)} rows could be compared; the others have no answer of the baseline"
        )
    return Sample(candidate=count[False] / compared)


def _object(line: str) -> Mapping[str, Any] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, Mapping) else None


def _output(answer: Any) -> dict[str, Any] | None:
    """Return the model's part of an answer; None if it is not a prediction."""
    if not isinstance(answer, Mapping):
        return None
    found = {key: answer[key] for key in _OUTPUT if key in answer}
    if isinstance(found.get("outputs"), list):
        found["outputs"] = [
            {key: one[key] for key in _TENSOR if key in one} if isinstance(one, Mapping) else one
            for one in found["outputs"]
        ]
    return found or None


def _alike(one: Any, other: Any, tolerance: float) -> bool:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_alike(one[key], other[key], tolerance) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(
            _alike(a, b, tolerance) for a, b in zip(one, other, strict=True)
        )
    if _is_number(one) and _is_number(other):
        return _close(one, other, tolerance)
    return type(one) is type(other) and bool(one == other)


def _close(one: float, other: float, tolerance: float) -> bool:
    try:
        # Two models that both answer NaN agree.
        if math.isnan(one) or math.isnan(other):
            return math.isnan(one) and math.isnan(other)
        return math.isclose(one, other, rel_tol=tolerance, abs_tol=tolerance)
    except OverflowError:  # a whole number beyond the range of floats
        return one == other


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
