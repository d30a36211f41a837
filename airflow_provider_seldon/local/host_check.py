"""
Which requests a port of ``local`` accepts: none from a web page, whatever name it uses for this machine.

A browser on this machine sends the requests of any site's pages, also to 127.0.0.1. Its headers name that
site (``Origin``), or the name used for this machine (``Host``, when a site's name server returns a loopback
address). Where no token is required, only these headers protect the port.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from aiohttp import web

_NAMES = frozenset({"localhost", "ip6-localhost"})


def refusal(request: web.Request, *, any_host: bool = False) -> str:
    """
    Return why a request is refused; "" if it is accepted.

    :param any_host: accept any host, for a gateway that routes by it.
    """
    host = request.headers.get("Host", "")
    if not any_host and not _is_this_machine(host):
        return "the Host header names another machine; use localhost or an IP address"
    origin = request.headers.get("Origin")
    if origin is not None and not _is_this_machine(_netloc(origin)):
        return "the Origin header names another site"
    return ""


def _netloc(origin: str) -> str:
    """Return host and port of an origin; "" for ``null`` and for invalid ones."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def _is_this_machine(netloc: str) -> bool:
    try:
        name = urlsplit(f"//{netloc}").hostname or ""
    except ValueError:
        return False
    if name in _NAMES:
        return True
    try:
        # Another site's name cannot be an IP address.
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
