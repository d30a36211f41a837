"""
What Airflow's own database knows about a deployment's owner: whether its DAG and task exist, and what its
runs did.

Read only, with the API server's own session.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_seldon.core.reaping.origin import Origin
from airflow_provider_seldon.fleet.reapers import Reapers
from airflow_provider_seldon.fleet.remembered import Remembered
from airflow_provider_seldon.fleet.runs import RunView, failures, runs
from airflow_provider_seldon.hooks.origins.known_dag import KnownDag, broken, gone, unheard_of

if TYPE_CHECKING:
    from airflow_provider_seldon.core.fleet.reaper_view import ReaperRun

#: What Airflow accepts as the id of a DAG or task. Annotations may hold anything, and databases refuse some
#: characters (PostgreSQL: NUL) with an error.
_KEY = re.compile(r"[\w.-]{1,250}\Z")


class Owners:
    """Queries the database, and caches which DAGs and tasks exist."""

    def __init__(self) -> None:
        self._tasks: dict[str, frozenset[str]] = {}
        self._hashes: dict[str, str] = {}
        self._dags = Remembered(self._read)
        self._failures = Remembered(failures)
        self._reapers = Reapers()

    def dags(self, dag_ids: Collection[str]) -> Mapping[str, KnownDag]:
        """Return what is known about DAGs."""
        strange = {one: unheard_of(one) for one in dag_ids if not _KEY.match(one)}
        known = set(dag_ids) - set(strange)
        return {**(self._dags.get(known) if known else {}), **strange}

    def failures(self, tasks: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], Sequence[RunView]]:
        """Return the latest failed runs of tasks; by ids of DAG and task."""
        known = {one for one in tasks if all(map(_KEY.match, one))}
        return self._failures.get(known) if known else {}

    def runs(self, *, dag_id: str, task_id: str, name: str) -> Sequence[RunView]:
        """Return what the latest runs of a task did to a deployment, the last one first."""
        known = _KEY.match(dag_id) and _KEY.match(task_id)
        return runs(dag_id=dag_id, task_id=task_id, name=name) if known else ()

    def reaper_runs(self) -> Sequence[ReaperRun]:
        """Return the latest runs of reapers, the last one first."""
        return self._reapers.runs()

    def _read(self, dag_ids: frozenset[str]) -> Mapping[str, KnownDag]:
        from airflow.models.dag import DagModel
        from airflow.models.errors import ParseImportError
        from airflow.models.serialized_dag import SerializedDagModel
        from airflow.utils.session import create_session
        from sqlalchemy import select

        with create_session() as session:
            rows = {
                row.dag_id: row
                for row in session.execute(
                    select(
                        DagModel.dag_id, DagModel.is_stale, DagModel.bundle_name, DagModel.relative_fileloc
                    ).where(DagModel.dag_id.in_(dag_ids))
                )
            }
            there = {dag_id for dag_id, row in rows.items() if not row.is_stale}
            failed = {
                (row.bundle_name, row.filename)
                for row in session.execute(select(ParseImportError.bundle_name, ParseImportError.filename))
            }
            # Reading serialized DAGs takes long, so only those that have changed are read.
            hashes = dict(
                session.execute(
                    select(SerializedDagModel.dag_id, SerializedDagModel.dag_hash)
                    .where(SerializedDagModel.dag_id.in_(there))
                    .order_by(SerializedDagModel.created_at)
                ).all()
            )
            changed = [one for one in hashes if self._hashes.get(one) != hashes[one]]
            for stored in SerializedDagModel.get_latest_serialized_dags(dag_ids=changed, session=session):
                self._tasks[stored.dag_id] = frozenset(_task_ids(stored.data))
        self._hashes = hashes
        self._tasks = {dag_id: tasks for dag_id, tasks in self._tasks.items() if dag_id in there}
        return {dag_id: self._known(dag_id, rows.get(dag_id), failed) for dag_id in dag_ids}

    def _known(self, dag_id: str, row: Any, failed: Collection[tuple[str | None, str | None]]) -> KnownDag:
        if row is None:
            return unheard_of(dag_id)
        if not row.is_stale:
            return KnownDag(Origin.PRESENT, tasks=self._tasks.get(dag_id))
        # As in the reaper: a DAG file with an import error does not mean that the DAG is gone.
        return broken(dag_id) if (row.bundle_name, row.relative_fileloc) in failed else gone(dag_id)


def _task_ids(data: Any) -> Iterable[str]:
    for task in ((data or {}).get("dag") or {}).get("tasks") or ():
        yield str(task.get("__var", task).get("task_id", ""))
