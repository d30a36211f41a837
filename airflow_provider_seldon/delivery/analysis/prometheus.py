"""
Instant queries to Prometheus, or to compatible servers (Thanos, Mimir, VictoriaMetrics).

One implementation for both halves: the triggerer awaits it, and a worker runs it to its end. It follows no
redirect, so that no header reaches another host, and no error message contains the credentials.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from airflow_provider_seldon.core.analysis.readings import Series, series_of
from airflow_provider_seldon.core.credentials.text import SecretText, scrubbed
from airflow_provider_seldon.exceptions import (
    ConnectionConfigError,
    ForbiddenError,
    RejectedError,
    SeldonError,
    ServerUnavailableError,
    UnauthorizedError,
    UnexpectedAnswerError,
)

#: Longer queries are sent in a body. GET is preferred, because authorizing proxies allow it to readers.
_LONGEST_URL = 4000
#: Maximum bytes of an answer.
_MAX_ANSWER = 8 * 1024 * 1024
#: Measurements in progress at a time, of a few queries each. Prometheus evaluates 20 queries at a time
#: (``--query.max-concurrency``).
_LOOKS = 10
#: Seconds before a request is repeated, doubled each time.
_PAUSE = 0.5
_ACTION = "Prometheus"


@dataclass(frozen=True, kw_only=True)
class PrometheusAccess:
    """
    How to reach Prometheus.

    :param url: base URL, without ``/api/v1``, login and password.
    :param headers: sent with every request; values may be credentials.
    :param verify: check the certificate: True, False, or the path of a CA bundle.
    :param client_cert: path of a client certificate, with or without its key.
    :param client_key: path of its key.
    :param timeout: seconds for one request, from connecting to the last byte.
    :param retries: how often a request is retried that was not answered, or answered with 429 or 5xx.
    """

    url: str
    headers: Mapping[str, SecretText] = field(default_factory=dict, repr=False)
    verify: bool | str = True
    client_cert: str | None = None
    client_key: str | None = None
    timeout: float = 10.0
    retries: int = 2


class PrometheusClient:
    """
    Queries one Prometheus; may be used by many tasks of one event loop.

    :param access: how to reach it.
    """

    def __init__(self, access: PrometheusAccess) -> None:
        self._access = access
        #: For many simultaneous measurements: one burst would block the event loop, and Prometheus would
        #: queue it.
        self.turns = asyncio.Semaphore(_LOOKS)
        self._tls: ssl.SSLContext | bool | None = None
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._users = 0

    async def query(self, expression: str, *, at: float | None = None) -> list[Series]:
        """
        Return the instant vector of an expression; empty if nothing matches.

        :param at: evaluation time in epoch seconds; now when None.
        :raises RejectedError: the expression cannot be evaluated; quotes Prometheus' message.
        :raises UnauthorizedError: the credentials are not accepted.
        :raises ForbiddenError: they do not allow this.
        :raises ServerUnavailableError: no usable answer, also after retries.
        :raises UnexpectedAnswerError: the server is not a Prometheus, or the expression has no instant
            vector.
        :raises ConnectionConfigError: a certificate file cannot be read.
        """
        pause = _PAUSE
        for left in reversed(range(self._access.retries + 1)):
            try:
                status, body = await self._exchange(expression, at)
                problem = self._problem(status, body)
                if problem is None:
                    return self._read(body)
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                told = self._scrubbed(str(error)) or "no answer in time"
                problem = ServerUnavailableError(
                    f"{_ACTION} at {self._access.url} does not respond ({type(error).__name__}: {told[:300]})"
                )
            except ValueError as error:  # a URL that aiohttp refuses may hold anything
                raise ConnectionConfigError(
                    f"{_ACTION} cannot be queried: {type(error).__name__}; check the connection's host and "
                    "headers"
                ) from None
            if not left or not _passes(problem):
                raise problem
            await asyncio.sleep(pause)
            pause *= 2
        raise AssertionError("unreachable")

    async def _exchange(self, expression: str, at: float | None) -> tuple[int, bytes]:
        if self._tls is None:  # reading the system's certificates takes 20 ms
            self._tls = await asyncio.to_thread(self._tls_context)
        access = self._access
        url = f"{access.url}/api/v1/query"
        long = len(expression) > _LONGEST_URL
        asked = {"query": expression} | ({} if at is None else {"time": f"{at:.3f}"})
        async with (
            self._shared_session() as session,
            session.request(
                "POST" if long else "GET",
                url,
                params=None if long else asked,
                data=asked if long else None,
                headers={"Accept": "application/json", **access.headers},
                ssl=self._tls,
                allow_redirects=False,
            ) as response,
        ):
            body = bytearray()
            async for chunk in response.content.iter_chunked(65536):
                body += chunk
                if len(body) > _MAX_ANSWER:
                    raise UnexpectedAnswerError(
                        f"{_ACTION} answers more than {_MAX_ANSWER >> 20} MiB to one query",
                        status=response.status,
                    )
            return response.status, bytes(body)

    @asynccontextmanager
    async def _shared_session(self) -> AsyncIterator[aiohttp.ClientSession]:
        """
        Yield the session of all queries in progress; the last one closes it.

        So no caller needs to close a client, and many simultaneous canaries share connections.
        """
        loop = asyncio.get_running_loop()
        if self._session is None or self._loop is not loop:
            self._loop, self._users = loop, 0  # on a worker, each measurement has its own event loop
            timeout = aiohttp.ClientTimeout(total=self._access.timeout)
            self._session = aiohttp.ClientSession(timeout=timeout, trust_env=True)
        session = self._session
        self._users += 1
        try:
            yield session
        finally:
            self._users -= 1
            if not self._users:
                self._session = None
                await session.close()

    def _tls_context(self) -> ssl.SSLContext | bool:
        access = self._access
        if not access.url.startswith("https:"):
            return True
        try:
            context = ssl.create_default_context(
                cafile=access.verify if isinstance(access.verify, str) else None
            )
            if access.client_cert:
                context.load_cert_chain(access.client_cert, access.client_key)
        except (OSError, ValueError) as error:
            problem = type(error).__name__
        else:
            if access.verify is False:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            return context
        raise ConnectionConfigError(
            "The connection cannot be used: verify, client_cert or client_key names no usable file "
            f"({problem})"
        )

    def _problem(self, status: int, body: bytes) -> SeldonError | None:
        """Return the error of an answer; None for a successful one."""
        if 200 <= status < 300:
            return None
        said = self._scrubbed(_sentence(body))
        where = f"{_ACTION} at {self._access.url}: HTTP {status}"
        if status == 401:
            return UnauthorizedError(
                f"{where}: the credentials of the connection are not accepted. {said}".rstrip()
            )
        if status == 403:
            return ForbiddenError(f"{where}: the connection's account may not query. {said}".rstrip())
        if status in (400, 422):
            return RejectedError(f"{where}: the query cannot be evaluated: {said}")
        if 300 <= status < 400:
            return UnexpectedAnswerError(
                f"{where}: it redirects, which is not followed. Set the connection's host and schema to "
                "those of Prometheus.",
                status=status,
            )
        if status == 429 or status >= 500:
            return ServerUnavailableError(f"{where}: {said}".rstrip(": "), status=status)
        return UnexpectedAnswerError(
            f"{where}: is this the base URL of a Prometheus? {said}".rstrip(), status=status
        )

    def _read(self, body: bytes) -> list[Series]:
        try:
            answer = json.loads(body)
            if not isinstance(answer, dict) or answer.get("status") != "success":
                raise ValueError("it is not an answer of Prometheus")
            return series_of(answer.get("data"))
        except (ValueError, RecursionError) as error:
            problem = self._scrubbed(str(error))[:200]
        raise UnexpectedAnswerError(f"{_ACTION} at {self._access.url}: {problem}", status=200)

    def _scrubbed(self, text: str) -> str:
        return scrubbed(text, self._secrets())

    def _secrets(self) -> Iterable[str]:
        # Of a header such as "ApiKey ...", what follows the scheme too.
        given = [str(value) for value in self._access.headers.values()]
        return [*given, *(value.partition(" ")[2] for value in given)]


def _passes(problem: SeldonError) -> bool:
    """Return whether the problem may be temporary."""
    return isinstance(problem, ServerUnavailableError) and not isinstance(problem, UnexpectedAnswerError)


def _sentence(body: bytes) -> str:
    """Return the server's error message."""
    text = body[:4000].decode("utf-8", "replace")
    try:
        answer: Any = json.loads(text)
    except (ValueError, RecursionError):
        return text.strip()[:300]
    return str(answer.get("error") or "")[:500] if isinstance(answer, dict) else ""
