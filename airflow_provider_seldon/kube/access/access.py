"""
Access of the asynchronous half to a cluster: an identity now, everything else on demand.

A trigger knows its connection long before it must be read; a thousand triggers of the same connection
read it once. So ``ClusterAccess`` is only an identity and a function. The result of the function (the
official client's ``Configuration``, resolved by ``configuration.load`` for both halves) becomes a
``RestConfig``: the server, its TLS and the credentials, in terms of aiohttp.
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
    A cluster and our identity there.

    :param key: equal exactly if cluster and credentials are equal; watches are shared by key. Contains no
        secret.
    :param resolve: returns a fresh configuration of the official client. Blocks (reads files, may run an exec
        plugin), so it is called in a thread: once at the beginning, and again when the credentials are
        rejected.
    """

    key: str
    resolve: Callable[[], Configuration] = field(compare=False, repr=False)

    @classmethod
    def of(cls, settings: ClusterSettings, *, resolve: Callable[[], Configuration] | None = None) -> Self:
        """
        Return the access for a connection's settings, apart from the namespace; reads nothing yet.

        :param resolve: reads them again, if they may change.
        """
        plain = asdict(settings) | {"namespace": None}
        # Not by repr, which hides the difference between two kubeconfigs.
        text = json.dumps(plain, sort_keys=True, default=str)
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        return cls(key=digest, resolve=resolve or (lambda: load(settings).configuration))

    @classmethod
    def of_configuration(cls, configuration: Configuration, *, key: str) -> Self:
        """Return the access to a resolved cluster; ``key`` must distinguish clusters and users."""
        return cls(key=key, resolve=lambda: configuration)


@dataclass(frozen=True, kw_only=True)
class RestConfig:
    """
    How to reach the API server, resolved from the configuration (client-go: ``rest.Config``).

    :param server: URL of the API server, without a trailing slash.
    :param tls: settings to connect with; None for plain HTTP.
    :param server_name: expected name in the server's certificate, if it differs from the host.
    :param proxy: URL of an HTTP proxy.
    :param proxy_headers: headers for the proxy.
    :param configuration: contains the credentials, which it may refresh.
    """

    server: str
    tls: ssl.SSLContext | None
    server_name: str | None
    proxy: str | None
    proxy_headers: dict[str, str] | None
    configuration: Configuration = field(repr=False)

    @classmethod
    def open(cls, configuration: Configuration) -> Self:
        """Read certificates and choose the proxy; blocks for about 20 ms when it loads the system's CAs."""
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
        Return the authorization headers; blocks, because the client may need to read a rotated token or run a
        plugin.

        Username and password become a header in the same way as in the official client.
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
    from requests.utils import should_bypass_proxies  # as the official client does

    proxy: str | None = configuration.proxy
    if not proxy or should_bypass_proxies(configuration.host, no_proxy=configuration.no_proxy or ""):
        return None
    return proxy
