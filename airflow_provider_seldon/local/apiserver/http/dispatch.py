"""Dispatch a parsed request: which module handles it, and in which representation.

Purpose: read verbs go to ``reading.py`` and ``watch_stream.py``, writes to ``writing.py``, deletes to
``deletion.py``, subresources with their own format to their modules.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiohttp import web

from airflow_provider_seldon.local.apiserver.access import reviews
from airflow_provider_seldon.local.apiserver.access.authorization import Authorizer, User
from airflow_provider_seldon.local.apiserver.http import service_proxy
from airflow_provider_seldon.local.apiserver.objects import crd
from airflow_provider_seldon.local.apiserver.objects.store import Store, encode
from airflow_provider_seldon.local.apiserver.protocol import request as requests
from airflow_provider_seldon.local.apiserver.protocol import status
from airflow_provider_seldon.local.apiserver.protocol.request import RequestInfo
from airflow_provider_seldon.local.apiserver.protocol.resources import RESOURCES, ResourceType
from airflow_provider_seldon.local.apiserver.reads import discovery, logs, openapi
from airflow_provider_seldon.local.apiserver.reads.reading import Reader
from airflow_provider_seldon.local.apiserver.reads.representation import JSON, Representation
from airflow_provider_seldon.local.apiserver.reads.watch_stream import WatchServer
from airflow_provider_seldon.local.apiserver.writes import binding, scale
from airflow_provider_seldon.local.apiserver.writes.commit import Outcome
from airflow_provider_seldon.local.apiserver.writes.deletion import Deleter
from airflow_provider_seldon.local.apiserver.writes.writing import Writer


class Dispatcher:
    """
    Handles requests for resources.

    :param store: Stores objects.
    :param writer: Performs writes.
    :param authorizer: Decides access reviews.
    :param log_source: Provides pod logs; ``None`` without a kubelet.
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
        istio: bool = False,
    ) -> None:
        self.store = store
        self._istio = istio
        self.log_source = log_source
        self.service_source: service_proxy.ServiceSource | None = None
        self._writer = writer
        self._reader = Reader(store)
        self._deleter = Deleter(store)
        self._authorizer = authorizer
        self._watches = WatchServer(store=store, bookmark_seconds=bookmark_seconds)

    def close_watches(self) -> None:
        """End all watches, cleanly."""
        self._watches.close_all()

    def compact(self) -> None:
        """Forget the history."""
        self.store.compact()

    def understand(self, request: web.Request) -> RequestInfo | None:
        """Return verb and resource of a request, or ``None`` if the path is not that of a resource."""
        return requests.understand(request)

    async def document(self, request: web.Request) -> web.StreamResponse:
        """
        Return discovery, the version or the OpenAPI documents.

        :raises NoSuchPathError: For any other path.
        """
        path, served = request.path, self.served()
        if path == "/":
            paths = ["/api", "/apis", "/healthz", "/livez", "/openapi/v2", "/readyz", "/version"]
            return _json(encode({"paths": paths}))
        if path.rstrip("/") == "/version":
            return _json(encode(discovery.version()))
        found: Any = openapi.document(path, served) if path.startswith("/openapi") else None
        if found is None:
            found = discovery.document(path, request.host, served)
        if found is None:
            raise status.NoSuchPathError
        return _json(encode(found))

    def served(self) -> list[ResourceType]:
        """Return the resources that are served now: custom ones only while their definition exists."""
        defined = self.store.get(crd.DEFINITIONS, "", crd.NAME) is not None
        return [
            resource
            for resource in RESOURCES
            if (defined or not resource.custom) and (self._istio or not resource.mesh)
        ]

    async def answer(
        self, request: web.Request, info: RequestInfo, user: User, *, close_watch_after: float | None = None
    ) -> web.StreamResponse:
        """
        Handle a request.

        :param close_watch_after: End a watch after this many seconds whatever the client asked.
        :raises StatusError: When it fails.
        """
        optional = info.resource.custom or info.resource.mesh
        if optional and info.resource not in self.served():
            raise status.NoSuchPathError
        _check_verb(info)
        if not info.resource.stored:
            body = reviews.review(self._authorizer, info, user, await request.read())
            return _json(encode(body), code=201)
        if info.subresource == "log":
            return await logs.respond(request, self.log_source, self._reader.get(info), info)
        if info.subresource == "proxy":
            return await service_proxy.respond(request, self.service_source, info)
        if info.subresource == "scale":
            outcome = scale.respond(self._writer, self._reader, info, await request.read())
            return self._render(Representation("", ""), info, outcome)
        if info.subresource == "binding":
            return self._render(
                Representation("", ""), info, binding.bind(self.store, info, await request.read())
            )
        form = Representation(request.headers.get("Accept", ""), info.query.get("includeObject", ""))
        if info.verb == "watch":
            return await self._watches.serve(request, info, form, close_after=close_watch_after)
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


def _check_verb(info: RequestInfo) -> None:
    """Refuse unsupported requests: a verb, a write to a collection, a create with a name."""
    refused = status.method_not_allowed("the server does not allow this method on the requested resource")
    if not info.verb or (info.verb not in info.resource.verbs and not info.subresource):
        raise refused
    if info.verb in ("update", "patch") and not info.name:
        raise status.bad_request("name must be provided") if info.resource.custom else refused
    posted_to = info.resource.custom or info.subresource in ("binding", "proxy")
    if info.verb == "create" and info.name and not posted_to:
        raise refused


def _json(body: bytes, *, code: int = 200) -> web.Response:
    return web.Response(
        body=body, status=code, content_type=JSON, headers={"Cache-Control": "no-cache, private"}
    )
