"""
One request to an untrusted gateway: limits of time and size, no redirects elsewhere, no credentials shown.

``requests`` alone limits the time of each read but not of the whole request, follows redirects to other
hosts, unpacks any response, and prefers the ``.netrc`` of the worker's user to the connection.
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

#: Maximum bytes of an answer, unpacked.
MAX_ANSWER = 32 * 1024 * 1024
#: Redirects that keep method and body, and the maximum that is followed on the same host.
_KEEPING = frozenset({307, 308})
_MAX_HOPS = 3
_CHUNK = 16384


class GatewayRequestError(Exception):
    """
    There is no usable answer; the message says why, without credentials.

    :param final: a retry would give the same.
    """

    def __init__(self, message: str, *, final: bool = False) -> None:
        super().__init__(message)
        self.final = final


@dataclass(frozen=True, kw_only=True)
class GatewayAnswer:
    """
    A gateway's answer.

    :param status: HTTP status.
    :param body: the body, unpacked.
    :param elsewhere: target of a redirect that was not followed; "" for none.
    """

    status: int
    body: bytes
    elsewhere: str = ""


@dataclass(frozen=True, kw_only=True)
class GatewayRequest:
    """
    A POST of a JSON body to a URL.

    :param authorization: value of that header; None sends none, also not from elsewhere.
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
        Send it and read the whole answer.

        :param timeout: seconds for everything together: connecting, waiting and reading.
        :raises GatewayRequestError: no answer in time, an interrupted one, or one that is too large.
        """
        found: list[GatewayAnswer | BaseException] = []
        deadline = time.monotonic() + timeout
        # A limit for each read does not limit the whole: headers can arrive byte by byte, too. So the request
        # is abandoned here; its thread ends with the next read that times out.
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
        """Set the header, or none; an ``auth`` callable keeps ``requests`` from reading ``.netrc``."""
        if self.authorization:
            request.headers["Authorization"] = str(self.authorization)
        return request


def _target(answer: Response, url: str) -> str:
    """Return the target of a redirect; "" if it is none."""
    location = answer.headers.get("Location")
    if not 300 <= answer.status_code < 400 or not location:
        return ""
    try:
        target = urljoin(url, str(location))
        urlsplit(target)
    except ValueError:
        return "an invalid URL"
    return target


def _same_host(url: str, target: str) -> bool:
    """Return whether both URLs lead to one server, or the second to the same host by HTTPS."""
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
    """Return a URL without parts that may be credentials: login, password, query."""
    return without_credentials(url).partition("?")[0].partition("#")[0][:300]


def _read(answer: Response, deadline: float, timeout: float) -> bytes:
    encoding = answer.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", ""):
        raise GatewayRequestError(
            f"the answer is encoded as {encoding[:40]!r}, which was not requested", final=True
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
