"""
Runs DAGs with ``dag.test()`` in their own process, and tells what a user would see of their tasks.

``python -m tests.integration.task_runs`` runs what is in ``dags/observed_tasks.py``, and answers, for each
task: its state, how often it was tried, and its links, asked for in the way of Airflow's own web server, of the
serialised DAG: while the task was deferred, and at the end. Airflow home and DAG folder come with the environment.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

from airflow.models.dagbag import DagBag
from airflow.models.taskinstance import TaskInstance
from airflow.providers.common.compat.sdk import DAG
from airflow.triggers.base import TriggerEvent
from airflow.utils.session import create_session

from airflow_provider_seldon.triggers.deployment import SeldonDeploymentTrigger
from tests.python_process import answer

try:
    from airflow.serialization.serialized_objects import DagSerialization
except ImportError:
    from airflow.serialization.serialized_objects import SerializedDAG as DagSerialization


class Observer:
    """
    Asks for links as a web server does.

    :param dag: the DAG as it was written; what is asked is what it becomes in the database.
    """

    def __init__(self, dag: DAG) -> None:
        self._dag = DagSerialization.from_dict(json.loads(json.dumps(DagSerialization.to_dict(dag))))
        self.while_deferred: dict[str, dict[str, str]] = {}

    def watch(self) -> None:
        """Look whenever a task has been deferred, before its trigger begins."""
        run = SeldonDeploymentTrigger.run

        async def observed(trigger: SeldonDeploymentTrigger) -> AsyncIterator[TriggerEvent]:
            for task_id, links in self.links().items():
                self.while_deferred.setdefault(task_id, links)
            async for event in run(trigger):
                yield event

        SeldonDeploymentTrigger.run = observed  # type: ignore[method-assign]

    def links(self) -> dict[str, dict[str, str]]:
        """Return the links of every task instance that has any."""
        with create_session() as session:
            instances = session.query(TaskInstance).filter(TaskInstance.dag_id == self._dag.dag_id).all()
            found = {name_of(one): self._links(one) for one in instances}
        return {key: links for key, links in found.items() if links}

    def _links(self, instance: TaskInstance) -> dict[str, str]:
        operator = self._dag.get_task(instance.task_id)
        links = {name: operator.get_extra_links(instance, name) for name in operator.extra_links}
        return {name: url for name, url in links.items() if url}


def name_of(instance: TaskInstance) -> str:
    """Return the task's id, with its number where it is mapped."""
    return f"{instance.task_id}[{instance.map_index}]" if instance.map_index >= 0 else instance.task_id


def main() -> None:
    """Run everything and answer what came out."""
    from airflow.utils.db import initdb

    initdb()
    bag = DagBag()
    assert not bag.import_errors, bag.import_errors
    observer = Observer(bag.dags["linked_tasks"])
    observer.watch()
    tasks = [
        one
        for name in ("linked_tasks", "failing_tasks")
        for one in bag.dags[name].test().get_task_instances()
    ]
    told = {
        "states": {name_of(one): str(one.state) for one in tasks},
        "tries": {name_of(one): one.try_number for one in tasks},
        "deferred": observer.while_deferred,
        "ended": observer.links(),
    }
    answer(told)


if __name__ == "__main__":
    main()
