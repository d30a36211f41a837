"""HTTP with a pod: requests that the ingress and the service proxy forward, and the pod's responses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

#: Hop-by-hop headers (RFC 9110, 7.6.1), headers for the API server only, and those that a proxy sets itself.
NOT_PASSED_ON = frozenset(
    {
        "authorization",
        "connection",
        "content-length",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


@dataclass(frozen=True, kw_only=True)
class Request:
    """An HTTP request for a pod."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Response:
    """A pod's response."""

    status: int
    body: bytes
    headers: Mapping[str, str]
