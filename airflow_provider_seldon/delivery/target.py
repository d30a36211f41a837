"""The target of a delivery: one namespace of a cluster, which a hook derives from its connection."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from airflow_provider_seldon.core.rollout.model_server_info import ModelServerInfo

if TYPE_CHECKING:
    from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
    from airflow_provider_seldon.core.storage.storage_connection import StorageConnection
    from airflow_provider_seldon.delivery.gateway.ingress import Ingress
    from airflow_provider_seldon.kube.access.access import ClusterAccess
    from airflow_provider_seldon.kube.requests.client import SeldonClient


@dataclass(frozen=True, kw_only=True)
class Target:
    """
    A namespace of a cluster, and its ingress gateway.

    The client and the gateway are opened on first use. A wait in the triggerer uses only ``access``, until it
    must diagnose a failure.

    :param namespace: namespace of every request.
    :param access: the cluster and its credentials for asynchronous requests.
    :param open_client: returns the client for synchronous requests; may block.
    :param open_ingress: returns the access to the ingress gateway.
    :param storage_secret: name of an existing Secret for model servers that name none; None if there is none.
    :param read_storage_connection: returns the storage connection whose credentials become a Secret; None if
        the connection names none. May block.
    :param redact: returns a text in which known credentials are masked.
    :param mask: masks values in every log from now on.
    """

    namespace: str
    access: ClusterAccess = field(repr=False)
    open_client: Callable[[], SeldonClient] = field(repr=False, compare=False)
    open_ingress: Callable[[], Ingress] = field(repr=False, compare=False)
    redact: Callable[[str], str] = field(repr=False, compare=False)
    mask: Callable[[Iterable[str]], None] = field(repr=False, compare=False)
    storage_secret: str | None = None
    read_storage_connection: Callable[[], StorageConnection] | None = field(
        default=None, repr=False, compare=False
    )

    @cached_property
    def client(self) -> SeldonClient:
        """The client for synchronous requests."""
        return self.open_client()

    @cached_property
    def ingress(self) -> Ingress:
        """The access to the ingress gateway."""
        return self.open_ingress()

    def info(self, deployment: SeldonDeployment, *, action: str = "") -> ModelServerInfo:
        """
        Return name, URLs, state and origin of a deployment.

        :param action: recorded in the result.
        """
        return ModelServerInfo.of(
            deployment, ingress_url=self.ingress.url, namespace=self.namespace, action=action
        )
