"""
Where a deployment comes from, looked up in the way that this Airflow offers.

With a connection: Airflow's stable REST API (v2, Airflow 3). Without one: on Airflow 2.11 the metadata database, which
tasks may read there; on Airflow 3 the task API, which only tells whether a DAG was ever there and has not been deleted.
Every DAG is asked for once. What cannot be looked up is unknown, and never an orphan.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_seldon.core.identity.identity import Identity
from airflow_provider_seldon.core.reaping.origin import Origin, Whereabouts

if TYPE_CHECKING:
    from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment

log = logging.getLogger(__name__)


class Source(Protocol):
    """Where Airflow is asked."""

    def dag(self, dag_id: str) -> KnownDag:
        """Return what is known about a DAG."""


class KnownDag:
    """
    What is known about a DAG.

    :param origin: of the DAG itself.
    :param reason: a sentence without a full stop.
    :param tasks: ids of its tasks; None where they are not known.
    """

    def __init__(self, origin: Origin, reason: str = "", tasks: frozenset[str] | None = None) -> None:
        self.origin = origin
        self.reason = reason
        self.tasks = tasks

    def whereabouts(self, task_id: str) -> Whereabouts:
        """Return what is known about one of its tasks."""
        if self.origin is not Origin.PRESENT:
            return Whereabouts(origin=self.origin, reason=self.reason)
        if self.tasks is None:
            return Whereabouts(origin=Origin.UNKNOWN, reason=self.reason or "its task cannot be looked up")
        if task_id and task_id not in self.tasks:
            return Whereabouts(origin=Origin.GONE, reason=f"its DAG has no task {task_id} any more")
        return Whereabouts(origin=Origin.PRESENT)


def gone(dag_id: str) -> KnownDag:
    """Return what is known about a DAG whose file does not define it any more."""
    return KnownDag(Origin.GONE, f"no file defines its DAG {dag_id} any more")


def broken(dag_id: str) -> KnownDag:
    """Return what is known about a DAG whose file cannot be imported: it may well be there."""
    return KnownDag(Origin.UNKNOWN, f"the file of its DAG {dag_id} cannot be imported")


def unheard_of(dag_id: str) -> KnownDag:
    """Return what is known about a DAG that Airflow does not know."""
    return KnownDag(
        Origin.UNHEARD_OF,
        f"this Airflow does not know its DAG {dag_id}: it was deleted, or another Airflow deploys here",
    )


def lookup(source: Source) -> Callable[[SeldonDeployment], Whereabouts]:
    """Return what says where a deployment comes from."""

    @functools.cache
    def known(dag_id: str) -> KnownDag:
        try:
            return source.dag(dag_id)
        except Exception as error:
            # Texts of errors may quote a URL with a login; the type is enough to look for the cause.
            log.warning("DAG %s cannot be looked up (%s)", dag_id, type(error).__name__)
            return KnownDag(Origin.UNKNOWN, f"its DAG {dag_id} cannot be looked up ({type(error).__name__})")

    def whereabouts(deployment: SeldonDeployment) -> Whereabouts:
        identity = Identity.of(deployment)
        if not identity.dag_id:
            return Whereabouts(origin=Origin.UNKNOWN, reason="no DAG has made it")
        return known(identity.dag_id).whereabouts(identity.task_id)

    return whereabouts


def source_for(airflow_conn_id: str | None, task_instance: Any) -> Source:
    """
    Return where this Airflow is asked.

    :param airflow_conn_id: connection of its REST API; None without one.
    :param task_instance: of the task that asks.
    """
    from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

    if airflow_conn_id:
        from airflow_provider_seldon.hooks.origins.rest_api import RestApi

        return RestApi(airflow_conn_id)
    if AIRFLOW_V_3_0_PLUS:
        from airflow_provider_seldon.hooks.origins.task_api import TaskApi

        return TaskApi(task_instance)
    from airflow_provider_seldon.hooks.origins.database import Database

    return Database()
