"""Hooks for tests in other processes: faults, the request log, compaction, and an end to all watches.

Purpose: ``/_faults`` (GET, POST one or a list, DELETE), ``/_requests`` (GET, DELETE), ``/_compact`` (POST)
and ``/_watches`` (DELETE). They require the same tokens as everything else, and only accept clients on this
machine.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from airflow_provider_seldon.local.apiserver.http.backend import Backend
from airflow_provider_seldon.local.apiserver.objects.store import encode
from airflow_provider_seldon.local.apiserver.protocol.request_log import RequestLog
from airflow_provider_seldon.local.apiserver.protocol.status import StatusError
from airflow_provider_seldon.local.faults import Fault, Faults

_LOOPBACK = ("127.0.0.1", "::1")
Handler = Callable[[web.Request], Awaitable[web.Response]]


class Hooks:
    """Handles requests below ``/_``."""

    def __init__(self, *, dispatcher: Backend, faults: Faults, requests: RequestLog) -> None:
        self._dispatcher = dispatcher
        self._faults = faults
        self._requests = requests
        self._handlers: dict[tuple[str, str], Handler] = {
            ("GET", "/_requests"): self._list_requests,
            ("DELETE", "/_requests"): self._forget_requests,
            ("GET", "/_faults"): self._list_faults,
            ("POST", "/_faults"): self._add_faults,
            ("DELETE", "/_faults"): self._clear_faults,
            ("POST", "/_compact"): self._compact,
            ("DELETE", "/_watches"): self._close_watches,
        }

    async def answer(self, request: web.Request) -> web.Response:
        """Run a hook, for a client on this machine."""
        if request.remote not in _LOOPBACK:
            return web.Response(status=403, text="hooks only accept clients on this machine\n")
        handler = self._handlers.get((request.method, request.path))
        return await handler(request) if handler else web.Response(status=404, text="no such hook\n")

    async def _list_requests(self, request: web.Request) -> web.Response:
        return json_response([entry.to_json() for entry in self._requests.entries()])

    async def _forget_requests(self, request: web.Request) -> web.Response:
        self._requests.clear()
        return web.Response(status=204)

    async def _list_faults(self, request: web.Request) -> web.Response:
        return json_response([fault.to_json() for fault in self._faults.active()])

    async def _add_faults(self, request: web.Request) -> web.Response:
        try:
            data = json.loads(await request.read())
            faults = [Fault.from_json(item) for item in (data if isinstance(data, list) else [data])]
        except (ValueError, TypeError) as error:
            return web.Response(status=400, text=f"{error}\n")
        return json_response([self._faults.add(fault).to_json() for fault in faults])

    async def _clear_faults(self, request: web.Request) -> web.Response:
        self._faults.clear()
        return web.Response(status=204)

    async def _compact(self, request: web.Request) -> web.Response:
        try:
            self._dispatcher.compact()
        except StatusError as error:
            return web.Response(status=error.code, text=f"{error.message}\n")
        return web.Response(status=204)

    async def _close_watches(self, request: web.Request) -> web.Response:
        self._dispatcher.close_watches()
        return web.Response(status=204)


def json_response(value: Any, *, code: int = 200) -> web.Response:
    """Return a response with a JSON body."""
    return web.Response(body=encode(value), status=code, content_type="application/json")
