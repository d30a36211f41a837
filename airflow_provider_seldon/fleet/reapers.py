"""
What reapers did recently: the reports that their tasks have pushed, from Airflow's own database.

A report comes from the task itself, with reasons, and lasts as long as Airflow keeps XComs. Kubernetes events
expire after an hour, and creating them needs a permission.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_seldon.core.fleet.reaper_view import ReaperRun
from airflow_provider_seldon.core.fleet.reaping import run_of
from airflow_provider_seldon.fleet.shared_look import PATIENCE, SharedLook

log = logging.getLogger(__name__)

#: Maximum age of a run, and maximum number of runs that are read.
LATELY = timedelta(days=7)
MOST_RUNS = 500
#: See ``operators.reaper``. A subclass has another name, and is not recognised.
OPERATOR = "SeldonReaperOperator"
KEY = "report"


class Reapers:
    """Reads the reports, at most once per interval of ``shared_look`` for all users."""

    def __init__(self) -> None:
        self._look = SharedLook(_read, explain=_explained)

    def runs(self) -> Sequence[ReaperRun]:
        """Return the latest runs of reapers, the last one first."""
        return self._look.get(patience=PATIENCE).value or ()


def _read() -> Sequence[ReaperRun]:
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import and_, select, tuple_

    of_same_run = and_(
        *(
            getattr(TaskInstance, key) == getattr(XComModel, key)
            for key in ("dag_id", "task_id", "run_id", "map_index")
        )
    )
    with create_session() as session:
        since = datetime.now(UTC) - LATELY
        # Only the XCom table has an index for this query.
        reapers = [
            (dag_id, task_id)
            for dag_id, task_id in session.execute(
                select(XComModel.dag_id, XComModel.task_id)
                .join(TaskInstance, of_same_run)
                .where(XComModel.key == KEY, XComModel.timestamp >= since, TaskInstance.operator == OPERATOR)
                .distinct()
            )
        ]
        if not reapers:
            return ()
        found = session.execute(
            select(
                *(TaskInstance.dag_id, TaskInstance.task_id, TaskInstance.run_id, TaskInstance.map_index),
                *(TaskInstance.start_date, TaskInstance.state, XComModel.value),
            )
            .outerjoin(XComModel, and_(of_same_run, XComModel.key == KEY))
            .where(
                tuple_(TaskInstance.dag_id, TaskInstance.task_id).in_(reapers),
                TaskInstance.start_date >= since,
            )
            .order_by(TaskInstance.start_date.desc())
            .limit(MOST_RUNS)
        ).all()
    return [_run(row) for row in found]


def _run(row: Any) -> ReaperRun:
    return run_of(
        row.value,
        dag_id=row.dag_id,
        task_id=row.task_id,
        run_id=row.run_id,
        map_index=row.map_index,
        at=row.start_date.isoformat(timespec="seconds"),
        state=str(row.state or ""),
    )


def _explained(error: Exception) -> str:
    log.warning("Cannot read the reports of reapers", exc_info=error)
    return type(error).__name__
