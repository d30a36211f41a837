"""Handlers of accepted requests: the objects of this process, or another API server."""

from __future__ import annotations

from typing import Protocol

from aiohttp import web

from airflow_provider_seldon.local.apiserver.access.authorization import User
from airflow_provider_seldon.local.apiserver.protocol.request import RequestInfo


class Backend(Protocol):
    """Handles requests; see ``dispatch.py`` and ``forwarding.py``."""

    def understand(self, request: web.Request) -> RequestInfo | None:
        """
        Return verb and resource of a request, or ``None`` for a document (discovery, OpenAPI).

        :raises NoSuchPathError: When nothing is served there.
        """
        ...

    async def answer(
        self, request: web.Request, info: RequestInfo, user: User, *, close_watch_after: float | None = None
    ) -> web.StreamResponse:
        """
        Handle a request for a resource.

        :param close_watch_after: End a watch after this many seconds whatever the client asked.
        :raises StatusError: When it fails.
        """
        ...

    async def document(self, request: web.Request) -> web.StreamResponse:
        """
        Handle a request for another path than that of a resource.

        :raises NoSuchPathError: When nothing is served there.
        """
        ...

    def close_watches(self) -> None:
        """End all watches, cleanly."""
        ...

    def compact(self) -> None:
        """Forget the history."""
        ...
