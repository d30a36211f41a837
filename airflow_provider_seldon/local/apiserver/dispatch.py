"""From an understood request to a response: which part answers, and in which representation.

Purpose: read verbs go to ``reading.py`` and ``watching.py``, writes to ``writing.py``, deletes to ``deletion.py``,
subresources with a shape of their own to theirs; the client gets JSON, a Table or bare metadata as its ``Accept``
header asks.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

from aiohttp import web

from airflow_provider_seldon.local.apiserver import logs, reviews, scale, status, tables, watching
from airflow_provider_seldon.local.apiserver.authorization import Authorizer, User
from airflow_provider_seldon.local.apiserver.commit import Outcome
from airflow_provider_seldon.local.apiserver.deletion import Deleter
from airflow_provider_seldon.local.apiserver.reading import Page, Reader, Selection, list_body
from airflow_provider_seldon.local.apiserver.request import RequestInfo
from airflow_provider_seldon.local.apiserver.resources import ResourceType
from airflow_provider_seldon.local.apiserver.store import Store, Stored, encode
from airflow_provider_seldon.local.apiserver.watching import Watcher, WatchHub
from airflow_provider_seldon.local.apiserver.writing import Writer

_JSON = "application/json"
_MAX_WATCH_SECONDS = 3600.0


class Representation:
    """
    The form that a client asks for.

    :param accept: The ``Accept`` header.
    :param include: The ``includeObject`` parameter, for tables.
    :raises StatusError: 406 when the client takes no JSON.
    """

    def __init__(self, accept: str, include: str) -> None:
        self.kind = ""
        self.include = include or "Metadata"
        choices = [choice.strip() for choice in accept.split(",") if choice.strip()]
        for choice in choices:
            media, *parameters = (part.strip() for part in choice.split(";"))
            if media not in (_JSON, "application/*", "*/*"):
                continue
            named = dict(parameter.partition("=")[::2] for parameter in parameters)
            form = named.get("as", "")
            if form in ("", "Table", "PartialObjectMetadata", "PartialObjectMetadataList"):
                self.kind = form.removesuffix("List")
                return
        if choices:
            raise status.StatusError(
                code=406,
                reason="NotAcceptable",
                message="only the following media types are accepted: application/json",
            )

    def one(self, info: RequestInfo, stored: Stored, *, headings: bool = True) -> bytes:
        """Return the JSON of one object in this form."""
        if self.kind == "Table":
            metadata = {"resourceVersion": str(stored.revision)}
            return encode(
                tables.table(
                    info.resource,
                    [stored],
                    version=info.version,
                    metadata=metadata,
                    include=self.include,
                    headings=headings,
                )
            )
        if self.kind == "PartialObjectMetadata":
            return encode(tables.partial(stored))
        return stored.encoded(info.version)

    def many(self, info: RequestInfo, page: Page) -> bytes:
        """Return the JSON of a list in this form."""
        if self.kind == "Table":
            return encode(
                tables.table(
                    info.resource,
                    page.items,
                    version=info.version,
                    metadata=page.metadata(),
                    include=self.include,
                )
            )
        if self.kind == "PartialObjectMetadata":
            return encode(
                {
                    "kind": "PartialObjectMetadataList",
                    "apiVersion": "meta.k8s.io/v1",
                    "metadata": page.metadata(),
                    "items": [tables.partial(stored) for stored in page.items],
                }
            )
        return list_body(info, page)


class Dispatcher:
    """
    Answers requests on resources.

    :param store: Where objects live.
    :param writer: Carries out writes.
    :param authorizer: Answers access reviews.
    :param log_source: Where pod logs come from; ``None`` when no kubelet is connected.
    :param bookmark_seconds: Time between the bookmarks of a watch that allows them.
    """

    def __init__(
        self,
        *,
        store: Store,
        writer: Writer,
        authorizer: Authorizer,
        log_source: logs.LogSource | None,
        bookmark_seconds: float,
    ) -> None:
        self.store = store
        self.log_source = log_source
        self._writer = writer
        self._reader = Reader(store)
        self._deleter = Deleter(store)
        self._authorizer = authorizer
        self._bookmark_seconds = bookmark_seconds
        self._hubs: dict[str, WatchHub] = {}

    def close_watches(self) -> None:
        """End all watches, cleanly."""
        for hub in self._hubs.values():
            hub.close_all()

    def _hub(self, resource: ResourceType) -> WatchHub:
        hub = self._hubs.get(resource.qualified)
        if hub is None:
            hub = self._hubs[resource.qualified] = WatchHub(resource, self.store)
        return hub

    async def answer(
        self, request: web.Request, info: RequestInfo, user: User, *, close_watch_after: float | None = None
    ) -> web.StreamResponse:
        """
        Carry out a request.

        :param close_watch_after: End a watch after this many seconds whatever the client asked.
        :raises StatusError: When it fails.
        """
        _check_verb(info)
        if not info.resource.stored:
            body = reviews.review(self._authorizer, info, user, await request.read())
            return _json(encode(body), code=201)
        if info.subresource == "log":
            return await logs.respond(request, self.log_source, self._reader.get(info), info)
        if info.subresource == "scale":
            outcome = scale.respond(self._writer, self._reader, info, await request.read())
            return self._render(Representation("", ""), info, outcome)
        form = Representation(request.headers.get("Accept", ""), info.query.get("includeObject", ""))
        if info.verb == "watch":
            return await self._watch(request, info, form, close_watch_after)
        raw = await request.read()
        handlers: dict[str, Callable[[], Outcome]] = {
            "get": lambda: Outcome(stored=self._reader.get(info)),
            "create": lambda: self._writer.create(info, raw),
            "update": lambda: self._writer.replace(info, raw),
            "patch": lambda: self._writer.patch(info, raw),
            "delete": lambda: self._deleter.delete(info, raw),
        }
        if info.verb == "list":
            return _json(form.many(info, self._reader.list(info)))
        if info.verb == "deletecollection":
            return _json(form.many(info, self._deleter.delete_collection(info, raw)))
        return self._render(form, info, handlers[info.verb]())

    def _render(self, form: Representation, info: RequestInfo, outcome: Outcome) -> web.Response:
        stored = outcome.stored
        body = encode(outcome.manifest) if stored is None else form.one(info, stored)
        return _json(body, code=outcome.code)

    async def _watch(
        self, request: web.Request, info: RequestInfo, form: Representation, close_after: float | None
    ) -> web.StreamResponse:
        selection = Selection.of(info)
        timeout = info.number("timeoutSeconds")
        seconds = float(timeout) if timeout else _MAX_WATCH_SECONDS / 2
        if close_after is not None:
            seconds = min(seconds, close_after)
        # Headings belong to the first event only; each stream starts with its own.
        first = _FirstEvent(form, info)
        hub = self._hub(info.resource)
        start, error = self._start(info, selection, first)
        watcher, unsubscribe = hub.subscribe(
            info,
            selection,
            f"{form.kind}:{form.include}",
            lambda stored, _: form.one(info, stored, headings=False),
        )
        response = web.StreamResponse(headers={"Content-Type": _JSON, "Cache-Control": "no-cache, private"})
        response.enable_chunked_encoding()
        try:
            await response.prepare(request)
            if start:
                await response.write(start)
            if error is None:
                await self._stream(response, info, watcher, seconds)
            with suppress(ConnectionError):
                await response.write_eof()
        finally:
            unsubscribe()
        return response

    def _start(
        self, info: RequestInfo, selection: Selection, first: _FirstEvent
    ) -> tuple[bytes, Exception | None]:
        """Return what a watch begins with: current objects, missed events, or the error that ends it."""
        revision = info.revision()
        initial = info.flag("sendInitialEvents") if "sendInitialEvents" in info.query else not revision
        lines: list[bytes] = []
        try:
            if initial:
                for stored in self.store.list(info.resource, info.namespace or None):
                    if selection.matches(stored):
                        lines.append(watching.event_line(watching.ADDED, first(stored, False)))
                if "sendInitialEvents" in info.query and info.flag("allowWatchBookmarks"):
                    lines.append(watching.bookmark(info, self.store.revision, initial_events_end=True))
            elif revision:
                events = self.store.since(info.resource, revision)
                lines.extend(watching.replay(events, info, selection, first))
        except status.StatusError as error:
            return watching.event_line(watching.ERROR, encode(error.body())), error
        return b"".join(lines), None

    async def _stream(
        self, response: web.StreamResponse, info: RequestInfo, watcher: Watcher, seconds: float
    ) -> None:
        bookmarks = info.flag("allowWatchBookmarks")
        deadline = time.monotonic() + seconds
        next_bookmark = time.monotonic() + self._bookmark_seconds
        while (remaining := deadline - time.monotonic()) > 0:
            wait = min(remaining, max(next_bookmark - time.monotonic(), 0.0)) if bookmarks else remaining
            data = await watcher.lines(wait)
            if data:
                await response.write(data)
            elif watcher.closed:
                return
            if bookmarks and time.monotonic() >= next_bookmark:
                next_bookmark = time.monotonic() + self._bookmark_seconds
                await response.write(watching.bookmark(info, self.store.revision))


class _FirstEvent:
    """Renders objects with table headings until the first one is out."""

    def __init__(self, form: Representation, info: RequestInfo) -> None:
        self._form = form
        self._info = info
        self._used = False

    def __call__(self, stored: Stored, _: bool) -> bytes:
        headings, self._used = not self._used, True
        return self._form.one(self._info, stored, headings=headings)


def _check_verb(info: RequestInfo) -> None:
    """Refuse what the resource does not take: a verb, a write to a collection, a create under a name."""
    refused = status.method_not_allowed("the server does not allow this method on the requested resource")
    if not info.verb or (info.verb not in info.resource.verbs and not info.subresource):
        raise refused
    if info.verb in ("update", "patch") and not info.name:
        raise status.bad_request("name must be provided") if info.resource.custom else refused
    if info.name and (
        info.verb == "deletecollection" or (info.verb == "create" and not info.resource.custom)
    ):
        raise refused


def _json(body: bytes, *, code: int = 200) -> web.Response:
    return web.Response(
        body=body, status=code, content_type=_JSON, headers={"Cache-Control": "no-cache, private"}
    )
