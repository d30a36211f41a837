"""One port for a backend, with its own faults, deny rules and request log."""

from __future__ import annotations

import ssl

from aiohttp import web

from airflow_provider_seldon.local.apiserver.access.authorization import Authorizer
from airflow_provider_seldon.local.apiserver.http.backend import Backend
from airflow_provider_seldon.local.apiserver.http.pipeline import Pipeline
from airflow_provider_seldon.local.apiserver.protocol.request_log import RequestLog
from airflow_provider_seldon.local.faults import Faults

_MAX_BODY = 3 * 1024 * 1024


class Listener:
    """
    Listens, and accepts requests.

    :param backend: Handles the requests.
    :param authorizer: Checks tokens and rules; may be changed while the server runs.
    :param tls: Server certificate to serve HTTPS with.
    """

    def __init__(
        self, *, backend: Backend, authorizer: Authorizer, tls: ssl.SSLContext | None = None
    ) -> None:
        self.faults = Faults()
        self.requests = RequestLog()
        self.authorizer = authorizer
        self._backend = backend
        self._pipeline = Pipeline(
            dispatcher=backend, authorizer=authorizer, faults=self.faults, requests=self.requests
        )
        self._tls = tls
        self._runner: web.AppRunner | None = None
        self._address = ("", 0)

    @property
    def url(self) -> str:
        """Base URL, such as ``http://127.0.0.1:8001``."""
        host, port = self._address
        return f"{'https' if self._tls else 'http'}://{host}:{port}"

    @property
    def port(self) -> int:
        """The port of the listener."""
        return self._address[1]

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """
        Start serving.

        :param port: 0 picks a free one; see :attr:`url`.
        :raises OSError: When the port is taken.
        """
        app = web.Application(client_max_size=_MAX_BODY)
        app.router.add_route("*", "/{path:.*}", self._pipeline.handle)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port, ssl_context=self._tls, backlog=1024)
        await site.start()
        self._address = (host, self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Close all watches and connections, and stop serving."""
        self._backend.close_watches()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def close_watches(self) -> None:
        """End every watch, like a restarted or overloaded server."""
        self._backend.close_watches()

    def second_door(self, token: str) -> Listener:
        """
        Return a further listener for the same objects, with its own faults and log.

        It lets a cluster's own components work while faults affect the clients.

        :param token: Bearer token of these components; all other requests are refused.
        """
        return Listener(backend=self._backend, authorizer=Authorizer(tokens=[token], anonymous=False))
