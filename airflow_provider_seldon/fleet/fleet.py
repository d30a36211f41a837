"""The fleet that one user may see: all sources together, with what Airflow knows about the owners."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from textwrap import shorten
from typing import Any, Protocol

from airflow_provider_seldon.core.fleet.reaper_view import ReaperEvent, ReaperRun
from airflow_provider_seldon.core.fleet.reaping import latest, of_deployment, reaping_of
from airflow_provider_seldon.core.fleet.snapshot import Snapshot
from airflow_provider_seldon.core.fleet.view import (
    Badge,
    DeploymentView,
    DetailView,
    FailureView,
    VersionView,
)
from airflow_provider_seldon.core.reaping.origin import Origin
from airflow_provider_seldon.fleet.runs import RunView
from airflow_provider_seldon.fleet.shared_look import PATIENCE
from airflow_provider_seldon.fleet.sources import Source
from airflow_provider_seldon.hooks.origins.known_dag import KnownDag

#: Maximum length of the cause of the last failure in a row of the list, in characters.
LONGEST_CAUSE = 160


class Ownership(Protocol):
    """Provides what Airflow knows about owners."""

    def dags(self, dag_ids: Collection[str]) -> Mapping[str, KnownDag]:
        """Return what is known about DAGs."""
        ...

    def runs(self, *, dag_id: str, task_id: str, name: str) -> Sequence[RunView]:
        """Return what the latest runs of a task did to a deployment, the last one first."""
        ...

    def failures(self, tasks: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], Sequence[RunView]]:
        """Return the latest failed runs of tasks, the last one first; by ids of DAG and task."""
        ...

    def reaper_runs(self) -> Sequence[ReaperRun]:
        """Return the latest runs of reapers, the last one first."""
        ...


@dataclass(frozen=True, kw_only=True)
class Listing:
    """
    The whole fleet.

    :param looks: the last look of each source, without the deployments.
    :param views: the deployments of all sources.
    :param reapers: what reapers did recently, the last run first.
    """

    looks: Sequence[Snapshot]
    views: Sequence[DeploymentView]
    reapers: Sequence[ReaperRun] = ()

    @property
    def due(self) -> Sequence[DeploymentView]:
        """The deployments that a reaper would change, or leaves although something is due."""
        return [view for view in self.views if view.reaping]


@dataclass(frozen=True, kw_only=True)
class Found:
    """
    One deployment.

    :param detail: its page; of versions that a DAG has deployed which the user may not read, without that run.
    :param look: the last look at its namespace, without the deployments.
    :param runs: what the latest runs of its task did; empty for users who may not read the DAG.
    :param reaped: what reapers did with it recently, the last event first.
    """

    detail: DetailView
    look: Snapshot
    runs: Sequence[RunView]
    reaped: Sequence[tuple[ReaperRun, ReaperEvent]]


class Fleet:
    """
    Combines the sources.

    If the DAG of a deployment exists, only users who may read that DAG see the deployment. Every user who may
    read any DAGs sees foreign deployments and those whose DAG is gone.

    :param sources: by connection and namespace, as configured.
    :param owners: what Airflow knows about owners.
    """

    def __init__(self, sources: Mapping[tuple[str, str], Source], owners: Ownership) -> None:
        self._sources = sources
        self._owners = owners
        self._connections = {source.connection for source in sources.values()}

    def listing(self, readable: Callable[[], Collection[str]]) -> Listing:
        """
        Return what a user may see.

        :param readable: returns the ids of the DAGs that the user may read.
        """
        until = time.monotonic() + PATIENCE
        for source in self._sources.values():
            # All sources start their look before the first one is awaited.
            source.listing(patience=0.0)
        found = [
            source.listing(patience=max(0.0, until - time.monotonic())) for source in self._sources.values()
        ]
        theirs = readable()
        reapers = self._reaper_runs(theirs)
        # A connection may be configured twice: with its own namespace, and without.
        once = {view.key: view for _, views in found for view in views}
        views = self._permitted(list(once.values()), theirs, reapers)
        return Listing(looks=[look for look, _ in found], views=views, reapers=reapers)

    def _reaper_runs(self, theirs: Collection[str]) -> Sequence[ReaperRun]:
        """Return the runs of DAGs that a user may read, with events only of deployments that are visible."""
        runs = [run for run in self._owners.reaper_runs() if run.dag_id in theirs]
        known = self._owners.dags({event.dag_id for run in runs for event in run.events if event.dag_id})
        return [
            replace(
                run,
                events=tuple(
                    event for event in run.events if _may_see(event.dag_id, known.get(event.dag_id), theirs)
                ),
            )
            for run in runs
        ]

    def detail(
        self, connection: str, namespace: str, name: str, readable: Callable[[], Collection[str]]
    ) -> Found | None:
        """Return one deployment; None if it does not exist, or the user may not see it."""
        for source in self._sources.values():
            if source.connection != connection or source.namespace not in ("", namespace):
                continue
            found = source.detail(name)
            if found is None or found.deployment.namespace != namespace:
                continue
            theirs = readable()
            reapers = self._reaper_runs(theirs)
            permitted = self._permitted([found.deployment], theirs, reapers)
            if not permitted:
                return None
            view = permitted[0]
            runs = (
                self._owners.runs(dag_id=view.dag_id, task_id=view.task_id, name=name)
                if view.dag_id in theirs
                else ()
            )
            return Found(
                detail=replace(found, deployment=view, versions=self._versions(found, theirs)),
                look=source.listing(patience=0.0)[0],
                runs=runs,
                reaped=of_deployment(latest(reapers), view),
            )
        return None

    def _versions(self, found: DetailView, theirs: Collection[str]) -> tuple[VersionView, ...]:
        """Return the proven versions, without the runs of DAGs that a user may not read."""
        known = self._owners.dags({one.dag_id for one in found.versions if one.dag_id})
        return tuple(
            one
            if _may_see(one.dag_id, known.get(one.dag_id), theirs)
            else replace(one, dag_id="", task_id="", run_id="")
            for one in found.versions
        )

    def _permitted(
        self, views: Sequence[DeploymentView], readable: Collection[str], reapers: Sequence[ReaperRun]
    ) -> Sequence[DeploymentView]:
        known, now = self._owners.dags({view.dag_id for view in views if view.dag_id}), time.time()
        tasks = {(view.dag_id, view.task_id) for view in views if view.dag_id in readable}
        failed = self._owners.failures(tasks) if tasks else {}
        found = []
        for view in views:
            if not _may_see(view.dag_id, known.get(view.dag_id), readable):
                continue
            origin = known[view.dag_id].whereabouts(view.task_id) if view.dag_id in known else None
            changes: dict[str, Any] = {}
            if origin is not None and origin.is_orphan:
                changes["badges"] = (*view.badges, str(Badge.ORPHANED))
            if reaping := reaping_of(view, origin, reapers, now=now, connections=self._connections):
                changes["reaping"] = reaping
            if view.dag_id in readable and (
                failure := last_failure(view, failed.get((view.dag_id, view.task_id), ()))
            ):
                changes["last_failure"] = failure
            found.append(replace(view, **changes) if changes else view)
        return found


def last_failure(view: DeploymentView, failed: Sequence[RunView]) -> FailureView | None:
    """
    Return the last run that failed to deploy a deployment; None without one.

    A run that failed before it knew its deployment counts for the one that its task, or its map index, has
    deployed.
    """
    for run in failed:
        if run.name == view.name or (not run.name and run.map_index == view.map_index):
            cause = shorten(run.cause, LONGEST_CAUSE, placeholder=" ...")
            return FailureView(at=run.ended, cause=cause, run_id=run.run_id, map_index=run.map_index)
    return None


def _may_see(dag_id: str, known: KnownDag | None, readable: Collection[str]) -> bool:
    """Whether a user may see a DAG's deployment: if the DAG exists, or may exist, its readers only."""
    gone = known is None or known.origin in (Origin.GONE, Origin.UNHEARD_OF)
    return not dag_id or gone or dag_id in readable
