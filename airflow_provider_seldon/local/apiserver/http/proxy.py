"""An API server that runs already, behind a door like the local one's.

Purpose: faults, denied rights and counted requests for clients of a kube-apiserver. Whoever comes in by this door acts
with the credentials of ``external``: like ``kubectl proxy``, it is for this machine only, or asks for a token.
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
    A door to another API server.

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
        """Where pod logs come from; None asks the other server."""
        return self._forwarder.log_source

    @log_source.setter
    def log_source(self, source: LogSource | None) -> None:
        self._forwarder.log_source = source

    @property
    def service_source(self) -> ServiceSource | None:
        """What is behind Services; None asks the other server."""
        return self._forwarder.service_source

    @service_source.setter
    def service_source(self, source: ServiceSource | None) -> None:
        self._forwarder.service_source = source

    async def stop(self) -> None:
        """Stop serving; the other server is left as it is."""
        await super().stop()
        await self._forwarder.close()
