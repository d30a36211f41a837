"""The local API server as one object: composed, started and stopped.

Purpose: a Kubernetes API on one port of this machine that ``kubectl`` and the official clients use
unmodified. It stores objects and enforces the API's rules; apart from garbage collection, only controllers
change the objects (``airflow_provider_seldon.local``).
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Mapping

from airflow_provider_seldon.local.apiserver.access.authorization import Authorizer, Deny
from airflow_provider_seldon.local.apiserver.http.dispatch import Dispatcher
from airflow_provider_seldon.local.apiserver.http.listener import Listener
from airflow_provider_seldon.local.apiserver.http.service_proxy import ServiceSource
from airflow_provider_seldon.local.apiserver.objects import crd, metadata
from airflow_provider_seldon.local.apiserver.objects.store import Store
from airflow_provider_seldon.local.apiserver.reads.logs import LogSource
from airflow_provider_seldon.local.apiserver.writes.admission import AdmissionWebhook
from airflow_provider_seldon.local.apiserver.writes.commit import Committer
from airflow_provider_seldon.local.apiserver.writes.garbage import GarbageCollector
from airflow_provider_seldon.local.apiserver.writes.writing import Writer


class ApiServer(Listener):
    """
    A Kubernetes API server in this process.

    :param tokens: Accepted bearer tokens (or a mapping to user names); none: no authentication.
    :param deny: Rules about what users may not do; ``server.authorizer.deny`` may be changed later.
    :param admission: Whether the admission rules of Seldon Core apply to SeldonDeployments; may be changed
        later as ``server.admission.enabled``.
    :param seldon: Whether the SeldonDeployment definition is installed; see also :meth:`remove_crd`.
    :param namespaces: Namespaces to create at the start.
    :param create_namespaces: Create missing namespaces on first use instead of returning 404.
    :param history_limit: Maximum number of events per resource type; older watches get 410.
    :param bookmark_seconds: Time between bookmarks.
    :param garbage_collection: Whether dependents are deleted after their owners.
    :param garbage_delay: Delay of the garbage collector in seconds.
    :param log_source: Source of pod logs; may be set later as ``server.log_source``.
    :param istio: Whether Istio's VirtualServices are served.
    :param tls: Server certificate to serve HTTPS with.
    """

    def __init__(
        self,
        *,
        tokens: Mapping[str, str] | Iterable[str] = (),
        deny: Iterable[Deny] = (),
        admission: bool = True,
        seldon: bool = True,
        namespaces: Iterable[str] = ("default",),
        create_namespaces: bool = False,
        history_limit: int = 20_000,
        bookmark_seconds: float = 10.0,
        garbage_collection: bool = True,
        garbage_delay: float = 0.0,
        log_source: LogSource | None = None,
        istio: bool = False,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.store = Store(history_limit=history_limit)
        self.admission = AdmissionWebhook(enabled=admission)
        self._committer = Committer(
            store=self.store, admission=self.admission, create_namespaces=create_namespaces
        )
        authorizer = Authorizer(tokens=tokens, deny=deny)
        self._dispatcher = Dispatcher(
            store=self.store,
            writer=Writer(self._committer),
            authorizer=authorizer,
            log_source=log_source,
            bookmark_seconds=bookmark_seconds,
            istio=istio,
        )
        super().__init__(backend=self._dispatcher, authorizer=authorizer, tls=tls)
        self._collects = garbage_collection
        self._garbage_delay = garbage_delay
        self._garbage: GarbageCollector | None = None
        self._namespaces = tuple(namespaces)
        self._seldon = seldon

    @property
    def log_source(self) -> LogSource | None:
        """Source of pod logs."""
        return self._dispatcher.log_source

    @log_source.setter
    def log_source(self, source: LogSource | None) -> None:
        self._dispatcher.log_source = source

    @property
    def service_source(self) -> ServiceSource | None:
        """Backends of Services."""
        return self._dispatcher.service_source

    @service_source.setter
    def service_source(self, source: ServiceSource | None) -> None:
        self._dispatcher.service_source = source

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """
        Start serving.

        :param port: 0 picks a free one; see :attr:`url`.
        :raises OSError: When the port is taken.
        """
        for namespace in self._namespaces:
            self._committer.ensure_namespace(namespace)
        if self._seldon:
            self.install_crd()
        if self._collects:
            self._garbage = GarbageCollector(store=self.store, delay=self._garbage_delay)
            self._garbage.start()
        await super().start(host, port)

    async def stop(self) -> None:
        """Close all watches and connections, and stop serving; the objects stay in :attr:`store`."""
        await super().stop()
        if self._garbage is not None:
            await self._garbage.stop()
            self._garbage = None

    def install_crd(self) -> None:
        """Install the SeldonDeployment definition if it is missing."""
        if self.store.get(crd.DEFINITIONS, "", crd.NAME) is None:
            manifest = crd.definition() | {"status": crd.established(metadata.now())}
            metadata.fill_new(crd.DEFINITIONS, manifest, "")
            self.store.put(crd.DEFINITIONS, manifest)

    def remove_crd(self) -> None:
        """Remove the definition and all SeldonDeployments; from then on, their paths return 404."""
        for stored in list(self.store.list(crd.CUSTOM)):
            self.store.remove(stored)
        found = self.store.get(crd.DEFINITIONS, "", crd.NAME)
        if found is not None:
            self.store.remove(found)

    def compact(self) -> None:
        """Drop the history, so that the next watch or page of running clients gets 410."""
        self.store.compact()
