"""
What reapers have done lately: the reports that their tasks have pushed, from Airflow's own database.

A report is the task's own word, with its reasons, and it stays for as long as Airflow keeps XComs. Events of Kubernetes
would be gone after an hour, and would need a right to write them.
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

#: How long ago a run may have begun, and how many are read.
LATELY = timedelta(days=7)
MOST_RUNS = 500
#: See ``operators.reaper``. A class that is derived from it has another name, and is not known.
OPERATOR = "SeldonReaperOperator"
KEY = "report"


class Reapers:
    """Reads the reports, however many people look at most once an interval of ``shared_look``."""

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
        # Only XComs have an index that leads to them.
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
    log.warning("The reports of reapers cannot be read", exc_info=error)
    return type(error).__name__
