"""The fleet, as one user may see it: all sources together, with what Airflow knows of the owners."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from airflow_provider_seldon.core.fleet.snapshot import Snapshot
from airflow_provider_seldon.core.fleet.view import Badge, DeploymentView, DetailView
from airflow_provider_seldon.fleet.shared_look import PATIENCE
from airflow_provider_seldon.fleet.sources import Source


class Ownership(Protocol):
    """What is asked about owners."""

    def tasks(self, dag_ids: Collection[str]) -> Mapping[str, frozenset[str]]:
        """Return, of those DAGs that there are, the ids of their tasks."""
        ...


@dataclass(frozen=True, kw_only=True)
class Listing:
    """
    What there is.

    :param looks: of each source, without the deployments.
    :param views: the deployments of all of them.
    """

    looks: Sequence[Snapshot]
    views: Sequence[DeploymentView]


class Fleet:
    """
    Puts the sources together.

    A deployment whose DAG is there is shown to those who may read that DAG; a foreign one, and one whose DAG is gone,
    to everybody who may see DAGs at all.

    :param sources: by connection and namespace, as configured.
    :param owners: what Airflow knows.
    """

    def __init__(self, sources: Mapping[tuple[str, str], Source], owners: Ownership) -> None:
        self._sources = sources
        self._owners = owners

    def listing(self, readable: Callable[[], Collection[str]]) -> Listing:
        """
        Return what somebody may see.

        :param readable: returns the ids of the DAGs that they may read.
        """
        until = time.monotonic() + PATIENCE
        for source in self._sources.values():
            # All begin to look before the first is waited for.
            source.listing(patience=0.0)
        found = [
            source.listing(patience=max(0.0, until - time.monotonic())) for source in self._sources.values()
        ]
        views = self._permitted([view for _, views in found for view in views], readable())
        return Listing(looks=[look for look, _ in found], views=views)

    def detail(
        self, connection: str, namespace: str, name: str, readable: Callable[[], Collection[str]]
    ) -> DetailView | None:
        """Return one deployment; None where there is none, or none that they may see."""
        for source in self._sources.values():
            if source.connection != connection:
                continue
            found = source.detail(name)
            if found is None or found.deployment.namespace != namespace:
                continue
            permitted = self._permitted([found.deployment], readable())
            return replace(found, deployment=permitted[0]) if permitted else None
        return None

    def _permitted(
        self, views: Sequence[DeploymentView], readable: Collection[str]
    ) -> Sequence[DeploymentView]:
        there = self._owners.tasks({view.dag_id for view in views if view.dag_id})
        found = []
        for view in views:
            if view.dag_id and view.dag_id in there and view.dag_id not in readable:
                continue
            gone = view.dag_id and view.task_id not in there.get(view.dag_id, frozenset())
            found.append(replace(view, badges=(*view.badges, str(Badge.ORPHANED))) if gone else view)
        return found
