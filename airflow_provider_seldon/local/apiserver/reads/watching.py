"""Watches: the receivers of each change, and their streams.

Purpose: "Efficient detection of changes" of the Kubernetes API concepts. Watches with the same scope and
selectors form a group, for which an event is evaluated and serialised once, for any number of clients. A
group for a single name is found by that name, so that a thousand watches of single objects cost no more than
one. The caller reads the request and writes the response.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from airflow_provider_seldon.local.apiserver.objects.store import Event, Key, Store, Stored, encode
from airflow_provider_seldon.local.apiserver.protocol.request import RequestInfo
from airflow_provider_seldon.local.apiserver.protocol.resources import ResourceType
from airflow_provider_seldon.local.apiserver.reads.reading import Selection

ADDED, MODIFIED, DELETED, BOOKMARK, ERROR = "ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"

Render = Callable[[Stored], bytes]
"""Turns an object into the JSON of an event's object."""


def event_line(kind: str, body: bytes) -> bytes:
    """Return one line of a watch stream."""
    return b'{"type":"' + kind.encode() + b'","object":' + body + b"}\n"


class Watcher:
    """
    One client's queue of lines.

    :param limit: Maximum length of the queue; a slower client is disconnected, as by a real server.
    """

    def __init__(self, *, limit: int = 50_000) -> None:
        self._limit = limit
        self._lines: deque[bytes] = deque()
        self._wake = asyncio.Event()
        self.closed = False

    def push(self, line: bytes) -> None:
        """Queue a line."""
        if len(self._lines) >= self._limit:
            self.close()
            return
        self._lines.append(line)
        self._wake.set()

    def close(self) -> None:
        """End the stream after the queued lines."""
        self.closed = True
        self._wake.set()

    async def wait(self, timeout: float) -> None:
        """Return when a line is queued, when the watch is closed, or after ``timeout`` seconds."""
        if self._lines or self.closed:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._wake.wait()

    def take(self) -> bytes:
        """Return all queued lines; empty when there are none."""
        self._wake.clear()
        data = b"".join(self._lines)
        self._lines.clear()
        return data


@dataclass
class Group:
    """Watchers that receive the same events in the same representation."""

    namespace: str
    selection: Selection
    render: Render
    watchers: list[Watcher] = field(default_factory=list)

    def judge(self, event: Event) -> bytes | None:
        """Return the line of an event for this group's watchers, if any."""
        selected_before = event.before is not None and self.selection.matches(event.before)
        selected_after = event.after is not None and self.selection.matches(event.after)
        if selected_after and event.after is not None:
            kind = MODIFIED if selected_before else ADDED
            return event_line(kind, self.render(event.after))
        if not selected_before or event.before is None:
            return None
        last = event.tombstone or Stored(
            event.before.resource,
            event.before.manifest
            | {"metadata": event.before.manifest["metadata"] | {"resourceVersion": str(event.revision)}},
            event.revision,
        )
        return event_line(DELETED, self.render(last))


class WatchHub:
    """All watches of one resource type."""

    def __init__(self, resource: ResourceType, store: Store) -> None:
        self._store = store
        self._resource = resource
        self._groups: dict[str, Group] = {}
        self._pinned: dict[Key, dict[str, Group]] = {}
        store.collection(resource).listeners.append(self._tell)

    def _tell(self, event: Event) -> None:
        key = event.key
        for group in tuple(self._groups.values()):
            if not group.namespace or group.namespace == key[0]:
                self._deliver(group, event)
        for group in tuple(self._pinned.get(key, {}).values()):
            self._deliver(group, event)

    def _deliver(self, group: Group, event: Event) -> None:
        line = group.judge(event)
        if line is not None:
            for watcher in group.watchers:
                watcher.push(line)

    def subscribe(
        self, info: RequestInfo, selection: Selection, form: str, render: Render
    ) -> tuple[Watcher, Callable[[], None]]:
        """Return a watcher of a request's scope, and its cancel function; ``form`` names ``render``'s output."""
        groups = self._bucket(info, selection)
        identity = "\n".join(
            (info.namespace, selection.labels.text, selection.fields.text, info.version, form)
        )
        group = groups.setdefault(identity, Group(info.namespace, selection, render))
        watcher = Watcher()
        group.watchers.append(watcher)

        def unsubscribe() -> None:
            group.watchers.remove(watcher)
            if not group.watchers:
                groups.pop(identity, None)
            name = selection.fields.exact("metadata.name")
            if name is not None and not self._pinned.get((info.namespace, name), True):
                del self._pinned[(info.namespace, name)]

        return watcher, unsubscribe

    def _bucket(self, info: RequestInfo, selection: Selection) -> dict[str, Group]:
        name = selection.fields.exact("metadata.name")
        if name is None or (self._resource.namespaced and not info.namespace):
            return self._groups
        return self._pinned.setdefault((info.namespace, name), {})

    def close_all(self) -> None:
        """End every watch of this type."""
        for group in [
            *self._groups.values(),
            *(g for groups in self._pinned.values() for g in groups.values()),
        ]:
            for watcher in group.watchers:
                watcher.close()


def replay(
    events: Iterable[Event], info: RequestInfo, selection: Selection, render: Render
) -> Iterable[bytes]:
    """Yield the lines for past events in a request's scope."""
    group = Group(info.namespace, selection, render)
    for event in events:
        if not info.namespace or event.key[0] == info.namespace:
            line = group.judge(event)
            if line is not None:
                yield line


def bookmark(info: RequestInfo, revision: int, *, initial_events_end: bool = False) -> bytes:
    """Return the bookmark line with the present resource version."""
    metadata: dict[str, object] = {"resourceVersion": str(revision)}
    if initial_events_end:
        metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
    body = {"kind": info.resource.kind, "apiVersion": info.api_version, "metadata": metadata}
    return event_line(BOOKMARK, encode(body))
