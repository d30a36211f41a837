"""
One LIST and WATCH for all waits in the same namespace of the same cluster, in the same event loop.

Changes are dispatched by name, so that an event costs the same for one wait or thousands. Pods are read only
when a wait needs them, by one LIST for all of these waits.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

from airflow_provider_seldon.core.children.expected import ID_LABEL
from airflow_provider_seldon.core.resource.unstructured import Object
from airflow_provider_seldon.exceptions import (
    DeploymentNotFoundError,
    ForbiddenError,
    NotFoundError,
    SeldonError,
)
from airflow_provider_seldon.kube.requests import paths
from airflow_provider_seldon.kube.requests.session import ApiSession
from airflow_provider_seldon.kube.watch.fresh_read import Snapshot, read_routes, read_snapshot
from airflow_provider_seldon.kube.watch.pod_reader import FRESH, SharedPods
from airflow_provider_seldon.kube.watch.reflector import Reflector, Sink, Tuning
from airflow_provider_seldon.kube.watch.store import Store

log = logging.getLogger(__name__)

#: Seconds after which the permission to read Deployments is checked again.
RETRY_REFUSED = 60.0
#: Subscriptions that are woken in one turn of the event loop when everything changes at once.
WAKE_AT_ONCE = 20


class Subscription:
    """One waiter's view of the namespace."""

    __slots__ = ("_changed", "_sleeping", "_watch", "name")

    def __init__(self, watch: SharedInformer, name: str) -> None:
        self.name = name
        self._watch = watch
        self._changed = True
        self._sleeping: asyncio.Future[None] | None = None

    @property
    def trouble(self) -> str:
        """The current problem of the watch; empty when there is none."""
        return self._watch.trouble

    @property
    def company(self) -> int:
        """Number of waits in this namespace."""
        return self._watch.size

    def wake(self) -> None:
        """Record that something changed."""
        if not self._watch.readable:  # still being read for the first time
            return
        self._changed = True
        if self._sleeping is not None and not self._sleeping.done():
            self._sleeping.set_result(None)

    def snapshot(self) -> Snapshot | None:
        """
        Return the last seen state; None when nothing has been read yet.

        :raises SeldonError: the namespace cannot be watched, now or later.
        """
        self._changed = False
        return self._watch.snapshot(self.name)

    async def changed(self, timeout: float) -> None:
        """Return when something has changed since the last snapshot, or after that many seconds."""
        if self._changed:
            return
        loop = asyncio.get_running_loop()
        # A future and a timer instead of an Event with a timeout: thousands sleep here, so the cost matters.
        self._sleeping = sleeping = loop.create_future()
        timer = loop.call_later(max(0.0, timeout), _end, sleeping)
        try:
            await sleeping
        finally:
            timer.cancel()
            self._sleeping = None

    async def read(self) -> Object | None:
        """Return the SeldonDeployment as currently stored; None when there is none."""
        return await self._watch.read(self.name)

    async def fresh_snapshot(self) -> Snapshot:
        """
        Return deployment and children as currently stored, without the watch.

        :raises SeldonError: the subclass for the status code.
        """
        return await self._watch.fresh_snapshot(self.name)

    async def routes(self) -> Object | None:
        """
        Return the VirtualService or the Mappings as stored; None if there are none, or no permission to read
        them.

        :raises SeldonError: the API server does not answer.
        """
        return await self._watch.routes(self.name)

    async def pods(self, children: Sequence[Object], *, age: float = FRESH) -> list[Object] | None:
        """Return the pods of those children, at most ``age`` seconds old; None without permission."""
        return await self._watch.pods.of(children, age=age)


class SharedInformer:
    """
    The shared watch of one namespace.

    :param session: the cluster.
    :param namespace: the namespace.
    :param tuning: its times and limits.
    """

    def __init__(self, *, session: ApiSession, namespace: str, tuning: Tuning) -> None:
        self.pods = SharedPods(session=session, namespace=namespace)
        self._session = session
        self._namespace = namespace
        self._tuning = tuning
        self._store = Store()
        self._error: SeldonError | None = None
        self._subscriptions: set[Subscription] = set()
        self._synced = {"deployments": False, "children": False}
        self._children_refused = False
        self._tasks: list[asyncio.Task[None]] = []
        self._path = paths.seldon_deployments(namespace)
        store = self._store
        self._deployments = self._reflector(
            "deployments",
            self._path,
            {},
            Sink(put=store.put_deployment, drop=store.drop_deployment, names=store.deployments),
        )
        self._children = self._reflector(
            "children",
            paths.deployments(namespace),
            {"labelSelector": ID_LABEL},
            Sink(put=store.put_child, drop=store.drop_child, names=store.children),
        )

    @property
    def size(self) -> int:
        """Number of subscriptions."""
        return len(self._subscriptions)

    @property
    def readable(self) -> bool:
        """Whether there is a snapshot, or an error why there never will be."""
        return self._error is not None or all(self._synced.values())

    @property
    def trouble(self) -> str:
        """The current problem of a reflector; empty when there is none."""
        return self._deployments.trouble or ("" if self._children_refused else self._children.trouble)

    def add(self, name: str) -> Subscription:
        """Start to dispatch changes of the deployment with that name."""
        subscription = Subscription(self, name)
        self._subscriptions.add(subscription)
        self._store.entry(name).listeners.add(subscription.wake)
        if not self._tasks:
            self._tasks = [_spawn(self._keep_deployments()), _spawn(self._keep_children())]
        return subscription

    def remove(self, subscription: Subscription) -> None:
        """Stop to dispatch changes."""
        self._subscriptions.discard(subscription)
        self._store.leave(subscription.name, subscription.wake)

    async def close(self) -> None:
        """Stop both watches."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def snapshot(self, name: str) -> Snapshot | None:
        """See ``Subscription.snapshot``."""
        if self._error is not None:
            raise self._error
        if not all(self._synced.values()):
            return None
        entry = self._store.entry(name)
        return Snapshot(
            deployment=entry.deployment, children=None if self._children_refused else entry.children
        )

    async def read(self, name: str) -> Object | None:
        """See ``Subscription.read``."""
        try:
            return await self._session.get(f"{self._path}/{name}")
        except (NotFoundError, DeploymentNotFoundError):
            return None

    async def routes(self, name: str) -> Object | None:
        """See ``Subscription.routes``."""
        return await read_routes(self._session, self._namespace, name)

    async def fresh_snapshot(self, name: str) -> Snapshot:
        """See ``Subscription.fresh_snapshot``."""
        return await read_snapshot(self._session, self._namespace, name)

    async def _keep_deployments(self) -> None:
        try:
            await self._deployments.run()
        except SeldonError as error:
            self._error = error
        except Exception as error:
            log.exception("The watch of SeldonDeployments ended")
            self._error = SeldonError(f"The watch of SeldonDeployments ended: {error!r}")
        await self._wake_all()

    async def _keep_children(self) -> None:
        """Keep the children; without permission to read them, the waits continue with weaker evidence."""
        while True:
            try:
                await self._children.run()
            except ForbiddenError as error:
                if not self._children_refused:
                    log.warning(
                        "No permission to read Deployments; only the status can be evaluated: %s", error
                    )
                self._children_refused = True
                self._note_synced("children")
                await asyncio.sleep(RETRY_REFUSED)
            except SeldonError as error:
                self._error = error
                await self._wake_all()
                return
            except Exception as error:
                log.exception("The watch of Deployments ended")
                self._error = SeldonError(f"The watch of Deployments ended: {error!r}")
                await self._wake_all()
                return

    def _reflector(self, kind: str, path: str, query: Mapping[str, str], sink: Sink) -> Reflector:
        return Reflector(
            session=self._session,
            path=path,
            query=query,
            sink=sink,
            on_synced=lambda: self._listed(kind),
            tuning=self._tuning,
        )

    def _listed(self, kind: str) -> None:
        if kind == "children" and self._children_refused:
            self._children_refused = False
            self._waking = _spawn(self._wake_all())
        self._note_synced(kind)

    def _note_synced(self, kind: str) -> None:
        if self._synced[kind]:
            return
        self._synced[kind] = True
        if all(self._synced.values()):
            self._waking = _spawn(self._wake_all())

    async def _wake_all(self) -> None:
        for number, subscription in enumerate(list(self._subscriptions), 1):
            subscription.wake()
            if number % WAKE_AT_ONCE == 0:
                await asyncio.sleep(0)


def _end(sleeping: asyncio.Future[None]) -> None:
    if not sleeping.done():
        sleeping.set_result(None)


def _spawn(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Run ``work`` outside of the context of the first subscriber, so that its log is in no task log."""
    return asyncio.get_running_loop().create_task(work, context=contextvars.Context())
