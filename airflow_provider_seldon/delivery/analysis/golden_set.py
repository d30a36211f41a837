"""
Send golden rows to both predictors and compare their answers; for a worker.

How a predictor is reached is the caller's: any function that posts a body to one predictor and returns its answer. It
works for shadows as well, because nobody goes through the split of the traffic.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from airflow_provider_seldon.core.analysis.disagreement import disagreement, rows_of
from airflow_provider_seldon.core.analysis.metrics import GoldenSet
from airflow_provider_seldon.core.analysis.queries import Sides
from airflow_provider_seldon.core.analysis.samples import Sample
from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.exceptions import PredictionError, ServerUnavailableError

Ask = Callable[[str, Mapping[str, Any]], Any]
"""``ask(predictor, body)``: its answer. A ``PredictionError`` or ``ServerUnavailableError`` is a row without answer."""

#: Requests under way at the same time, of one side.
_AT_ONCE = 4


def read_rows(uri: str, *, conn_id: str | None = None) -> list[Mapping[str, Any]]:
    """
    Read the rows of a golden set through Airflow's ``ObjectStoragePath``.

    :param uri: a file with one JSON request a line, in any storage that Airflow knows.
    :param conn_id: connection to that storage.
    :raises InvalidRequestError: a line is no JSON object, or there is none.
    :raises OSError: it cannot be read.
    """
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    path = ObjectStoragePath(uri, conn_id=conn_id)
    # Not path.open(), which Airflow 2.11 cannot give the lines of a local file.
    with path.fs.open(str(path.path), "r", encoding="utf-8") as file:
        return rows_of(file, where="GoldenSet.uri")


def compare(
    metric: GoldenSet, sides: Sides, *, ask: Ask, rows: Sequence[Mapping[str, Any]] | None = None
) -> Sample:
    """
    Return the share of rows that the candidate answers otherwise than the baseline, as the candidate's value.

    :param ask: reaches one predictor.
    :param rows: the rows, where they have been read already.
    """
    if not sides.baseline:
        return Sample(error="there is no version to compare answers with")
    try:
        found = rows if rows is not None else read_rows(metric.uri)
    except (InvalidRequestError, OSError) as error:
        told = str(error) if isinstance(error, InvalidRequestError) else type(error).__name__
        return Sample(error=f"the golden rows cannot be read: {told}")

    def pair(row: Mapping[str, Any]) -> tuple[Any, Any]:
        return _answer(ask, sides.candidate, row), _answer(ask, sides.baseline, row)

    with ThreadPoolExecutor(max_workers=_AT_ONCE) as executor:
        pairs = list(executor.map(pair, found))
    return Sample(candidate=disagreement(pairs, tolerance=metric.tolerance))


def _answer(ask: Ask, predictor: str, row: Mapping[str, Any]) -> Any:
    try:
        return ask(predictor, row)
    except (PredictionError, ServerUnavailableError):
        return None
