"""
One HTTP session to one API server, for one event loop: requests, credentials, typed errors.

Plain aiohttp instead of the asynchronous Kubernetes client, whose every client and every ``Watch()`` builds a
TLS context on the event loop (20 ms each), and which ends long streams after 60 seconds. Blocking work
(resolving a connection, reading certificates, running a credentials plugin) runs in threads. It retries only
a request whose credentials had expired; ``kube.watch.reflector`` decides about other retries.

aiohttp is imported with the first request: a task that defers, or only writes, sends none this way.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_seldon.core.credentials.text import scrubbed
from airflow_provider_seldon.exceptions import (
    ConnectionConfigError,
    SeldonError,
    ServerUnavailableError,
    UnauthorizedError,
)
from airflow_provider_seldon.kube.access.access import ClusterAccess, RestConfig
from airflow_provider_seldon.kube.requests.answers import parse_answer, raise_for_status

if TYPE_CHECKING:
    import aiohttp
    from kubernetes.client import Configuration

USER_AGENT = "airflow-provider-seldon"
#: Seconds to connect, and for a whole response that is not a stream.
CONNECT_TIMEOUT = 10.0
REQUEST_TIMEOUT = 60.0
#: Maximum bytes of an error body.
MAX_ERROR = 65536


class ExpiredError(SeldonError):
    """The resource version to continue from is no longer known (HTTP 410); list again."""


class ApiSession:
    """
    Requests to one cluster; must be closed.

    :param access: the cluster and our identity there.
    """

    def __init__(self, access: ClusterAccess) -> None:
        self._access = access
        self._rest_config: RestConfig | None = None
        self._client: aiohttp.ClientSession | None = None
        self._resolving = asyncio.Lock()
        self._asking = asyncio.Lock()

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        """
        Return the JSON object at ``path``.

        :raises SeldonError: the subclass for the status code.
        """
        async with self.open(path, query, timeout=REQUEST_TIMEOUT) as response:
            return parse_answer(await response.read(), action=f"GET {path}")

    @asynccontextmanager
    async def open(
        self,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        timeout: float | None = None,
        idle: float | None = None,
        posted: Any = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """
        Send a request and yield a successful response; no redirect is followed.

        :param timeout: seconds for the whole response; None for no limit.
        :param idle: seconds within which the next bytes must arrive; None for no limit. It detects a
            connection whose peer is gone.
        :param posted: JSON data, which makes it a POST. The response may be from another server behind a
            proxy, so a 401 does not make it read the credentials again. None sends a GET.
        :raises SeldonError: the subclass for the status code.
        :raises ServerUnavailableError: the connection failed or was interrupted.
        """
        import aiohttp

        limits = aiohttp.ClientTimeout(total=timeout, sock_connect=CONNECT_TIMEOUT, sock_read=idle)
        try:
            response = await self._answer(path, query or {}, limits, posted)
            try:
                yield response
            finally:
                # A connection whose response was read completely returns to the pool by itself.
                response.close()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ServerUnavailableError(
                f"{_verb(posted)} {path}: {type(error).__name__}: {error}".rstrip(": ")
            ) from error

    async def close(self) -> None:
        """Close all connections."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def _answer(
        self, path: str, query: Mapping[str, str], limits: aiohttp.ClientTimeout, posted: Any
    ) -> aiohttp.ClientResponse:
        config = self._rest_config or await self._resolve(None)
        try:
            return await self._send(config, path, query, limits, posted)
        except UnauthorizedError:
            if posted is not None:
                raise
            # A rotated token, a new kubeconfig, a plugin that must run again: read everything again, once.
            return await self._send(await self._resolve(config), path, query, limits)

    async def _send(
        self,
        config: RestConfig,
        path: str,
        query: Mapping[str, str],
        limits: aiohttp.ClientTimeout,
        posted: Any = None,
    ) -> aiohttp.ClientResponse:
        import aiohttp

        if self._client is None:
            self._client = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0), headers={"User-Agent": USER_AGENT}
            )
        async with self._asking:
            credentials = await asyncio.to_thread(config.credentials)
        response = await self._client.request(
            _verb(posted),
            f"{config.server}{path}",
            params=dict(query),
            json=posted,
            headers={"Accept": "application/json", **credentials},
            timeout=limits,
            ssl=config.tls if config.tls is not None else True,
            server_hostname=config.server_name,
            proxy=config.proxy,
            proxy_headers=config.proxy_headers,
            allow_redirects=False,
        )
        if response.status != HTTPStatus.OK:
            await _raise_for(response, f"{_verb(posted)} {path}", credentials)
        _keep_alive(response)
        return response

    async def _resolve(self, refused: RestConfig | None) -> RestConfig:
        """Return a newer access than the refused one; all refused requests share one attempt."""
        async with self._resolving:
            if self._rest_config is None or self._rest_config is refused:
                configuration = await asyncio.to_thread(self._access.resolve)
                self._rest_config = await asyncio.to_thread(_opened, configuration)
            return self._rest_config


def _verb(posted: Any) -> str:
    return "GET" if posted is None else "POST"


def _opened(configuration: Configuration) -> RestConfig:
    problem = ""
    try:
        return RestConfig.open(configuration)
    except SeldonError:
        raise
    except Exception as error:  # invalid certificates, an invalid host: whatever a kubeconfig contains
        problem = type(error).__name__
    raise ConnectionConfigError(
        f"The server, its proxy or the certificates of the Airflow connection cannot be used ({problem})."
    )


async def _raise_for(
    response: aiohttp.ClientResponse, action: str, credentials: Mapping[str, str]
) -> NoReturn:
    try:
        told = (await response.content.read(MAX_ERROR)).decode("utf-8", "replace")
        # A server or a proxy may quote our request.
        body = scrubbed(told, credentials.values())
    finally:
        response.close()
    if response.status == HTTPStatus.GONE:
        raise ExpiredError(f"{action}: the resource version is too old")
    raise_for_status(response.status, body, response.headers, action=action)


def _keep_alive(response: aiohttp.ClientResponse) -> None:
    """Let the kernel detect a lost peer within half a minute; idle limits detect the rest."""
    transport = response.connection.transport if response.connection else None
    plain = transport.get_extra_info("socket") if transport else None
    if plain is None:
        return
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, option):
            plain.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


def load_client() -> None:
    """Import the asynchronous client, which the first request imports otherwise."""
    import aiohttp

    del aiohttp
