"""Whether the only node has room for a pod. Pure.

Source: Kubernetes documentation, "Resource Management for Pods and Containers" (quantities; the larger of the sum of
the containers and of each init container counts).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from airflow_provider_seldon.local.client.kinds import Manifest
from airflow_provider_seldon.local.controllers.manifests import dig
from airflow_provider_seldon.local.controllers.quantities import quantity


def requests(pod: Manifest) -> dict[str, float]:
    """The requests of a pod; without a request, the limit counts."""
    total: dict[str, float] = {}
    for container in dig(pod, "spec", "containers", default=[]):
        for resource, amount in _of(container).items():
            total[resource] = total.get(resource, 0.0) + amount
    for container in dig(pod, "spec", "initContainers", default=[]):
        for resource, amount in _of(container).items():
            total[resource] = max(total.get(resource, 0.0), amount)
    return total


def lacking(pod: Manifest, placed: Iterable[Manifest], capacity: Mapping[str, str]) -> list[str]:
    """The resources of which the node has too little left, after the scheduled pods."""
    used: dict[str, float] = {}
    for other in placed:
        for resource, amount in requests(other).items():
            used[resource] = used.get(resource, 0.0) + amount
    return sorted(
        resource
        for resource, amount in requests(pod).items()
        if amount > 0 and used.get(resource, 0.0) + amount > quantity(capacity.get(resource, "0"))
    )


def unschedulable_message(resources: Iterable[str]) -> str:
    """The scheduler's message for an unschedulable pod."""
    reasons = ", ".join(f"1 Insufficient {resource}" for resource in resources)
    return (
        f"0/1 nodes are available: {reasons}. preemption: 0/1 nodes are available: "
        "1 No preemption victims found for incoming pod."
    )


def _of(container: Manifest) -> dict[str, float]:
    wanted = dig(container, "resources", "limits", default={}) | dig(
        container, "resources", "requests", default={}
    )
    return {resource: quantity(amount) for resource, amount in wanted.items()}
