"""Provides the pods of Services to the API server's proxy."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, Self

import aiohttp

from airflow_provider_seldon.local.apiserver.protocol.pod_http import Request, Response
from airflow_provider_seldon.local.client.kinds import PODS, SERVICES, Manifest
from airflow_provider_seldon.local.controllers.caches import Caches
from airflow_provider_seldon.local.controllers.informer import Informer
from airflow_provider_seldon.local.controllers.manifests import dig, name_of, namespace_of
from airflow_provider_seldon.local.kubelet.pods.kubelet import Kubelet


class KubeletServices:
    """Services whose pods run on one kubelet.

    :param services: cache of Services
    :param pods: cache of pods
    :param kubelet: runs the pods
    """

    def __init__(self, *, services: Informer, pods: Informer, kubelet: Kubelet) -> None:
        self._services = services
        self._pods = pods
        self._kubelet = kubelet
        self._random = random.Random()

    @classmethod
    async def of(cls, caches: Caches, kubelet: Kubelet) -> Self:
        """Services and pods from caches."""
        return cls(services=await caches.of(SERVICES), pods=await caches.of(PODS), kubelet=kubelet)

    def service(self, namespace: str, name: str) -> Manifest | None:
        """The last known object of a Service."""
        return self._services.get(namespace, name)

    async def send(self, service: Mapping[str, Any], port: str, request: Request) -> Response | None:
        """Send to a ready pod; None without one, or without the port. :raises ConnectionError: the pod is gone"""
        ports = dig(service, "spec", "ports", default=[])
        namespace = namespace_of(dict(service))
        ready = [name for name in self._selected(service) if self._kubelet.is_ready(namespace, name)]
        # Every port of a pod leads to what answers requests here.
        if not ready or not any((one.get("name") or "") == port for one in ports):
            return None
        try:
            return await self._kubelet.handle(namespace, self._random.choice(ready), request)
        except aiohttp.ClientError as error:
            raise ConnectionError(str(error)) from error

    def _selected(self, service: Mapping[str, Any]) -> list[str]:
        selector = dig(service, "spec", "selector", default={})
        namespace = namespace_of(dict(service))
        return [
            name_of(pod)
            for pod in self._pods.all()
            if selector
            and namespace_of(pod) == namespace
            and selector.items() <= dig(pod, "metadata", "labels", default={}).items()
        ]
