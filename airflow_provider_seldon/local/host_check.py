"""
Who may knock at a port of ``local``: no web page, whatever name it has given to this machine.

A browser on this machine sends what a page of any site tells it to, also to 127.0.0.1. It says which site that was
(``Origin``), or which name it took for this machine's (``Host``, when a site's name server answers with a loopback
address). Neither is checked by tokens alone where none is asked for.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from aiohttp import web

_NAMES = frozenset({"localhost", "ip6-localhost"})


def refusal(request: web.Request, *, any_host: bool = False) -> str:
    """
    Return why a request is not let in; "" when it is.

    :param any_host: requests may name any host, as a gateway is that routes by it.
    """
    host = request.headers.get("Host", "")
    if not any_host and not _is_this_machine(host):
        return "the Host header names another machine; use localhost or an IP address"
    origin = request.headers.get("Origin")
    if origin is not None and not _is_this_machine(_netloc(origin)):
        return "the Origin header names another site"
    return ""


def _netloc(origin: str) -> str:
    """Return host and port of an origin; "" for ``null`` and for what is none."""
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
        # An address cannot be another site's name for it.
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
