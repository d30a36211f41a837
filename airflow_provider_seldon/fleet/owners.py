"""
What Airflow's own database knows of a deployment's owner: whether its DAG and task are there, and what its runs did.

Read only, with the API server's own session.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: Seconds for which is believed which DAGs and tasks there are.
INTERVAL = 30.0
#: Runs that the page of a deployment shows.
MOST_RUNS = 20
#: What a task that deploys has pushed, see ``operators``.
_KEYS = ("name", "action", "revision", "decision", "failure", "canary")


@dataclass(frozen=True, kw_only=True)
class RunView:
    """
    What one run of the task that deploys did.

    :param state: of the task; "" where it has not run yet.
    :param started: when, in ISO 8601.
    :param action: what it did, such as ``updated``; "" where it did not get that far.
    :param decision: what it decided, and which rule on which numbers.
    :param cause: why it failed, or its canary was aborted.
    """

    dag_id: str
    task_id: str
    run_id: str
    map_index: int = -1
    state: str = ""
    started: str = ""
    action: str = ""
    revision: str = ""
    decision: str = ""
    cause: str = ""


class Owners:
    """Asks the database, and remembers which DAGs and tasks there are."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tasks: dict[str, frozenset[str]] = {}
        self._hashes: dict[str, str] = {}
        self._asked: frozenset[str] = frozenset()
        self._until = 0.0

    def tasks(self, dag_ids: Iterable[str]) -> Mapping[str, frozenset[str]]:
        """Return, of those DAGs that there are, the ids of their tasks."""
        wanted = frozenset(dag_ids)
        with self._lock:
            if time.monotonic() >= self._until or not wanted <= self._asked:
                self._read(wanted | self._asked)
                self._asked, self._until = wanted | self._asked, time.monotonic() + INTERVAL
            return dict(self._tasks)

    def runs(self, *, dag_id: str, task_id: str, name: str) -> Sequence[RunView]:
        """Return what the latest runs of a task did to a deployment, the last one first."""
        from airflow.models.taskinstance import TaskInstance
        from airflow.models.xcom import XComModel
        from airflow.utils.session import create_session
        from sqlalchemy import select

        with create_session() as session:
            instances = session.execute(
                select(
                    TaskInstance.run_id, TaskInstance.map_index, TaskInstance.state, TaskInstance.start_date
                )
                .where(TaskInstance.dag_id == dag_id, TaskInstance.task_id == task_id)
                # What has not begun yet is the latest.
                .order_by(TaskInstance.start_date.is_not(None), TaskInstance.start_date.desc())
                .limit(MOST_RUNS)
            ).all()
            pushed: dict[tuple[str, int], dict[str, Any]] = defaultdict(dict)
            for run_id, index, key, value in session.execute(
                select(XComModel.run_id, XComModel.map_index, XComModel.key, XComModel.value).where(
                    XComModel.dag_id == dag_id,
                    XComModel.task_id == task_id,
                    XComModel.run_id.in_([one.run_id for one in instances]),
                    XComModel.key.in_(_KEYS),
                )
            ).all():
                pushed[run_id, index][key] = value
        return [
            _run(dag_id, task_id, one, pushed[one.run_id, one.map_index])
            for one in instances
            if pushed[one.run_id, one.map_index].get("name", name) == name
        ]

    def _read(self, dag_ids: frozenset[str]) -> None:
        from airflow.models.dag import DagModel
        from airflow.models.serialized_dag import SerializedDagModel
        from airflow.utils.session import create_session
        from sqlalchemy import select

        with create_session() as session:
            there = set(
                session.scalars(
                    select(DagModel.dag_id).where(DagModel.dag_id.in_(dag_ids), DagModel.is_stale.is_(False))
                )
            )
            # Reading what a DAG is made of takes long, so only that of those that have changed is read.
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


def _task_ids(data: Any) -> Iterable[str]:
    for task in ((data or {}).get("dag") or {}).get("tasks") or ():
        yield str(task.get("__var", task).get("task_id", ""))


def _run(dag_id: str, task_id: str, instance: Any, pushed: Mapping[str, Any]) -> RunView:
    outcome, why = _canary(pushed.get("canary"))
    return RunView(
        dag_id=dag_id,
        task_id=task_id,
        run_id=instance.run_id,
        map_index=instance.map_index,
        state=str(instance.state or ""),
        started=instance.start_date.isoformat(timespec="seconds") if instance.start_date else "",
        action=outcome if outcome == "aborted" else str(pushed.get("action") or ""),
        revision=str(pushed.get("revision") or ""),
        decision=str(pushed.get("decision") or ""),
        cause=str(pushed.get("failure") or why),
    )


def _canary(told: Any) -> tuple[str, str]:
    """Return how a canary ended, and what its last step said; see ``delivery.canary.lead.told``."""
    if not isinstance(told, Mapping):
        return "", ""
    steps = told.get("steps")
    last = steps[-1] if isinstance(steps, list) and steps and isinstance(steps[-1], Mapping) else {}
    why = ": ".join(str(last[key]) for key in ("step", "reason") if last.get(key))
    outcome = str(told.get("outcome") or "")
    return outcome, f"canary {outcome}, {why}" if why else f"canary {outcome}"
