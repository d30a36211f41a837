"""The response to a watch request: the initial events, then events and bookmarks until its timeout."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

from aiohttp import web

from airflow_provider_seldon.local.apiserver.objects.store import Store, Stored, encode
from airflow_provider_seldon.local.apiserver.protocol import status
from airflow_provider_seldon.local.apiserver.protocol.request import RequestInfo, invalid_option
from airflow_provider_seldon.local.apiserver.protocol.resources import ResourceType
from airflow_provider_seldon.local.apiserver.reads import watching
from airflow_provider_seldon.local.apiserver.reads.reading import Selection
from airflow_provider_seldon.local.apiserver.reads.representation import JSON, Representation
from airflow_provider_seldon.local.apiserver.reads.watching import Watcher, WatchHub

_DEFAULT_SECONDS = 1800.0


class WatchServer:
    """
    Serves watches.

    :param store: Stores objects.
    :param bookmark_seconds: Time between the bookmarks of a watch that allows them.
    """

    def __init__(self, *, store: Store, bookmark_seconds: float) -> None:
        self._store = store
        self._bookmark_seconds = bookmark_seconds
        self._hubs: dict[str, WatchHub] = {}

    def close_all(self) -> None:
        """End all watches, cleanly."""
        for hub in self._hubs.values():
            hub.close_all()

    def _hub(self, resource: ResourceType) -> WatchHub:
        hub = self._hubs.get(resource.qualified)
        if hub is None:
            hub = self._hubs[resource.qualified] = WatchHub(resource, self._store)
        return hub

    async def serve(
        self, request: web.Request, info: RequestInfo, form: Representation, *, close_after: float | None
    ) -> web.StreamResponse:
        """
        Stream events until the client's timeout, its disconnect, or ``close_after`` seconds.

        :raises StatusError: 400, 422 or 500 for invalid parameters. A resource version that is too old is not
            an error of the request: the stream reports it (an ``ERROR`` event with 410).
        """
        selection = Selection.of(info)
        _check_initial_events(info)
        seconds = float(info.number("timeoutSeconds") or _DEFAULT_SECONDS)
        if close_after is not None:
            seconds = min(seconds, close_after)

        def render(stored: Stored) -> bytes:
            return form.one(info, stored)

        # Nothing may be awaited between reading the current objects and subscribing to changes.
        start, failed = self._start(info, selection, render)
        watcher, unsubscribe = self._hub(info.resource).subscribe(info, selection, form.name, render)
        response = web.StreamResponse(headers={"Content-Type": JSON, "Cache-Control": "no-cache, private"})
        response.enable_chunked_encoding()
        try:
            await response.prepare(request)
            if start:
                await response.write(start)
            if not failed:
                await self._stream(response, info, watcher, seconds)
            with suppress(ConnectionError):
                await response.write_eof()
        finally:
            unsubscribe()
        return response

    def _start(
        self, info: RequestInfo, selection: Selection, render: Callable[[Stored], bytes]
    ) -> tuple[bytes, bool]:
        """Return the first events of a watch (objects, missed events or an error), and whether it ends."""
        revision = info.revision()
        initial = info.flag("sendInitialEvents") if "sendInitialEvents" in info.query else not revision
        lines: list[bytes] = []
        try:
            if initial:
                lines += [
                    watching.event_line(watching.ADDED, render(stored))
                    for stored in self._store.list(info.resource, info.namespace or None)
                    if selection.matches(stored)
                ]
                if "sendInitialEvents" in info.query and info.flag("allowWatchBookmarks"):
                    lines.append(watching.bookmark(info, self._store.revision, initial_events_end=True))
            elif revision:
                events = self._store.since(info.resource, revision)
                lines += watching.replay(events, info, selection, render)
        except status.StatusError as error:
            return watching.event_line(watching.ERROR, encode(error.body())), True
        return b"".join(lines), False

    async def _stream(
        self, response: web.StreamResponse, info: RequestInfo, watcher: Watcher, seconds: float
    ) -> None:
        bookmarks = info.flag("allowWatchBookmarks")
        now = time.monotonic()
        deadline, next_bookmark = now + seconds, now + self._bookmark_seconds
        while now < deadline:
            await watcher.wait((min(deadline, next_bookmark) if bookmarks else deadline) - now)
            now = time.monotonic()
            data = watcher.take()
            if bookmarks and now >= next_bookmark:
                # Everything up to this version is in ``data`` or was sent before: nothing was awaited in
                # between.
                data += watching.bookmark(info, self._store.revision)
                next_bookmark = now + self._bookmark_seconds
            if data:
                await response.write(data)
            if watcher.closed:
                return


def _check_initial_events(info: RequestInfo) -> None:
    match = info.query.get("resourceVersionMatch", "")
    if "sendInitialEvents" in info.query and match != "NotOlderThan":
        text = "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
    elif match and "sendInitialEvents" not in info.query:
        text = "Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
    else:
        return
    raise invalid_option("ListOptions", "resourceVersionMatch", text)
