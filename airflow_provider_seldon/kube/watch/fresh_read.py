"""
A single check: two reads of one deployment and its children, without a watch.

For a sensor's poke, for which a watch would list the whole namespace to answer one question; and before a
wait ends without success, because a watch may have been silent for some time.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from airflow_provider_seldon.core.children.expected import ID_LABEL, child_ids, deployment_id
from airflow_provider_seldon.core.resource.unstructured import Object, items_at
from airflow_provider_seldon.exceptions import ForbiddenError, NotFoundError, SeldonError
from airflow_provider_seldon.kube.requests import paths
from airflow_provider_seldon.kube.requests.session import ApiSession
from airflow_provider_seldon.kube.watch.pod_reader import SharedPods
from airflow_provider_seldon.kube.watch.store import trimmed_child, trimmed_deployment

log = logging.getLogger(__name__)

#: Timeout in seconds of one read.
LOOK_TIMEOUT = 10.0
#: Maximum seconds between two tries.
LOOK_PAUSE = 4.0


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """
    A deployment as last seen.

    :param deployment: the SeldonDeployment; None when there is none.
    :param children: its Kubernetes Deployments; None without permission to read them.
    """

    deployment: Object | None
    children: list[Object] | None


class DirectReads:
    """
    The reads of a watch's subscription that go to the server itself.

    :param session: the cluster.
    :param namespace: the namespace.
    :param name: name of the deployment.
    """

    def __init__(self, *, session: ApiSession, namespace: str, name: str) -> None:
        self._session = session
        self._namespace = namespace
        self._name = name
        self._pods = SharedPods(session=session, namespace=namespace)

    async def fresh_snapshot(self) -> Snapshot:
        """See :func:`read_snapshot`."""
        return await read_snapshot(self._session, self._namespace, self._name)

    async def routes(self) -> Object | None:
        """See :func:`read_routes`."""
        return await read_routes(self._session, self._namespace, self._name)

    async def pods(self, children: Sequence[Object]) -> list[Object] | None:
        """Return the pods of those children; None if they cannot be read."""
        return await self._pods.of(children)


async def read_routes(session: ApiSession, namespace: str, name: str) -> Object | None:
    """
    Return the VirtualService or the Mappings as stored; None if there are none, or no permission to read
    them.

    :raises SeldonError: the API server does not answer.
    """
    for path, query in paths.routes(namespace, deployment_id(name)):
        with contextlib.suppress(NotFoundError, ForbiddenError):
            found = await session.get(path, query)
            if found.get("items", [found]):
                return found
    return None


async def read_snapshot(session: ApiSession, namespace: str, name: str) -> Snapshot:
    """
    Return a deployment and its children as currently stored.

    :raises SeldonError: the subclass for the status code; permission to read Deployments may be missing.
    """
    try:
        deployment = await session.get(paths.seldon_deployments(namespace, name))
    except NotFoundError:
        return Snapshot(deployment=None, children=[])
    path = paths.deployments(namespace)
    try:
        answer = await session.get(
            path, {"labelSelector": f"{ID_LABEL} in ({','.join(child_ids(deployment))})"}
        )
    except ForbiddenError:
        return Snapshot(deployment=trimmed_deployment(deployment), children=None)
    # In the form of a watch, so that the history of one can be compared with the other.
    children = [trimmed_child(child) for child in items_at(answer, "items")]
    return Snapshot(deployment=trimmed_deployment(deployment), children=[*children])


async def read_until(
    read: Callable[[], Awaitable[Snapshot]], until: float, *, clock: Callable[[], float], name: str
) -> Snapshot | None:
    """
    Retry a read, with growing pauses; None if the last try failed as well.

    :param until: time of the clock after which no further try starts; the first one always does.
    :param name: name of the deployment, for the log.
    """
    pause = LOOK_PAUSE / 8
    while True:
        try:
            async with asyncio.timeout(LOOK_TIMEOUT):
                return await read()
        except (SeldonError, ValueError, TimeoutError) as error:
            log.debug("%s cannot be read: %s", name, error)
        if clock() + pause > until:
            return None
        await asyncio.sleep(pause)
        pause = min(LOOK_PAUSE, pause * 2)
