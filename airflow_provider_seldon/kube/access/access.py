"""
How the asynchronous half gets to a cluster: an identity now, everything else when it is needed.

A trigger knows which connection it is for long before anything has to be read; a thousand triggers of the same
connection read it once. So ``ClusterAccess`` is only an identity and a function, and what that function returns (the
official client's ``Configuration``, resolved by ``configuration.load`` for both halves) becomes a ``RestConfig``: the
server, its TLS and the credentials, in terms of aiohttp.
"""

from __future__ import annotations

import hashlib
import json
import ssl
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Self

from airflow_provider_seldon.kube.access.configuration import ClusterSettings, load

if TYPE_CHECKING:
    from kubernetes.client import Configuration


@dataclass(frozen=True, kw_only=True)
class ClusterAccess:
    """
    A cluster and who we are there.

    :param key: equal exactly when cluster and credentials are; watches are shared by it. Holds no secret.
    :param resolve: returns a fresh configuration of the official client. Blocks (reads files, may run an exec plugin),
        so it is called in a thread: once in the beginning, and again when the credentials are not accepted.
    """

    key: str
    resolve: Callable[[], Configuration] = field(compare=False, repr=False)

    @classmethod
    def of(cls, settings: ClusterSettings, *, resolve: Callable[[], Configuration] | None = None) -> Self:
        """
        Return the access that a connection's settings describe, their namespace aside; reads nothing yet.

        :param resolve: reads them again, where they may change themselves.
        """
        plain = asdict(settings) | {"namespace": None}
        # Not by repr, which hides what tells two kubeconfigs apart.
        text = json.dumps(plain, sort_keys=True, default=str)
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        return cls(key=digest, resolve=resolve or (lambda: load(settings).configuration))

    @classmethod
    def of_configuration(cls, configuration: Configuration, *, key: str) -> Self:
        """Return the access to a cluster that is resolved already; ``key`` has to tell clusters and users apart."""
        return cls(key=key, resolve=lambda: configuration)


@dataclass(frozen=True, kw_only=True)
class RestConfig:
    """
    How to reach the API server, resolved from the configuration (client-go: ``rest.Config``).

    :param server: URL of the API server, without a slash at its end.
    :param tls: settings to connect with; None for plain HTTP.
    :param server_name: name to expect in the server's certificate, when it is not the host's.
    :param proxy: URL of an HTTP proxy.
    :param proxy_headers: headers for the proxy.
    :param configuration: where the credentials are; they may be refreshed in it.
    """

    server: str
    tls: ssl.SSLContext | None
    server_name: str | None
    proxy: str | None
    proxy_headers: dict[str, str] | None
    configuration: Configuration = field(repr=False)

    @classmethod
    def open(cls, configuration: Configuration) -> Self:
        """Read certificates and decide on the proxy; blocks for some 20 ms when the system's CAs are loaded."""
        server = str(configuration.host).rstrip("/")
        return cls(
            server=server,
            tls=_tls(configuration) if server.startswith("https:") else None,
            server_name=configuration.tls_server_name or None,
            proxy=_proxy(configuration),
            proxy_headers=dict(configuration.proxy_headers) if configuration.proxy_headers else None,
            configuration=configuration,
        )

    def credentials(self) -> dict[str, str]:
        """
        Return the headers that let us in; blocks, for the client may have to read a rotated token or run a plugin.

        A username and a password become a header in the same way as with the official client.
        """
        authorization = None
        for setting in self.configuration.auth_settings().values():
            if setting.get("in") == "header" and setting.get("value"):
                authorization = str(setting["value"])
        if authorization is None and self.configuration.username:
            authorization = self.configuration.get_basic_auth_token()
        return {"Authorization": authorization} if authorization else {}


def _tls(configuration: Configuration) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=configuration.ssl_ca_cert or None)
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, configuration.key_file or None)
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif configuration.assert_hostname is False:
        context.check_hostname = False
    return context


def _proxy(configuration: Any) -> str | None:
    from requests.utils import should_bypass_proxies  # what the official client asks, too

    proxy: str | None = configuration.proxy
    if not proxy or should_bypass_proxies(configuration.host, no_proxy=configuration.no_proxy or ""):
        return None
    return proxy
