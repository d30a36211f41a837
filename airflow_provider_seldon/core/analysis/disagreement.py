"""
The same rows, answered by two versions: how often do they disagree? Pure.

A row that the baseline cannot answer has nothing to be compared with, and is left out; one that only the candidate
cannot answer is a disagreement.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.prediction.sample_request import equal

#: What of an answer is the model's: of Seldon's protocol, of v2, of TensorFlow's. The rest names pod, time or version.
_OUTPUT = ("data", "jsonData", "strData", "binData", "outputs", "predictions")
#: And what of an output tensor is compared.
_TENSOR = ("name", "shape", "datatype", "data")


def rows_of(lines: Iterable[str], *, where: str) -> list[Mapping[str, Any]]:
    """
    Read requests, one JSON object a line; empty lines are passed over.

    :param where: what is read, for the error; a number of a line is named, no content.
    :raises InvalidRequestError: a line is no JSON object, or there is none at all.
    """
    rows = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, Mapping):
            raise InvalidRequestError.of(
                f"{where}, line {number}", "is no JSON object", "give one request body a line"
            )
        rows.append(row)
    if not rows:
        raise InvalidRequestError.of(where, "holds no request", "give one request body a line")
    return rows


def disagreement(pairs: Sequence[tuple[Any, Any]], *, tolerance: float) -> float | None:
    """
    Return the share of rows that are answered otherwise; None where no row can be compared.

    :param pairs: answers of candidate and baseline; None for one that did not answer.
    :param tolerance: numbers that differ by no more, absolutely or relatively, agree.
    """
    comparable = [(mine, theirs) for mine, theirs in pairs if theirs is not None]
    if not comparable:
        return None
    different = sum(mine is None or not agree(mine, theirs, tolerance) for mine, theirs in comparable)
    return different / len(comparable)


def agree(one: Any, other: Any, tolerance: float) -> bool:
    """Whether two answers hold the same output."""
    return equal(_output(one), _output(other), tolerance)


def _output(answer: Any) -> Any:
    if not isinstance(answer, Mapping):
        return answer
    found = {key: answer[key] for key in _OUTPUT if key in answer}
    if isinstance(found.get("outputs"), list):
        found["outputs"] = [
            {key: one[key] for key in _TENSOR if key in one} if isinstance(one, Mapping) else one
            for one in found["outputs"]
        ]
    return found or answer
