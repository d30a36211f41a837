"""Address and credentials of an existing API server, from a kubeconfig.

Supported are tokens, client certificates and authorities, in files or inside of the kubeconfig. Not
supported: credential plugins, and user names with passwords.
"""

from __future__ import annotations

import base64
import ssl
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True, kw_only=True)
class ExternalApiServer:
    """An existing API server.

    :param url: base URL
    :param token: bearer token; None sends none
    :param ssl_context: context that verifies its certificate and has the client's own; None for plain HTTP
    """

    url: str
    token: str | None = field(default=None, repr=False)
    ssl_context: ssl.SSLContext | None = field(default=None, repr=False)

    @classmethod
    def of_kubeconfig(cls, path: Path) -> ExternalApiServer:
        """The cluster of the current context.

        :raises ValueError: the file has none, or needs an unsupported kind of credentials
        """
        config = yaml.safe_load(path.read_text()) or {}
        context = _named(config, "context", config.get("current-context"))
        cluster = _named(config, "cluster", context.get("cluster"))
        user = _named(config, "user", context.get("user")) if context.get("user") else {}
        unknown = sorted(user.keys() & {"exec", "auth-provider", "username"})
        if unknown:
            raise ValueError(
                f"{path}: {unknown[0]} is not supported here; use a token or a client certificate"
            )
        token = user.get("token")
        if not token and user.get("tokenFile"):
            token = (path.parent / user["tokenFile"]).read_text().strip()
        url = str(cluster.get("server") or "")
        if not url:
            raise ValueError(f"{path}: the current context has no server")
        secure = url.startswith("https")
        return cls(
            url=url.rstrip("/"),
            token=token,
            ssl_context=_context(cluster, user, path.parent) if secure else None,
        )


def _named(config: Mapping[str, Any], kind: str, name: Any) -> Mapping[str, Any]:
    for entry in config.get(f"{kind}s") or []:
        if entry.get("name") == name:
            found: Mapping[str, Any] = entry.get(kind) or {}
            return found
    raise ValueError(f"the kubeconfig has no {kind} {name!r}")


def _context(cluster: Mapping[str, Any], user: Mapping[str, Any], folder: Path) -> ssl.SSLContext:
    authority = _data(cluster, "certificate-authority", folder)
    context = ssl.create_default_context(cadata=authority.decode() if authority else None)
    if cluster.get("insecure-skip-tls-verify"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    certificate, key = _data(user, "client-certificate", folder), _data(user, "client-key", folder)
    if certificate and key:
        with tempfile.TemporaryDirectory(prefix="seldon-local-") as hidden:
            path = Path(hidden) / "client.pem"
            path.touch(mode=0o600)
            path.write_bytes(key + b"\n" + certificate)
            context.load_cert_chain(path)
    return context


def _data(entry: Mapping[str, Any], name: str, folder: Path) -> bytes:
    if entry.get(f"{name}-data"):
        return base64.b64decode(entry[f"{name}-data"])
    return (folder / entry[name]).read_bytes() if entry.get(name) else b""
