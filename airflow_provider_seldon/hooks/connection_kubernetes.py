"""
A ``KubernetesHook`` for the cluster of a Seldon connection, for callers that need its methods.

Importing this module imports two Kubernetes clients, so it is imported only on demand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from airflow.providers.cncf.kubernetes.hooks.kubernetes import KubernetesHook

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

    from airflow_provider_seldon.kube.access.configuration import Cluster


class ClusterKubernetesHook(KubernetesHook):
    """
    The methods of ``KubernetesHook`` for a resolved cluster; it never reads the connection.

    :param conn_id: the connection's id.
    :param extras: its extra fields.
    :param cluster: what they were resolved to.
    :param connect: returns a client of that cluster.
    """

    def __init__(
        self,
        *,
        conn_id: str | None,
        extras: Mapping[str, Any],
        cluster: Cluster,
        connect: Callable[[], ApiClient],
    ) -> None:
        super().__init__(conn_id=conn_id, kubernetes_conn_id=None)
        self.__dict__["conn_extras"] = dict(extras)
        self._cluster = cluster
        self._connect = connect

    def get_conn(self) -> ApiClient:
        """Return a client of the same cluster and credentials."""
        return self._connect()

    @property
    def is_in_cluster(self) -> bool:
        """Whether the pod's service account is used."""
        return self._cluster.in_cluster

    def get_namespace(self) -> str:
        """Return the namespace that the connection was resolved to."""
        return self._cluster.namespace
