"""HTTP with a pod: what the ingress and the service proxy hand on, and what the pod answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

#: Headers between two neighbours only (RFC 9110, 7.6.1), for the API server alone, or written anew by who passes on.
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
    """A pod's answer."""

    status: int
    body: bytes
    headers: Mapping[str, str]
