"""What runs of deploying tasks did, from Airflow's database; read only, with the API server's session."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

#: Maximum number of runs on the page of a deployment.
MOST_RUNS = 20
#: Maximum age of a failure on the page, and maximum number of failures of one task that are read, because
#: each may concern another deployment.
LATELY = timedelta(days=30)
MOST_FAILURES = 3
#: XCom keys of a deploying task, see ``operators``.
_KEYS = ("name", "action", "revision", "decision", "failure", "canary")


@dataclass(frozen=True, kw_only=True)
class RunView:
    """
    What one run of a deploying task did.

    :param state: state of the task instance; "" if it has not run yet.
    :param started: start time, in ISO 8601.
    :param ended: end time, in ISO 8601; "" before that.
    :param name: its deployment; "" if the run did not get that far.
    :param action: what it did, such as ``updated``; "" if the run did not get that far.
    :param decision: its decision, with the rule and the numbers.
    :param cause: why it failed, or why its canary was aborted.
    """

    dag_id: str
    task_id: str
    run_id: str
    map_index: int = -1
    state: str = ""
    started: str = ""
    ended: str = ""
    name: str = ""
    action: str = ""
    revision: str = ""
    decision: str = ""
    cause: str = ""


def runs(*, dag_id: str, task_id: str, name: str) -> Sequence[RunView]:
    """Return what the latest runs of a task did to a deployment, the last one first."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        instances = session.execute(
            select(*_columns(TaskInstance))
            .where(TaskInstance.dag_id == dag_id, TaskInstance.task_id == task_id)
            # Runs that have not started yet are the latest.
            .order_by(TaskInstance.start_date.is_not(None), TaskInstance.start_date.desc())
            .limit(MOST_RUNS)
        ).all()
        found = _with_pushed(session, instances)
    return [one for one in found if one.name in ("", name)]


def failures(tasks: frozenset[tuple[str, str]]) -> Mapping[tuple[str, str], Sequence[RunView]]:
    """Return the latest failed runs of tasks, by ids of DAG and task, the last one first."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import func, select

    rank = func.row_number().over(
        partition_by=(TaskInstance.dag_id, TaskInstance.task_id, TaskInstance.map_index),
        order_by=TaskInstance.end_date.desc(),
    )
    ranked = (
        select(*_columns(TaskInstance), rank.label("rank"))
        .where(
            TaskInstance.dag_id.in_({dag_id for dag_id, _ in tasks}),
            TaskInstance.task_id.in_({task_id for _, task_id in tasks}),
            TaskInstance.state == "failed",
            TaskInstance.end_date >= datetime.now(UTC) - LATELY,
        )
        .subquery()
    )
    with create_session() as session:
        instances = session.execute(select(ranked).where(ranked.c.rank <= MOST_FAILURES)).all()
        found = _with_pushed(session, [one for one in instances if (one.dag_id, one.task_id) in tasks])
    by_task: dict[tuple[str, str], list[RunView]] = defaultdict(list)
    for run in sorted(found, key=lambda one: one.ended, reverse=True):
        by_task[run.dag_id, run.task_id].append(run)
    return by_task


def _columns(table: Any) -> list[Any]:
    keys = ("dag_id", "task_id", "run_id", "map_index", "state", "start_date", "end_date")
    return [getattr(table, key) for key in keys]


def _with_pushed(session: Any, instances: Sequence[Any]) -> list[RunView]:
    from airflow.models.xcom import XComModel
    from sqlalchemy import select

    pushed: dict[tuple[Any, ...], dict[str, Any]] = defaultdict(dict)
    key_columns = (XComModel.dag_id, XComModel.task_id, XComModel.run_id, XComModel.map_index)
    for *of, key, value in session.execute(
        select(*key_columns, XComModel.key, XComModel.value).where(
            XComModel.dag_id.in_({one.dag_id for one in instances}),
            XComModel.task_id.in_({one.task_id for one in instances}),
            XComModel.run_id.in_({one.run_id for one in instances}),
            XComModel.key.in_(_KEYS),
        )
    ).all():
        pushed[tuple(of)][key] = value
    return [_run(one, pushed[one.dag_id, one.task_id, one.run_id, one.map_index]) for one in instances]


def _run(instance: Any, pushed: Mapping[str, Any]) -> RunView:
    outcome, why = _canary(pushed.get("canary"))
    return RunView(
        dag_id=instance.dag_id,
        task_id=instance.task_id,
        run_id=instance.run_id,
        map_index=instance.map_index,
        state=str(instance.state or ""),
        started=_text(instance.start_date),
        ended=_text(instance.end_date),
        name=str(pushed.get("name") or ""),
        action=outcome if outcome == "aborted" else str(pushed.get("action") or ""),
        revision=str(pushed.get("revision") or ""),
        decision=str(pushed.get("decision") or ""),
        cause=str(pushed.get("failure") or why),
    )


def _canary(told: Any) -> tuple[str, str]:
    """Return the outcome of a canary, and the reason of its last step; see ``delivery.canary.lead.told``."""
    if not isinstance(told, Mapping):
        return "", ""
    steps = told.get("steps")
    last = steps[-1] if isinstance(steps, list) and steps and isinstance(steps[-1], Mapping) else {}
    why = ": ".join(str(last[key]) for key in ("step", "reason") if last.get(key))
    outcome = str(told.get("outcome") or "")
    return outcome, f"canary {outcome}, {why}" if why else f"canary {outcome}"


def _text(moment: Any) -> str:
    return moment.isoformat(timespec="seconds") if moment else ""
