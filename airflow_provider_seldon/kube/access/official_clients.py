"""The official client of a hook's cluster, created on first use: importing it costs 0.4 s and 40 MB."""

from __future__ import annotations

from abc import abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kubernetes.client import ApiClient, AppsV1Api, BatchV1Api, CoreV1Api, CustomObjectsApi


class KubernetesClients:
    """The clients of ``KubernetesHook``, with the same names."""

    @abstractmethod
    def get_conn(self) -> ApiClient:
        """Return an authenticated client of the Kubernetes API."""

    @cached_property
    def api_client(self) -> ApiClient:
        """An authenticated client of the Kubernetes API: one for this hook."""
        return self.get_conn()

    @cached_property
    def core_v1_client(self) -> CoreV1Api:
        """The official client of pods, Secrets, events and the like."""
        from kubernetes.client import CoreV1Api

        return CoreV1Api(api_client=self.api_client)

    @cached_property
    def apps_v1_client(self) -> AppsV1Api:
        """The official client of Deployments and the like."""
        from kubernetes.client import AppsV1Api

        return AppsV1Api(api_client=self.api_client)

    @cached_property
    def batch_v1_client(self) -> BatchV1Api:
        """The official client of Jobs."""
        from kubernetes.client import BatchV1Api

        return BatchV1Api(api_client=self.api_client)

    @cached_property
    def custom_object_client(self) -> CustomObjectsApi:
        """The official client of custom resources."""
        from kubernetes.client import CustomObjectsApi

        return CustomObjectsApi(api_client=self.api_client)
