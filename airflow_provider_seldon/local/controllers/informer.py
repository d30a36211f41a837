"""A cache of one resource type, kept up to date by LIST and WATCH, that notifies subscribers of changes.

Controllers read from here and not from the server, as in controller-runtime; so they may read slightly old
objects, which is the cause of some of the real operator's faults.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator

import aiohttp

from airflow_provider_seldon.local.client.api_client import ApiClient
from airflow_provider_seldon.local.client.errors import ApiError
from airflow_provider_seldon.local.client.kinds import Kind, Manifest
from airflow_provider_seldon.local.controllers.manifests import controller_of, key_of, now

log = logging.getLogger(__name__)

Key = tuple[str, str]
Handler = Callable[[Manifest | None, Manifest | None], None]
"""Called with the object before and after: ``(None, new)``, ``(old, new)`` or ``(old, None)``."""

_RETRY_SECONDS = 0.2


class Informer:
    """Caches one kind in all namespaces (or in one).

    :param api: client for reads
    :param kind: the resource type to cache
    :param namespace: only this namespace
    """

    def __init__(self, *, api: ApiClient, kind: Kind, namespace: str | None = None) -> None:
        self._api = api
        self._kind = kind
        self._namespace = namespace
        self._objects: dict[Key, Manifest] = {}
        self._by_owner: dict[str, set[Key]] = {}
        self._version = ""
        self._handlers: list[Handler] = []
        self.synced = asyncio.Event()

    def subscribe(self, handler: Handler) -> None:
        """Call ``handler`` for every cached object, and for every change from now on."""
        self._handlers.append(handler)
        for manifest in self._objects.values():
            handler(None, manifest)

    def get(self, namespace: str, name: str) -> Manifest | None:
        """The cached object; it must not be changed in place."""
        return self._objects.get((namespace, name))

    def all(self) -> Iterator[Manifest]:
        """Every cached object."""
        yield from self._objects.values()

    def owned_by(self, uid: str) -> list[Manifest]:
        """The objects whose managing controller has this uid."""
        return [self._objects[key] for key in sorted(self._by_owner.get(uid, ()))]

    def observe(self, manifest: Manifest) -> None:
        """
        Add the response of the caller's own write to the cache at once, for the next pass.

        If the watch has already passed that write, it has also reported all later changes, perhaps a
        deletion.
        """
        if _is_newer(manifest["metadata"]["resourceVersion"], self._version):
            self._put(manifest)

    def expect_deletion(self, namespace: str, name: str) -> None:
        """Record at once that the caller has deleted an object; the watch may report that later."""
        old = self._objects.get((namespace, name))
        if old is not None and "deletionTimestamp" not in old["metadata"]:
            metadata = old["metadata"] | {"deletionTimestamp": now()}
            self._objects[(namespace, name)] = old | {"metadata": metadata}

    async def run(self) -> None:
        """Keep the cache until cancelled; survives restarts and errors of the server."""
        while True:
            try:
                await self._relist()
                await self._follow()
            except (ApiError, aiohttp.ClientError, OSError, ValueError) as error:
                if not (isinstance(error, ApiError) and error.gone):
                    log.debug("watch of %s broke: %s", self._kind.plural, error)
                    await asyncio.sleep(_RETRY_SECONDS)

    async def _relist(self) -> None:
        items, self._version = await self._api.list(self._kind, self._namespace)
        listed = {key_of(item): item for item in items}
        for key in [key for key in self._objects if key not in listed]:
            self._drop(key)
        for item in items:
            self._put(item)
        self.synced.set()

    async def _follow(self) -> None:
        """Watch from the present version; a stream that ends without an error is resumed."""
        while True:
            async for event in self._api.watch(self._kind, self._namespace, resource_version=self._version):
                self._version = event.object["metadata"]["resourceVersion"]
                if event.type == "DELETED":
                    self._drop(key_of(event.object))
                elif event.type in ("ADDED", "MODIFIED"):
                    self._put(event.object)

    def _put(self, manifest: Manifest) -> None:
        key = key_of(manifest)
        old = self._objects.get(key)
        if old is not None and not _is_newer(
            manifest["metadata"]["resourceVersion"], old["metadata"]["resourceVersion"]
        ):
            return
        self._unindex(key)
        self._objects[key] = manifest
        owner = controller_of(manifest)
        if owner is not None:
            self._by_owner.setdefault(owner["uid"], set()).add(key)
        self._tell(old, manifest)

    def _drop(self, key: Key) -> None:
        self._unindex(key)
        old = self._objects.pop(key, None)
        if old is not None:
            self._tell(old, None)

    def _unindex(self, key: Key) -> None:
        old = self._objects.get(key)
        owner = controller_of(old) if old is not None else None
        if owner is not None:
            keys = self._by_owner.get(owner["uid"], set())
            keys.discard(key)
            if not keys:
                self._by_owner.pop(owner["uid"], None)

    def _tell(self, old: Manifest | None, new: Manifest | None) -> None:
        for handler in self._handlers:
            try:
                handler(old, new)
            except Exception:  # an error of one subscriber must not stop the cache of all
                log.exception("a subscriber of %s failed", self._kind.plural)


def _is_newer(version: str, than: str) -> bool:
    """
    Whether one resource version comes after another; own writes may be observed before older events arrive.

    Resource versions are opaque to clients in general, but those of one resource type are decimal and grow
    in every API server there is (and officially since Kubernetes 1.35).
    """
    try:
        return int(version) > int(than)
    except ValueError:
        return True
