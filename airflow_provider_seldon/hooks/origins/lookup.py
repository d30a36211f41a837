"""
Look up the origin of a deployment in the way that this Airflow version offers.

With a connection: Airflow's stable REST API (v2, Airflow 3). Without one: on Airflow 2.11 the metadata
database, which tasks may read there; on Airflow 3 the task API, which reports only whether a DAG has existed
and was not deleted. Every DAG is looked up once. What cannot be looked up is unknown, and never an orphan.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_seldon.core.identity.identity import Identity
from airflow_provider_seldon.core.reaping.origin import Origin, Whereabouts
from airflow_provider_seldon.hooks.origins.known_dag import KnownDag

if TYPE_CHECKING:
    from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment

log = logging.getLogger(__name__)


class Source(Protocol):
    """Source of information about DAGs."""

    def dag(self, dag_id: str) -> KnownDag:
        """Return the state of a DAG."""


def lookup(source: Source) -> Callable[[SeldonDeployment], Whereabouts]:
    """Return a function that looks up the origin of a deployment."""

    @functools.cache
    def known(dag_id: str) -> KnownDag:
        try:
            return source.dag(dag_id)
        except Exception as error:
            # An error's text may quote a URL with a login; its type is enough to find the cause.
            log.warning("DAG %s cannot be looked up (%s)", dag_id, type(error).__name__)
            return KnownDag(Origin.UNKNOWN, f"its DAG {dag_id} cannot be looked up ({type(error).__name__})")

    def whereabouts(deployment: SeldonDeployment) -> Whereabouts:
        identity = Identity.of(deployment)
        if not identity.dag_id:
            return Whereabouts(origin=Origin.UNKNOWN, reason="it was not created by a DAG")
        return known(identity.dag_id).whereabouts(identity.task_id)

    return whereabouts


def source_for(airflow_conn_id: str | None, task_instance: Any) -> Source:
    """
    Return the source of information about this Airflow's DAGs.

    :param airflow_conn_id: connection of its REST API; None without one.
    :param task_instance: the running task instance.
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
