"""
Airflow 3 without a connection: the API that every task has.

Since Airflow 3.2 it reports whether Airflow has a DAG with an id, which is true until the DAG is deleted.
It does not report whether a file still defines the DAG or its task.
"""

from __future__ import annotations

from typing import Any

from airflow_provider_seldon.core.reaping.origin import Origin
from airflow_provider_seldon.hooks.origins.known_dag import KnownDag, unheard_of

_NOT_TOLD = (
    "Airflow's task API does not report whether its DAG and task are still defined; give airflow_conn_id"
)


class TaskApi:
    """
    Queries through the task's supervisor.

    :param task_instance: the running task instance.
    """

    def __init__(self, task_instance: Any) -> None:
        self._task_instance = task_instance

    def dag(self, dag_id: str) -> KnownDag:
        """Return the state of a DAG."""
        ask = getattr(self._task_instance, "get_dag", None)
        if ask is None:
            return KnownDag(Origin.UNKNOWN, _NOT_TOLD)
        try:
            ask(dag_id=dag_id)
        except Exception as error:
            if _says_that_there_is_none(error):
                return unheard_of(dag_id)
            raise
        return KnownDag(Origin.PRESENT, _NOT_TOLD)


def _says_that_there_is_none(error: Exception) -> bool:
    """
    Return whether it is Airflow's own "not_found", and not the 404 of an API server without this endpoint.

    The supervisor passes the response on in an ``AirflowRuntimeError``; ``dag.test()`` raises the client's
    own error.
    """
    sent = getattr(getattr(error, "error", None), "detail", None)
    response = getattr(error, "response", None)
    told = sent.get("detail") if isinstance(sent, dict) else None
    if told is None and response is not None and response.status_code == 404:
        told = response.json()
    detail = told.get("detail") if isinstance(told, dict) else None
    return isinstance(detail, dict) and detail.get("reason") == "not_found"
