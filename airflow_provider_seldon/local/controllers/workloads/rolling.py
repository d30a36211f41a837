"""The arithmetic of a rolling update: how many pods each ReplicaSet should have next. Pure.

Source: Kubernetes documentation, "Deployments" (rolling update strategy, max surge, max unavailable).
"""

from __future__ import annotations

import math

from airflow_provider_seldon.local.client.kinds import Manifest
from airflow_provider_seldon.local.controllers.manifests import dig

DEFAULT_SURGE = "25%"
DEFAULT_UNAVAILABLE = "25%"


def wanted_replicas(deployment: Manifest) -> int:
    """``spec.replicas``; the API's default is 1."""
    return int(dig(deployment, "spec", "replicas", default=1))


def spec_replicas(replica_set: Manifest) -> int:
    """The desired number of pods of a ReplicaSet."""
    return int(dig(replica_set, "spec", "replicas", default=1))


def available_replicas(replica_set: Manifest) -> int:
    """The number of its available pods."""
    return int(dig(replica_set, "status", "availableReplicas", default=0))


def limits(deployment: Manifest) -> tuple[int, int]:
    """Max surge (percentages round up) and max unavailable (they round down); never both zero."""
    wanted = wanted_replicas(deployment)
    rolling = dig(deployment, "spec", "strategy", "rollingUpdate", default={})
    surge = _resolve(rolling.get("maxSurge", DEFAULT_SURGE), wanted, up=True)
    unavailable = _resolve(rolling.get("maxUnavailable", DEFAULT_UNAVAILABLE), wanted, up=False)
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return surge, min(unavailable, wanted)


def _resolve(value: int | str, total: int, *, up: bool) -> int:
    if isinstance(value, int):
        return value
    share = int(value.rstrip("%")) * total / 100
    return math.ceil(share) if up else math.floor(share)


def new_size(deployment: Manifest, new: Manifest | None, every: list[Manifest]) -> int:
    """The number of pods that the newest ReplicaSet should have now."""
    wanted = wanted_replicas(deployment)
    current = spec_replicas(new) if new is not None else 0
    if current > wanted:
        return wanted
    surge, _ = limits(deployment)
    room = wanted + surge - sum(spec_replicas(one) for one in every)
    return current + max(0, min(room, wanted - current))


def old_sizes(deployment: Manifest, new: Manifest, old: list[Manifest]) -> dict[str, int]:
    """New sizes of the ReplicaSets of former versions that should scale down now, by name.

    Unhealthy pods are removed first; healthy ones only if enough others are available.
    """
    wanted = wanted_replicas(deployment)
    _, unavailable = limits(deployment)
    minimum = wanted - unavailable
    total = sum(spec_replicas(one) for one in [new, *old])
    new_unavailable = spec_replicas(new) - available_replicas(new)
    budget = total - minimum - new_unavailable
    if budget <= 0:
        return {}
    sizes = {one["metadata"]["name"]: spec_replicas(one) for one in old}
    before = dict(sizes)
    by_age = sorted(old, key=lambda one: str(one["metadata"].get("creationTimestamp", "")))
    for one in by_age:
        name = one["metadata"]["name"]
        unhealthy = max(0, sizes[name] - available_replicas(one))
        step = min(unhealthy, budget)
        sizes[name] -= step
        budget -= step
    spare = sum(available_replicas(one) for one in [new, *old]) - minimum
    for one in by_age:
        name = one["metadata"]["name"]
        step = max(0, min(sizes[name], spare))
        sizes[name] -= step
        spare -= step
    return {name: size for name, size in sizes.items() if size != before[name]}
