"""The state of a DAG, as Airflow reports it."""

from __future__ import annotations

from airflow_provider_seldon.core.reaping.origin import Origin, Whereabouts


class KnownDag:
    """
    State of a DAG.

    :param origin: of the DAG itself.
    :param reason: a sentence without a full stop.
    :param tasks: ids of its tasks; None where they are not known.
    """

    def __init__(self, origin: Origin, reason: str = "", tasks: frozenset[str] | None = None) -> None:
        self.origin = origin
        self.reason = reason
        self.tasks = tasks

    def whereabouts(self, task_id: str) -> Whereabouts:
        """Return the state of one of its tasks."""
        if self.origin is not Origin.PRESENT:
            return Whereabouts(origin=self.origin, reason=self.reason)
        if self.tasks is None:
            return Whereabouts(origin=Origin.UNKNOWN, reason=self.reason or "its task cannot be looked up")
        if task_id and task_id not in self.tasks:
            return Whereabouts(origin=Origin.GONE, reason=f"its DAG no longer has a task {task_id}")
        return Whereabouts(origin=Origin.PRESENT)


def gone(dag_id: str) -> KnownDag:
    """Return the state of a DAG that its file no longer defines."""
    return KnownDag(Origin.GONE, f"no file defines its DAG {dag_id} any longer")


def broken(dag_id: str) -> KnownDag:
    """Return the state of a DAG whose file cannot be imported: it may still exist."""
    return KnownDag(Origin.UNKNOWN, f"the file of its DAG {dag_id} cannot be imported")


def unheard_of(dag_id: str) -> KnownDag:
    """Return the state of a DAG of which Airflow has no record."""
    return KnownDag(
        Origin.UNHEARD_OF,
        f"this Airflow has no record of its DAG {dag_id}: it was deleted, or another Airflow deploys here",
    )
