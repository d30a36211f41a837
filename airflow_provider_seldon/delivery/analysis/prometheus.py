"""
Instant queries to Prometheus, or to what answers like it (Thanos, Mimir, VictoriaMetrics).

One implementation for both halves: it is awaited in the triggerer, and run to its end on a worker. No redirect is
followed, so that no header reaches another host, and no error text holds what was sent to be let in.
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

#: Longer queries are sent in a body. GET comes first, because proxies that check rights allow it to readers.
_LONGEST_URL = 4000
#: Bytes of an answer that are read.
_MAX_ANSWER = 8 * 1024 * 1024
#: Looks that are under way at a time, of a few queries each. Prometheus evaluates 20 queries at a time
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
    :param retries: how often a request is repeated that was not answered, or with 429 or 5xx.
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
    Asks one Prometheus; may be used by many tasks of one event loop.

    :param access: how to reach it.
    """

    def __init__(self, access: PrometheusAccess) -> None:
        self._access = access
        #: For many who look at the same moment: one burst would block the event loop, and be queued by Prometheus.
        self.turns = asyncio.Semaphore(_LOOKS)
        self._tls: ssl.SSLContext | bool | None = None
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._users = 0

    async def query(self, expression: str, *, at: float | None = None) -> list[Series]:
        """
        Return the instant vector that an expression has; empty where nothing matches.

        :param at: epoch seconds as of which; now when None.
        :raises RejectedError: the expression cannot be evaluated; Prometheus' own sentence is in the text.
        :raises UnauthorizedError: the credentials are not accepted.
        :raises ForbiddenError: they do not allow this.
        :raises ServerUnavailableError: no useful answer, retries included.
        :raises UnexpectedAnswerError: what answers is no Prometheus, or the expression has no instant vector.
        :raises ConnectionConfigError: a file of certificates cannot be read.
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
                    f"{_ACTION} at {self._access.url} does not answer ({type(error).__name__}: {told[:300]})"
                )
            except ValueError as error:  # a URL that aiohttp refuses may hold anything
                raise ConnectionConfigError(
                    f"{_ACTION} cannot be asked: {type(error).__name__}; check the connection's host and headers"
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
        Yield the session of all queries that are under way; the last one closes it.

        Nobody has to close a client for that, and many canaries that look at the same moment share connections.
        """
        loop = asyncio.get_running_loop()
        if self._session is None or self._loop is not loop:
            self._loop, self._users = loop, 0  # each look of a worker has a loop of its own
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
            f"The connection cannot be used: verify, client_cert or client_key names no usable file ({problem})"
        )

    def _problem(self, status: int, body: bytes) -> SeldonError | None:
        """Return what is wrong with an answer; None when it is a good one."""
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
                f"{where}: it redirects, and nothing is sent elsewhere. Set the connection's host and schema to where "
                "Prometheus is.",
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
                raise ValueError("it is no answer of a Prometheus")
            return series_of(answer.get("data"))
        except (ValueError, RecursionError) as error:
            problem = self._scrubbed(str(error))[:200]
        raise UnexpectedAnswerError(f"{_ACTION} at {self._access.url}: {problem}", status=200)

    def _scrubbed(self, text: str) -> str:
        return scrubbed(text, self._secrets())

    def _secrets(self) -> Iterable[str]:
        return [str(value) for value in self._access.headers.values()]


def _passes(problem: SeldonError) -> bool:
    """Whether it may be over in a moment."""
    return isinstance(problem, ServerUnavailableError) and not isinstance(problem, UnexpectedAnswerError)


def _sentence(body: bytes) -> str:
    """Return what a server says is wrong."""
    text = body[:4000].decode("utf-8", "replace")
    try:
        answer: Any = json.loads(text)
    except (ValueError, RecursionError):
        return text.strip()[:300]
    return str(answer.get("error") or "")[:500] if isinstance(answer, dict) else ""
