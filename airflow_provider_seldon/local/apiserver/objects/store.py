"""The objects of the local API server: one revision counter, ordered collections and a bounded history.

Purpose: the role of etcd in a cluster. Every write gets the next number of one counter (the resource
version), every change is kept as an :class:`Event` until the history's limit or a compaction drops it, and
watchers are notified in order. Stored objects are never changed in place: a write stores a new one, so that
lists, events and watchers can share them and each is serialised once. It knows nothing about HTTP,
permissions or the rules of a kind. Not thread safe: everything happens on the server's event loop.
"""

from __future__ import annotations

import json
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_seldon.local.apiserver.protocol import status
from airflow_provider_seldon.local.apiserver.protocol.resources import ResourceType

Manifest = dict[str, Any]
Key = tuple[str, str]
"""Namespace (empty for cluster-scoped objects) and name."""


_ITEM = "item"


def encode(value: Any) -> bytes:
    """Return compact JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


class Stored:
    """
    One object at one resource version; treat ``manifest`` as frozen.

    :param resource: Its type.
    :param manifest: The whole object, in the stored version.
    :param revision: Its resource version as a number.
    """

    __slots__ = ("_encoded", "manifest", "resource", "revision")

    def __init__(self, resource: ResourceType, manifest: Manifest, revision: int) -> None:
        self.resource = resource
        self.manifest = manifest
        self.revision = revision
        self._encoded: dict[str, bytes] = {}

    @property
    def metadata(self) -> Mapping[str, Any]:
        """The object's metadata."""
        metadata: Mapping[str, Any] = self.manifest["metadata"]
        return metadata

    @property
    def key(self) -> Key:
        """Namespace and name."""
        return self.metadata.get("namespace", ""), self.metadata["name"]

    @property
    def uid(self) -> str:
        """The object's unique id."""
        return str(self.metadata["uid"])

    def in_version(self, version: str) -> Manifest:
        """Return the object as another served version: only ``apiVersion`` differs."""
        api_version = self.resource.api_version_of(version)
        if self.manifest["apiVersion"] == api_version:
            return self.manifest
        return self.manifest | {"apiVersion": api_version}

    def encoded(self, version: str) -> bytes:
        """Return the JSON of the object in a served version, made once."""
        data = self._encoded.get(version)
        if data is None:
            data = self._encoded[version] = encode(self.in_version(version))
        return data

    def encoded_item(self) -> bytes:
        """Return the JSON of the object as an item of a typed list: without version and kind."""
        data = self._encoded.get(_ITEM)
        if data is None:
            bare = {k: v for k, v in self.manifest.items() if k not in ("apiVersion", "kind")}
            data = self._encoded[_ITEM] = encode(bare)
        return data


@dataclass(frozen=True, slots=True)
class Event:
    """
    One change.

    :param revision: The resource version it happened at.
    :param before: The object before it; ``None`` for a creation.
    :param after: The object after it; ``None`` for a deletion.
    :param tombstone: For a deletion, the last state under the deletion's resource version.
    """

    revision: int
    before: Stored | None
    after: Stored | None
    tombstone: Stored | None = None

    @property
    def key(self) -> Key:
        """Namespace and name of the object that changed."""
        stored = self.after or self.before
        assert stored is not None
        return stored.key


Listener = Callable[[Event], None]


class Collection:
    """All objects of one resource type, in the order of their keys, with their history."""

    def __init__(self, resource: ResourceType, history_limit: int) -> None:
        self.resource = resource
        self.objects: dict[Key, Stored] = {}
        self.keys: list[Key] = []
        self.history: deque[Event] = deque()
        self.history_limit = history_limit
        self.compacted = 0
        self.listeners: list[Listener] = []

    def record(self, event: Event) -> None:
        """Keep an event, drop the oldest ones beyond the limit, and notify the listeners."""
        self.history.append(event)
        while len(self.history) > self.history_limit:
            self.compacted = self.history.popleft().revision
        for listener in tuple(self.listeners):
            listener(event)

    def compact(self, revision: int) -> None:
        """Drop all events up to and including ``revision``."""
        while self.history and self.history[0].revision <= revision:
            self.history.popleft()
        self.compacted = max(self.compacted, revision)


class Store:
    """
    In-memory storage with the guarantees of the Kubernetes API for resource versions.

    :param history_limit: Maximum number of events per resource type; a watch or a paged list of older ones
        gets 410.
    """

    def __init__(self, *, history_limit: int = 20_000) -> None:
        self.revision = 1
        self._history_limit = history_limit
        self._collections: dict[str, Collection] = {}
        self._by_uid: dict[str, Stored] = {}

    def collection(self, resource: ResourceType) -> Collection:
        """Return the collection of a resource type."""
        found = self._collections.get(resource.qualified)
        if found is None:
            found = Collection(resource, self._history_limit)
            self._collections[resource.qualified] = found
        return found

    def get(self, resource: ResourceType, namespace: str, name: str) -> Stored | None:
        """Return one object, or ``None``."""
        return self.collection(resource).objects.get((namespace, name))

    def by_uid(self, uid: str) -> Stored | None:
        """Return the object with this uid, of whatever type, or ``None``."""
        return self._by_uid.get(uid)

    def everything(self) -> Iterable[Stored]:
        """Return all objects of all types."""
        return list(self._by_uid.values())

    def list(self, resource: ResourceType, namespace: str | None = None) -> Iterator[Stored]:
        """Yield the objects of a type in key order; of one namespace, or of all when it is ``None``."""
        collection = self.collection(resource)
        objects = collection.objects
        if namespace is None:
            for key in list(collection.keys):
                yield objects[key]
            return
        start = bisect_left(collection.keys, (namespace, ""))
        for key in collection.keys[start:]:
            if key[0] != namespace:
                return
            yield objects[key]

    def list_at(self, resource: ResourceType, namespace: str | None, revision: int) -> Iterator[Stored]:
        """
        Yield the objects as they were at an older resource version, by undoing the history.

        :raises StatusError: 410 if the history is too short.
        """
        collection = self.collection(resource)
        if revision < collection.compacted:
            raise status.expired("The resourceVersion for the provided list is too old.")
        if not collection.history or collection.history[-1].revision <= revision:
            yield from self.list(resource, namespace)
            return
        objects = dict(collection.objects)
        for event in reversed(collection.history):
            if event.revision <= revision:
                break
            if event.before is None:
                objects.pop(event.key, None)
            else:
                objects[event.key] = event.before
        for key in sorted(objects):
            if namespace is None or key[0] == namespace:
                yield objects[key]

    def since(self, resource: ResourceType, revision: int) -> Sequence[Event]:
        """
        Return the events after ``revision``.

        :raises StatusError: 410 if some of them were dropped.
        """
        collection = self.collection(resource)
        if revision < collection.compacted:
            raise status.expired(f"too old resource version: {revision} ({collection.compacted})")
        recent: deque[Event] = deque()
        for event in reversed(collection.history):
            if event.revision <= revision:
                break
            recent.appendleft(event)
        return recent

    def put(self, resource: ResourceType, manifest: Manifest) -> Stored:
        """Store a new or changed object under the next resource version; the manifest now belongs to the store."""
        self.revision += 1
        manifest["metadata"]["resourceVersion"] = str(self.revision)
        stored = Stored(resource, manifest, self.revision)
        collection = self.collection(resource)
        key = stored.key
        before = collection.objects.get(key)
        if before is None:
            insort(collection.keys, key)
        collection.objects[key] = stored
        self._by_uid[stored.uid] = stored
        collection.record(Event(self.revision, before, stored))
        return stored

    def remove(self, stored: Stored) -> Stored:
        """Delete an object and return its last state under the deletion's resource version."""
        self.revision += 1
        collection = self.collection(stored.resource)
        key = stored.key
        last = collection.objects.pop(key)
        del collection.keys[bisect_left(collection.keys, key)]
        self._by_uid.pop(last.uid, None)
        metadata = last.manifest["metadata"] | {"resourceVersion": str(self.revision)}
        tombstone = Stored(stored.resource, last.manifest | {"metadata": metadata}, self.revision)
        collection.record(Event(self.revision, last, None, tombstone))
        return tombstone

    def compact(self, revision: int | None = None) -> None:
        """
        Drop the history, like etcd every few minutes, so that old watches and paged lists get 410.

        :param revision: Up to and including this resource version; default is everything so far.
        """
        for collection in self._collections.values():
            collection.compact(self.revision if revision is None else revision)
