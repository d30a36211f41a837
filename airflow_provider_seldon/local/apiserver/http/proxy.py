"""An existing API server, behind a port like the local one's.

Purpose: faults, denied permissions and counted requests for clients of a kube-apiserver. Clients of this port
act with the credentials of ``external``: like ``kubectl proxy``, it is for this machine only, or requires a
token.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Mapping

from airflow_provider_seldon.local.apiserver.access.authorization import Authorizer, Deny
from airflow_provider_seldon.local.apiserver.http.external_api_server import ExternalApiServer
from airflow_provider_seldon.local.apiserver.http.forwarding import Forwarder
from airflow_provider_seldon.local.apiserver.http.listener import Listener
from airflow_provider_seldon.local.apiserver.http.service_proxy import ServiceSource
from airflow_provider_seldon.local.apiserver.reads.logs import LogSource


class ApiProxy(Listener):
    """
    A port in front of another API server.

    :param external: That server.
    :param tokens: Accepted bearer tokens (or a mapping to user names); none: no authentication.
    :param deny: Rules about what users may not do.
    :param tls: Server certificate to serve HTTPS with.
    """

    def __init__(
        self,
        *,
        external: ExternalApiServer,
        tokens: Mapping[str, str] | Iterable[str] = (),
        deny: Iterable[Deny] = (),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        authorizer = Authorizer(tokens=tokens, deny=deny)
        self._forwarder = Forwarder(external=external, authorizer=authorizer)
        super().__init__(backend=self._forwarder, authorizer=authorizer, tls=tls)

    @property
    def log_source(self) -> LogSource | None:
        """Source of pod logs; None for the other server."""
        return self._forwarder.log_source

    @log_source.setter
    def log_source(self, source: LogSource | None) -> None:
        self._forwarder.log_source = source

    @property
    def service_source(self) -> ServiceSource | None:
        """Backends of Services; None for the other server."""
        return self._forwarder.service_source

    @service_source.setter
    def service_source(self, source: ServiceSource | None) -> None:
        self._forwarder.service_source = source

    async def stop(self) -> None:
        """Stop serving; the other server does not change."""
        await super().stop()
        await self._forwarder.close()
