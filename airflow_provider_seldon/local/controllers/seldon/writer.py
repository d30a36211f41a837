"""How the operator creates a child of a SeldonDeployment, and reports that in an event."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from airflow_provider_seldon.local.client.api_client import ApiClient
from airflow_provider_seldon.local.client.kinds import DEPLOYMENTS, SERVICES, VIRTUAL_SERVICES, Kind, Manifest
from airflow_provider_seldon.local.controllers.informer import Informer
from airflow_provider_seldon.local.controllers.manifests import name_of, owner_reference
from airflow_provider_seldon.local.controllers.recorder import Recorder
from airflow_provider_seldon.local.controllers.seldon.hot_loop import HotLoop

_SHORT = {"HorizontalPodAutoscaler": "HPA", "PodDisruptionBudget": "PDB"}


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """Caches and clients of a pass.

    :param served: the optional resource types (autoscalers, budgets) that the API server has
    :param virtual_services: cache of VirtualServices; None without Istio
    :param hot_loop: limits the rate of endless updates
    :param route: called with a SeldonDeployment to set its routes, for an ingress that follows the operator
    """

    api: ApiClient
    deployments: Informer
    services: Informer
    recorder: Recorder
    served: frozenset[Kind]
    hot_loop: HotLoop
    route: Callable[[Manifest], None]
    virtual_services: Informer | None = None


class Writer:
    """Writes children of one SeldonDeployment.

    :param cluster: reads and writes objects
    :param instance: the SeldonDeployment
    """

    def __init__(self, *, cluster: Cluster, instance: Manifest) -> None:
        self.cluster = cluster
        self._instance = instance

    async def create(self, kind: Kind, manifest: Manifest) -> None:
        """Create a child of the SeldonDeployment, and add it to the caches at once."""
        manifest["metadata"]["ownerReferences"] = [owner_reference(self._instance)]
        created = await self.cluster.api.create(kind, manifest)
        if kind is DEPLOYMENTS:
            self.cluster.deployments.observe(created)
        elif kind is SERVICES:
            self.cluster.services.observe(created)
        elif kind is VIRTUAL_SERVICES and self.cluster.virtual_services is not None:
            self.cluster.virtual_services.observe(created)
        self.event(f"Create{_SHORT.get(kind.kind, kind.kind)}", f'Created {kind.kind} "{name_of(manifest)}"')

    def event(self, reason: str, message: str) -> None:
        """Record an event of the SeldonDeployment."""
        self.cluster.recorder.normal(self._instance, reason, message)
