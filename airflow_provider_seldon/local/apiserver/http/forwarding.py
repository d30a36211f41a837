"""A backend that is another API server: it forwards requests, and returns responses unchanged.

Purpose: the faults, the deny rules and the request log of the local API server in front of a real one. It
changes nothing in requests and responses, except the credentials. Not forwarded: upgraded connections (exec,
port-forward).
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from airflow_provider_seldon.local.apiserver.access import reviews
from airflow_provider_seldon.local.apiserver.access.authorization import Authorizer, User
from airflow_provider_seldon.local.apiserver.http import service_proxy
from airflow_provider_seldon.local.apiserver.http.external_api_server import ExternalApiServer
from airflow_provider_seldon.local.apiserver.objects.store import Stored, encode
from airflow_provider_seldon.local.apiserver.protocol import request as requests
from airflow_provider_seldon.local.apiserver.protocol import status
from airflow_provider_seldon.local.apiserver.protocol.pod_http import NOT_PASSED_ON
from airflow_provider_seldon.local.apiserver.protocol.request import RequestInfo
from airflow_provider_seldon.local.apiserver.protocol.resources import BY_PLURAL
from airflow_provider_seldon.local.apiserver.reads import logs
from airflow_provider_seldon.local.apiserver.writes.admission import DOWN, unreachable


class Forwarder:
    """
    Forwards requests.

    :param external: The other API server.
    :param authorizer: Decides access reviews while it has its own tokens or rules.
    """

    def __init__(self, *, external: ExternalApiServer, authorizer: Authorizer) -> None:
        self._external = external
        self._authorizer = authorizer
        self._session: aiohttp.ClientSession | None = None
        self._watches: set[asyncio.Event] = set()
        self.log_source: logs.LogSource | None = None
        self.service_source: service_proxy.ServiceSource | None = None

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def close_watches(self) -> None:
        """End all watches, cleanly."""
        for watch in self._watches:
            watch.set()

    def compact(self) -> None:
        """
        Not possible for another API server.

        :raises StatusError: 405.
        """
        raise status.method_not_allowed("the history of another API server cannot be compacted from here")

    def understand(self, request: web.Request) -> RequestInfo | None:
        """Return verb and resource of a request for a known resource; others are forwarded unchanged."""
        with suppress(status.NoSuchPathError):
            return requests.understand(request)
        return None

    async def document(self, request: web.Request) -> web.StreamResponse:
        """Forward a request."""
        return await self._forward(request)

    async def answer(
        self, request: web.Request, info: RequestInfo, user: User, *, close_watch_after: float | None = None
    ) -> web.StreamResponse:
        """
        Forward a request; only those for this process itself are handled here.

        :raises StatusError: 503 without a response.
        """
        if info.webhook == DOWN and info.resource.custom and not info.subresource:
            raise unreachable()
        if not info.resource.stored and (self._authorizer.tokens or self._authorizer.deny):
            body = reviews.review(self._authorizer, info, user, await request.read())
            return web.Response(body=encode(body), status=201, content_type="application/json")
        if info.subresource == "log" and self.log_source is not None:
            return await logs.respond(request, self.log_source, await self._pod(info), info)
        if info.subresource == "proxy" and self.service_source is not None:
            return await service_proxy.respond(request, self.service_source, info)
        if info.verb != "watch" and info.subresource != "log":
            return await self._forward(request)
        ended = asyncio.Event()
        self._watches.add(ended)
        try:
            return await self._forward(request, ended, close_watch_after)
        finally:
            self._watches.discard(ended)

    async def _pod(self, info: RequestInfo) -> Stored:
        path = f"{self._external.url}/api/v1/namespaces/{info.namespace}/pods/{info.name}"
        async with self._http().get(path, headers=self._credentials()) as response:
            if response.status != 200:
                raise info.not_found()
            return Stored(BY_PLURAL["pods"], await response.json(), 0)

    async def _forward(
        self, request: web.Request, ended: asyncio.Event | None = None, seconds: float | None = None
    ) -> web.StreamResponse:
        """Forward a request; with ``ended`` the response is streamed, and ends early when that is set."""
        headers = [
            (name, value) for name, value in request.headers.items() if name.lower() not in NOT_PASSED_ON
        ]
        headers += self._credentials().items()
        url = URL(self._external.url + request.raw_path, encoded=True)
        try:
            async with self._http().request(
                request.method, url, data=await request.read() or None, headers=headers
            ) as answer:
                if ended is None:
                    return web.Response(
                        status=answer.status, body=await answer.read(), headers=_headers(answer)
                    )
                return await _stream(request, answer, ended, seconds)
        except aiohttp.ClientConnectorError as error:
            raise status.StatusError(code=503, reason="ServiceUnavailable", message=str(error)) from error
        except aiohttp.ClientError as error:
            raise ConnectionResetError(str(error)) from error

    def _credentials(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._external.token}"} if self._external.token else {}

    def _http(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, ssl=self._external.ssl_context or True),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
                auto_decompress=False,
                skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
            )
        return self._session


def _headers(answer: aiohttp.ClientResponse) -> CIMultiDict[str]:
    return CIMultiDict(
        (name, value) for name, value in answer.headers.items() if name.lower() not in NOT_PASSED_ON
    )


async def _stream(
    request: web.Request, answer: aiohttp.ClientResponse, ended: asyncio.Event, seconds: float | None
) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status, headers=_headers(answer))
    response.enable_chunked_encoding()
    await response.prepare(request)
    told = asyncio.create_task(ended.wait())
    reading: asyncio.Task[bytes] | None = None
    try:
        async with asyncio.timeout(seconds):
            while True:
                reading = asyncio.create_task(answer.content.readany())
                await asyncio.wait({reading, told}, return_when=asyncio.FIRST_COMPLETED)
                if not reading.done():
                    break
                data = reading.result()
                if not data:
                    break
                await response.write(data)
    except TimeoutError:
        pass
    finally:
        told.cancel()
        if reading is not None:
            reading.cancel()
    await response.write_eof()
    return response
