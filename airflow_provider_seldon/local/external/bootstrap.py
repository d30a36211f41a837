"""The parts that a bare API server needs for Seldon Core: the CRD, the webhook, and a node.

Purpose: to run :class:`~airflow_provider_seldon.local.cluster.LocalSeldon` against a kube-apiserver that has
no controllers. A cluster with its own nodes is refused: its controllers and these would conflict over
every pod.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType

from airflow_provider_seldon.local.apiserver.objects import crd
from airflow_provider_seldon.local.client.api_client import ApiClient
from airflow_provider_seldon.local.client.errors import ApiError
from airflow_provider_seldon.local.client.kinds import (
    CUSTOM_RESOURCE_DEFINITIONS,
    NAMESPACES,
    NODES,
    SELDON_DEPLOYMENTS,
    Kind,
    Manifest,
)
from airflow_provider_seldon.local.controllers.manifests import now
from airflow_provider_seldon.local.external.webhook import CONFIGURATION, CONFIGURATIONS, Webhook
from airflow_provider_seldon.local.kubelet.pods.kubelet import NODE, Kubelet
from airflow_provider_seldon.local.kubelet.pods.log_server import LogServer

_SECONDS = 60.0
_PAUSE = 0.1


class Bootstrap:
    """Creates these, and at the end removes those that need this process.

    :param api: client for writes
    :param host: address to listen on, reachable by the API server
    :param namespace: a namespace to create
    :param capacity: capacity of the node, per resource
    :param admission: register the webhook
    """

    def __init__(
        self,
        *,
        api: ApiClient,
        host: str,
        namespace: str,
        capacity: Mapping[str, str] = MappingProxyType({}),
        admission: bool = True,
    ) -> None:
        self._api = api
        self._host = host
        self._namespace = namespace
        self._capacity = capacity
        self._webhook = Webhook(host=host) if admission else None
        self._logs: LogServer | None = None

    async def prepare(self) -> None:
        """Create namespace, CRD and webhook, and wait until they are effective.

        :raises ValueError: the cluster has its own nodes
        """
        nodes, _ = await self._api.list(NODES)
        others = [one["metadata"]["name"] for one in nodes if one["metadata"]["name"] != NODE]
        if others:
            raise ValueError(
                f"the cluster has its own nodes ({others[0]}, ...): install Seldon Core there instead; "
                "this is for an API server without controllers"
            )
        for name in dict.fromkeys(["default", self._namespace]):
            await self._ensure(
                NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            )
        await self._ensure(CUSTOM_RESOURCE_DEFINITIONS, crd.definition())
        async with asyncio.timeout(_SECONDS):
            while not await self._api.serves(SELDON_DEPLOYMENTS):  # noqa: ASYNC110 - there is no event to wait for
                await asyncio.sleep(_PAUSE)
            if self._webhook is not None:
                await self._webhook.start()
                await self._api.delete(CONFIGURATIONS, None, CONFIGURATION)
                await self._api.create(CONFIGURATIONS, self._webhook.configuration())
                while not await self._is_refused():  # noqa: ASYNC110 - there is no event to wait for
                    await asyncio.sleep(_PAUSE)

    async def add_node(self, kubelet: Kubelet) -> None:
        """Register the node in the API server, with the address of its kubelet for logs."""
        self._logs = LogServer(kubelet=kubelet, host=self._host)
        await self._logs.start()
        labels = {"kubernetes.io/hostname": NODE, "kubernetes.io/os": "linux"}
        node: Manifest = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE, "labels": labels}}
        await self._ensure(NODES, node)
        ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "lastTransitionTime": now()}
        status = {
            "addresses": [{"type": "InternalIP", "address": self._host}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self._logs.port}},
            "capacity": {"pods": "1000"} | dict(self._capacity),
            "allocatable": {"pods": "1000"} | dict(self._capacity),
            "conditions": [ready],
        }
        await self._api.patch(NODES, None, NODE, {"status": status}, subresource="status")

    async def stop(self) -> None:
        """Remove webhook and node; CRD and objects stay."""
        with suppress(ApiError, OSError, TimeoutError):
            await self._api.delete(CONFIGURATIONS, None, CONFIGURATION)
            await self._api.delete(NODES, None, NODE)
        for server in (self._webhook, self._logs):
            if server is not None:
                await server.stop()

    async def _ensure(self, kind: Kind, manifest: Manifest) -> None:
        try:
            await self._api.get(kind, None, manifest["metadata"]["name"])
        except ApiError as error:
            if not error.not_found:
                raise
            with suppress(ApiError):  # already removed; if not, the next start reports it
                await self._api.create(kind, manifest)

    async def _is_refused(self) -> bool:
        """Whether the API server already calls the webhook: a new one is effective after a moment."""
        wrong = {
            "apiVersion": SELDON_DEPLOYMENTS.api_version,
            "kind": SELDON_DEPLOYMENTS.kind,
            "metadata": {"name": "is-the-webhook-there", "namespace": self._namespace},
            "spec": {"predictors": []},
        }
        try:
            await self._api.create(SELDON_DEPLOYMENTS, wrong, dry_run=True)
        except ApiError as error:
            return "denied the request" in error.message
        return False
