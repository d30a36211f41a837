"""Resolve an Airflow connection to a cluster and its ingress gateway."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook, Connection, conf

from airflow_provider_seldon import __version__, settings
from airflow_provider_seldon.delivery.gateway.ingress import Ingress
from airflow_provider_seldon.delivery.target import Target
from airflow_provider_seldon.exceptions import CredentialPluginError
from airflow_provider_seldon.hooks.connection_extras import extras_of, field, flag
from airflow_provider_seldon.hooks.masking import mask_configuration, mask_values, redact
from airflow_provider_seldon.hooks.storage_connection import storage_connection
from airflow_provider_seldon.kube.access.access import ClusterAccess
from airflow_provider_seldon.kube.access.configuration import Cluster, ClusterSettings, load
from airflow_provider_seldon.kube.access.keep_alive import keep_alive
from airflow_provider_seldon.kube.access.official_clients import KubernetesClients
from airflow_provider_seldon.kube.requests.client import SeldonClient
from airflow_provider_seldon.kube.requests.dry_run import DryRunClient

log = logging.getLogger(__name__)

#: Seconds between two runs of an exec plugin that fails.
PLUGIN_PAUSES = (1.0, 4.0)
#: Shown in the API server's audit log.
USER_AGENT = f"airflow-provider-seldon/{__version__}"

if TYPE_CHECKING:
    from airflow.providers.cncf.kubernetes.hooks.kubernetes import KubernetesHook
    from kubernetes.client import ApiClient


class SeldonConnectionHook(KubernetesClients, BaseHook):
    """
    Resolves a connection, once and lazily; knows nothing about model servers.

    It has the constructor's options and the clients of ``KubernetesHook``, but does not inherit from it:
    importing that class imports two Kubernetes clients, 1,700 modules, into every task.
    :attr:`kubernetes_hook` is one.

    :param seldon_conn_id: the Airflow connection. If ``seldon_default`` does not exist, the pod's service
        account or the default kubeconfig is used.
    :param namespace: overrides the connection's namespace.
    :param connection: the connection itself, if it has already been fetched (in a triggerer, where fetching
        must not block the event loop).
    :param reconnect: fetches the connection again when its credentials are no longer accepted; may block.
        Without it, a connection that was passed in stays as it is.
    :param dry_run: the API server checks every write, webhooks included, and stores none.
    :param cluster_context: overrides the connection's ``cluster_context``.
    :param config_file: overrides its ``kube_config_path``.
    :param config_dict: overrides its ``kube_config``.
    :param in_cluster: overrides its ``in_cluster``; so do the next two.
    :param disable_verify_ssl: do not check the API server's certificate.
    :param disable_tcp_keepalive: do not keep idle connections to the API server alive.
    """

    default_conn_name = "seldon_default"

    def __init__(
        self,
        seldon_conn_id: str | None = default_conn_name,
        *,
        namespace: str | None = None,
        connection: Connection | None = None,
        reconnect: Callable[[], Connection] | None = None,
        dry_run: bool = False,
        cluster_context: str | None = None,
        config_file: str | None = None,
        config_dict: Mapping[str, Any] | None = None,
        in_cluster: bool | None = None,
        disable_verify_ssl: bool | None = None,
        disable_tcp_keepalive: bool | None = None,
    ) -> None:
        super().__init__()
        self.conn_id = seldon_conn_id
        self.cluster_context = cluster_context
        self.config_file = config_file
        self.config_dict = config_dict
        self.in_cluster = in_cluster
        self.disable_verify_ssl = disable_verify_ssl
        self.disable_tcp_keepalive = disable_tcp_keepalive
        self._namespace = namespace
        self._dry_run = dry_run
        if connection is not None:
            self.__dict__["connection"] = connection
        self._reconnect = reconnect or (self._fetch if connection is None else lambda: connection)

    @classmethod
    def get_connection(cls, conn_id: str) -> Connection:
        """Return a connection; an empty one if the default connection does not exist."""
        try:
            return super().get_connection(conn_id)
        except AirflowNotFoundException:
            if conn_id != cls.default_conn_name:
                raise
            return Connection(conn_id=conn_id)

    @cached_property
    def connection(self) -> Connection:
        """The Airflow connection; an empty one if there is no id."""
        return self._fetch()

    def _fetch(self) -> Connection:
        if not self.conn_id:
            return Connection(conn_id=self.default_conn_name)
        return self.get_connection(self.conn_id)

    @cached_property
    def conn_extras(self) -> dict[str, Any]:
        """The connection's extra fields."""
        return extras_of(self.connection)

    @cached_property
    def cluster(self) -> Cluster:
        """
        The resolved cluster; read once.

        :raises ConnectionConfigError: the connection cannot be used; the message names the field.
        """
        return self._resolve(self.conn_extras)

    @cached_property
    def access(self) -> ClusterAccess:
        """The same cluster and credentials for the asynchronous half; equal accesses share watches."""
        return ClusterAccess.of(
            self._settings(self.conn_extras), resolve=lambda: self._resolve_anew().configuration
        )

    def _resolve(self, extras: Mapping[str, Any]) -> Cluster:
        cluster = _loaded(self._settings(extras))
        mask_configuration(cluster.configuration)
        return cluster

    def _resolve_anew(self) -> Cluster:
        """
        Resolve the current connection, whose fields and files may have been renewed; blocks.

        Namespace and gateway stay as they were.
        """
        try:
            connection = self._reconnect()
        except Exception as error:
            # The known connection may still be valid; an error of a secrets backend may quote anything.
            self.log.warning("The connection cannot be read again (%s)", type(error).__name__)
            connection = self.connection
        return self._resolve(extras_of(connection))

    def get_conn(self) -> ApiClient:
        """Return an authenticated client of the Kubernetes API, with its own configuration."""
        return self._api_client_for(self.cluster)

    def _api_client_for(self, cluster: Cluster) -> ApiClient:
        from kubernetes.client import ApiClient

        configuration = cluster.configuration
        if not flag(self.conn_extras, "disable_tcp_keepalive", self.disable_tcp_keepalive):
            keep_alive(configuration, **_keepalive_settings())
        api_client = ApiClient(configuration=configuration)
        api_client.user_agent = USER_AGENT
        return api_client

    @cached_property
    def kubernetes_hook(self) -> KubernetesHook:
        """A ``KubernetesHook`` with the same cluster, credentials and namespace, for its methods."""
        from airflow_provider_seldon.hooks.connection_kubernetes import ClusterKubernetesHook

        return ClusterKubernetesHook(
            conn_id=self.conn_id, extras=self.conn_extras, cluster=self.cluster, connect=self.get_conn
        )

    @property
    def is_in_cluster(self) -> bool:
        """Whether the pod's service account is used."""
        return self.cluster.in_cluster

    @cached_property
    def client(self) -> SeldonClient:
        """
        Kubernetes API for the SeldonDeployments of the namespace.

        :raises ConnectionConfigError: the connection cannot be used, even if only for predictions: better now
            than after a write.
        """
        _ = self.ingress
        if self._dry_run:
            self.log.info("Dry run: the API server checks every write, and stores none")
        return self.open_client(patience=settings.outage_patience())

    def open_client(self, *, patience: float) -> SeldonClient:
        """
        Return a client of the namespace.

        :param patience: seconds for which a request is retried while the API server is unavailable.
        """
        kind = DryRunClient if self._dry_run else SeldonClient
        return kind(
            self.api_client,
            namespace=self.namespace,
            patience=patience,
            renew=lambda: self._api_client_for(self._resolve_anew()),
        )

    def dry_run_changes(self) -> str:
        """Return what a hook with ``dry_run`` would have changed so far: unified diffs, credentials masked."""
        return redact(self.client.changes) if isinstance(self.client, DryRunClient) else ""

    @property
    def namespace(self) -> str:
        """Namespace of every call: from the argument, the connection, the kubeconfig, or ``default``."""
        return self.cluster.namespace

    def get_namespace(self) -> str:
        """Return :attr:`namespace`; ``KubernetesHook`` calls it this."""
        return self.namespace

    @cached_property
    def ingress(self) -> Ingress:
        """How to reach the ingress gateway."""
        verify = field(self.conn_extras, "ingress_verify")
        if isinstance(verify, str) and verify.strip().lower() in {"true", "false"}:
            verify = verify.strip().lower() == "true"
        # field() returns None for false values, and "do not verify" is one.
        if self.conn_extras.get("ingress_verify") is False:
            verify = False
        return Ingress(
            url=field(self.conn_extras, "ingress_url"),
            login=self.connection.login,
            password=self.connection.password,
            token=field(self.conn_extras, "ingress_token"),
            verify=True if verify is None else verify,
            host_header=field(self.conn_extras, "ingress_host_header"),
        )

    @property
    def storage_connection_id(self) -> str | None:
        """Id of the Airflow connection that holds storage credentials, if given."""
        return field(self.conn_extras, "storage_conn_id") or None

    @property
    def default_storage_secret(self) -> str | None:
        """Name of the Secret for model servers that name none, if there is one."""
        return field(self.conn_extras, "storage_env_from") or None

    @property
    def target(self) -> Target:
        """The part of this hook that ``delivery`` gets."""
        return self.target_in(self.namespace)

    def target_in(self, namespace: str) -> Target:
        """
        Return the part of this hook that ``delivery`` gets, if the namespace is already known.

        The cluster is resolved, and the client created, only when used.
        """
        conn_id = self.storage_connection_id
        return Target(
            namespace=namespace,
            access=self.access,
            open_client=lambda: self.client,
            open_ingress=lambda: self.ingress,
            redact=redact,
            mask=mask_values,
            storage_secret=self.default_storage_secret,
            read_storage_connection=(
                (lambda: storage_connection(conn_id, self.get_connection(conn_id))) if conn_id else None
            ),
        )

    def _settings(self, extras: Mapping[str, Any]) -> ClusterSettings:
        return ClusterSettings(
            in_cluster=flag(extras, "in_cluster", self.in_cluster),
            kube_config_path=self.config_file or field(extras, "kube_config_path"),
            kube_config=self.config_dict or field(extras, "kube_config"),
            context=self.cluster_context or field(extras, "cluster_context"),
            verify_ssl=not flag(extras, "disable_verify_ssl", self.disable_verify_ssl),
            namespace=self._namespace or field(extras, "namespace"),
        )


def _keepalive_settings() -> dict[str, int]:
    """Return Airflow's settings for all Kubernetes connections."""
    # The defaults of cncf.kubernetes, which Airflow 2.11 may not have loaded.
    defaults = {"idle": 120, "interval": 30, "count": 6}
    options = {"idle": "tcp_keep_idle", "interval": "tcp_keep_intvl", "count": "tcp_keep_cnt"}
    return {
        name: conf.getint("kubernetes_executor", option, fallback=defaults[name])
        for name, option in options.items()
    }


def _loaded(settings: ClusterSettings) -> Cluster:
    """Resolve; retry an exec plugin, whose identity provider may have failed temporarily."""
    problem = ""
    for pause in (*PLUGIN_PAUSES, None):
        try:
            return load(settings)
        except CredentialPluginError as error:
            problem = redact(str(error))
        if pause is not None:
            log.warning("%s Retrying in %g s.", problem, pause)
            time.sleep(pause)
    raise CredentialPluginError(problem)
