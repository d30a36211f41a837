"""
Runs example DAGs with ``dag.test()``, one after the other in one process of their own.

``python -m tests.integration.example_runs`` reads from standard input a list of runs, ``{"dag": dag id, "conf": {...},
"env": {...}}``, with ``answer``, ``errors`` and ``kill`` for what is done to a run (see ``interventions``). It answers
a list of ``{"state": ..., "tasks": {task: state}, "xcoms": {task: what it returned}}``; the id of a mapped task has its
number, ``train[0]``. The environment says which Airflow home and DAG folder to use.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.airflow_version import AIRFLOW_3
from tests.integration.interventions import answered, killed
from tests.python_process import answer


def main() -> None:
    """Make the database, run everything, answer what came out."""
    from airflow.utils.db import initdb

    orders = json.load(sys.stdin)
    initdb()
    answer([run(order, day=number) for number, order in enumerate(orders)])


def run(order: dict[str, Any], *, day: int) -> dict[str, Any]:
    """Run one DAG, as ``airflow dags test`` does."""
    from airflow.models.dagbag import DagBag

    os.environ.update(order.get("env") or {})
    dag_id = order["dag"]
    bag = DagBag(Path(os.environ["AIRFLOW__CORE__DAGS_FOLDER"]) / f"{dag_id}.py")
    assert not bag.import_errors, bag.import_errors
    date = "logical_date" if AIRFLOW_3 else "execution_date"
    moment = {date: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day)}
    if AIRFLOW_3 and order.get("same_run"):
        # The id of a run is made of it: the same day is then the same run, with all of its tasks cleared.
        moment["run_after"] = moment[date]
    dag = bag.dags[dag_id]
    with (
        answered(order.get("answer"), errors_first=bool(order.get("errors"))),
        killed(dag, order.get("kill")),
    ):
        result = dag.test(**moment, run_conf=order.get("conf"))
    tasks = result.get_task_instances()
    return {
        "state": str(result.state),
        "tasks": {name_of(task): str(task.state) for task in tasks},
        "xcoms": {
            name_of(task): task.xcom_pull(task_ids=task.task_id, map_indexes=task.map_index) for task in tasks
        },
    }


def name_of(task: Any) -> str:
    """Return the task's id, with its number where it is mapped."""
    return f"{task.task_id}[{task.map_index}]" if task.map_index >= 0 else task.task_id


if __name__ == "__main__":
    main()
