"""
Send golden rows to both predictors and compare their answers; for a worker.

``predictor_ways`` has the access to predictors. It works for shadows as well, because it bypasses the traffic
split.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from airflow_provider_seldon.core.analysis.disagreement import agreement, rows_of, sample_of_rows
from airflow_provider_seldon.core.analysis.metrics import GoldenSet
from airflow_provider_seldon.core.analysis.samples import Sample
from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.exceptions import PredictionError, ServerUnavailableError

log = logging.getLogger(__name__)

Ask = Callable[[Mapping[str, Any]], Awaitable[tuple[Any, Any]]]
"""``await ask(row)``: the answers of candidate and baseline; None for one that does not answer."""

#: Maximum bytes of a golden set.
MOST_BYTES = 16 * 1024 * 1024
#: Rows in flight at the same time, and seconds for all of them.
AT_ONCE, WITHIN = 4, 300.0


def read_rows(metric: GoldenSet) -> list[Mapping[str, Any]]:
    """
    Read the rows of a golden set through Airflow's ``ObjectStoragePath``.

    :raises InvalidRequestError: it cannot be read, or is not a set of rows; names the field and the fix, but
        no content.
    """
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    problem = ""
    try:
        path = ObjectStoragePath(metric.uri, conn_id=metric.conn_id)
        # Not path.open(), with which Airflow 2.11 cannot read lines of a local file.
        with path.fs.open(str(path.path), "rb") as file:
            content = file.read(MOST_BYTES + 1)
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        problem = "is not text in UTF-8"
    except Exception as error:  # each storage has its own errors, whose text may contain a credential
        problem = f"cannot be read ({type(error).__name__})"
    if problem:
        fix = "name a file of JSON lines, and its conn_id if the storage needs one"
        raise InvalidRequestError.of("GoldenSet.uri", problem, fix)
    if len(content) > MOST_BYTES:
        raise InvalidRequestError.of("GoldenSet.uri", "is larger than 16 MiB", "give fewer rows")
    # Not splitlines(), which also splits at characters that JSON allows within a text.
    return rows_of(text.split("\n"), where="GoldenSet.uri")


async def compare(
    metric: GoldenSet, rows: Sequence[Mapping[str, Any]], *, ask: Ask, within: float = WITHIN
) -> Sample:
    """
    Return the share of rows that the candidate answers differently from the baseline, as the candidate's
    value.

    :param within: seconds for all rows together; after a timeout nothing is measured.
    """
    limit = asyncio.Semaphore(AT_ONCE)

    async def compared(row: Mapping[str, Any]) -> bool | None:
        async with limit:
            mine, theirs = await ask(row)
            return agreement(mine, theirs, tolerance=metric.tolerance)

    try:
        async with asyncio.timeout(within):
            found = await asyncio.gather(*map(compared, rows))
    except TimeoutError:
        return Sample(error=f"{len(rows)} golden rows were not answered within {within:g} s")
    except (PredictionError, ServerUnavailableError) as error:
        return Sample(error=str(error))
    log.info(
        "%s: %d of %d rows are answered differently, %d have no answer of the baseline",
        *(metric.name, found.count(False), len(rows), found.count(None)),
    )
    return sample_of_rows(found)
