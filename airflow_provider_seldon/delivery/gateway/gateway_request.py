"""
One request to a gateway that is not trusted: limits of time and size, no redirects elsewhere, no credentials shown.

``requests`` alone gives each read a time limit but not the whole, follows redirects to other hosts, unpacks
whatever is sent to it, and prefers the ``.netrc`` of the worker's user to what the connection says.
"""

from __future__ import annotations

import threading
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from airflow_provider_seldon.core.credentials.text import scrubbed
from airflow_provider_seldon.core.prediction.endpoint import without_credentials

if TYPE_CHECKING:
    from requests import PreparedRequest, Response

#: Bytes of an answer, unpacked; more is refused.
MAX_ANSWER = 32 * 1024 * 1024
#: Redirects that keep method and body, and how many of them are followed on the same host.
_KEEPING = frozenset({307, 308})
_MAX_HOPS = 3
_CHUNK = 16384


class GatewayRequestError(Exception):
    """
    There is no usable answer; the text says why, without credentials.

    :param final: asking again gives the same.
    """

    def __init__(self, message: str, *, final: bool = False) -> None:
        super().__init__(message)
        self.final = final


@dataclass(frozen=True, kw_only=True)
class GatewayAnswer:
    """
    What a gateway answered.

    :param status: HTTP status.
    :param body: the body, unpacked.
    :param elsewhere: where a redirect leads that was not followed; "" for none.
    """

    status: int
    body: bytes
    elsewhere: str = ""


@dataclass(frozen=True, kw_only=True)
class GatewayRequest:
    """
    A JSON body that is sent to a URL.

    :param authorization: value of that header; None sends none, and does not look for any elsewhere.
    :param verify: check the certificate: True, False, or the path of a CA bundle.
    :param headers: further headers.
    """

    url: str
    body: Mapping[str, Any]
    authorization: str | None = field(default=None, repr=False)
    verify: bool | str = True
    headers: Mapping[str, str] = field(default_factory=dict)

    def send(self, timeout: float) -> GatewayAnswer:
        """
        Send it, and read the whole answer.

        :param timeout: seconds for everything together: connecting, waiting and reading.
        :raises GatewayRequestError: no answer in time, one that breaks off, or one that is too large.
        """
        found: list[GatewayAnswer | BaseException] = []
        deadline = time.monotonic() + timeout
        # A limit for each read is none for the whole: heads can be sent byte by byte, too. So the request is given up
        # from here; its thread ends with the next read that takes too long.
        thread = threading.Thread(
            target=self._collect, args=(found, deadline, timeout), name="seldon-gateway", daemon=True
        )
        thread.start()
        thread.join(max(0.0, deadline - time.monotonic()) + 0.1)
        if not found:
            raise GatewayRequestError(f"no complete answer within {timeout:g} s")
        if isinstance(found[0], GatewayAnswer):
            return found[0]
        if isinstance(found[0], GatewayRequestError):
            raise found[0]
        raise GatewayRequestError(self._told(found[0]))

    def _told(self, error: BaseException) -> str:
        text = scrubbed(str(error), [self.authorization or ""])
        return f"no answer ({type(error).__name__}: {text[:500]})"

    def _collect(self, found: list[GatewayAnswer | BaseException], deadline: float, timeout: float) -> None:
        try:
            found.append(self._exchange(deadline, timeout))
        except Exception as error:
            found.append(error)

    def _exchange(self, deadline: float, timeout: float) -> GatewayAnswer:
        import requests

        url = self.url
        with requests.Session() as session:
            for _ in range(_MAX_HOPS):
                with session.post(
                    url,
                    json=self.body,
                    headers={"Accept-Encoding": "gzip", **self.headers},
                    auth=self._authorize,
                    timeout=timeout,
                    verify=self.verify,
                    allow_redirects=False,
                    stream=True,
                ) as answer:
                    target = _target(answer, url)
                    if target and answer.status_code in _KEEPING and _same_host(url, target):
                        url = target
                        continue
                    body = b"" if target else _read(answer, deadline, timeout)
                    return GatewayAnswer(
                        status=answer.status_code, body=body, elsewhere=_shown(target) if target else ""
                    )
        raise GatewayRequestError(f"it redirects in a circle, at last to {_shown(url)}", final=True)

    def _authorize(self, request: PreparedRequest) -> PreparedRequest:
        """Set the header, or none: that something is set here keeps ``requests`` from asking ``.netrc``."""
        if self.authorization:
            request.headers["Authorization"] = str(self.authorization)
        return request


def _target(answer: Response, url: str) -> str:
    """Return where a redirect leads; "" where it is none."""
    location = answer.headers.get("Location")
    if not 300 <= answer.status_code < 400 or not location:
        return ""
    try:
        target = urljoin(url, str(location))
        urlsplit(target)
    except ValueError:
        return "an address that is no URL"
    return target


def _same_host(url: str, target: str) -> bool:
    """Tell whether both lead to one server, or the second to the same host by HTTPS."""
    try:
        before, after = urlsplit(url), urlsplit(target)
        ports = before.port, after.port
    except ValueError:
        return False
    if after.username or before.hostname != after.hostname:
        return False
    if before.scheme == after.scheme:
        return ports[0] == ports[1]
    return (before.scheme, after.scheme) == ("http", "https") and ports in ((None, None), (80, 443))


def _shown(url: str) -> str:
    """Return a URL without what may be a credential in it: login, password, query."""
    return without_credentials(url).partition("?")[0].partition("#")[0][:300]


def _read(answer: Response, deadline: float, timeout: float) -> bytes:
    encoding = answer.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", ""):
        raise GatewayRequestError(
            f"the answer is packed as {encoding[:40]!r}, which was not asked for", final=True
        )
    unpack = zlib.decompressobj(wbits=31) if encoding == "gzip" else None
    parts: list[bytes] = []
    size = 0
    for raw in answer.raw.stream(_CHUNK, decode_content=False):
        data = unpack.decompress(raw, MAX_ANSWER + 1 - size) if unpack else raw
        size += len(data)
        parts.append(data)
        if size > MAX_ANSWER:
            raise GatewayRequestError(f"the answer is larger than {MAX_ANSWER >> 20} MiB", final=True)
        if time.monotonic() > deadline:
            raise GatewayRequestError(f"no complete answer within {timeout:g} s")
    return b"".join(parts)
