"""
The informers of an event loop: the first wait in a namespace opens its informer, the last one closes it.

Problems of a namespace do not affect others: only the HTTP session is shared between namespaces.
"""

from __future__ import annotations

import asyncio
from weakref import WeakKeyDictionary

from airflow_provider_seldon.kube.access.access import ClusterAccess
from airflow_provider_seldon.kube.requests.session import ApiSession
from airflow_provider_seldon.kube.watch.informer import SharedInformer, Subscription
from airflow_provider_seldon.kube.watch.reflector import Tuning


class InformerFactory:
    """All watches of one event loop."""

    def __init__(self) -> None:
        self._sessions: dict[str, tuple[ApiSession, set[str]]] = {}
        self._informers: dict[tuple[str, str], SharedInformer] = {}

    def join(self, access: ClusterAccess, namespace: str, tuning: Tuning) -> SharedInformer:
        """Return the watch of a namespace, opened when there is none."""
        watch = self._informers.get((access.key, namespace))
        if watch is None:
            session, users = self._sessions.setdefault(access.key, (ApiSession(access), set()))
            users.add(namespace)
            watch = SharedInformer(session=session, namespace=namespace, tuning=tuning)
            self._informers[access.key, namespace] = watch
        return watch

    @property
    def size(self) -> int:
        """Number of subscriptions in all namespaces."""
        return sum(informer.size for informer in self._informers.values())

    async def leave(self, access: ClusterAccess, namespace: str, watch: SharedInformer) -> None:
        """Close an informer and a session that are no longer used."""
        if watch.size or self._informers.get((access.key, namespace)) is not watch:
            return
        del self._informers[access.key, namespace]
        session, users = self._sessions[access.key]
        users.discard(namespace)
        if not users:
            del self._sessions[access.key]
        await watch.close()
        if not users:
            await session.close()


_BY_LOOP: WeakKeyDictionary[asyncio.AbstractEventLoop, InformerFactory] = WeakKeyDictionary()


def subscribers() -> int:
    """Return the number of subscriptions in the running event loop."""
    factory = _BY_LOOP.get(asyncio.get_running_loop())
    return factory.size if factory is not None else 0


class subscribe:  # noqa: N801 - used as a function
    """
    Watch one deployment, together with all other subscribers in that namespace.

    An asynchronous context manager that gives a ``Subscription``.

    :param access: the cluster and our identity there.
    :param name: name of the deployment; it need not exist.
    :param tuning: times and limits of the watch; those of the first subscriber apply.
    """

    __slots__ = ("_access", "_name", "_namespace", "_subscription", "_tuning", "_watch")

    def __init__(
        self, access: ClusterAccess, namespace: str, name: str, *, tuning: Tuning | None = None
    ) -> None:
        self._access = access
        self._namespace = namespace
        self._name = name
        self._tuning = tuning

    async def __aenter__(self) -> Subscription:
        shared = _BY_LOOP.setdefault(asyncio.get_running_loop(), InformerFactory())
        self._watch = shared.join(self._access, self._namespace, self._tuning or Tuning())
        self._subscription = self._watch.add(self._name)
        return self._subscription

    async def __aexit__(self, *_: object) -> None:
        self._watch.remove(self._subscription)
        await _BY_LOOP[asyncio.get_running_loop()].leave(self._access, self._namespace, self._watch)
