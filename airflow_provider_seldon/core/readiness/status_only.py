"""
Evaluate without permission to read Deployments: weaker, and reported as weaker.

The only evidence then is the operator's status, which may be about the previous version. So it must stay good
for some time without interruption, and longer while no status newer than the write was seen. Source: Seldon
Core reference, what a client can compare (5).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_seldon.core.children.expected import ExpectedChild
from airflow_provider_seldon.core.readiness.expectation import Expectation
from airflow_provider_seldon.core.readiness.failure_policy import FailurePolicy
from airflow_provider_seldon.core.readiness.observation import Observation, Phase
from airflow_provider_seldon.core.readiness.operator_status import (
    routes_pending,
    state_failure,
    state_pending,
    without_leftovers,
)
from airflow_provider_seldon.core.readiness.stabilization import Stabilization
from airflow_provider_seldon.core.resource.unstructured import Object, count_at, mapping_at

NO_RIGHT = "no right to read Deployments"


def judge_status_only(
    manifest: Object,
    wanted: Sequence[ExpectedChild],
    expected: Expectation,
    stabilization: Stabilization,
    policy: FailurePolicy,
) -> Observation:
    """Evaluate without permission to read Deployments: the status must stay good for some time."""
    failed = state_failure(manifest, expected, stabilization, policy)
    if failed is not None:
        return failed
    asleep = any(child.scaled_to_zero for child in wanted)
    unproved = (
        state_pending(manifest, asleep=asleep)
        or _counts_pending(manifest, wanted)
        or routes_pending(manifest, expected, stabilization, asleep=asleep)
    )
    if unproved is not None:
        return unproved
    needed = policy.weak_steady if stabilization.moved else policy.weak_silent
    good = without_leftovers(
        Observation(
            phase=Phase.READY,
            reason="StatusSteady",
            message=f"the status was good for {needed:g} s without interruption (Deployments could not be read)",
            weaker=NO_RIGHT,
        ),
        manifest,
        wanted,
        None,
        asleep=asleep,
        stabilization=stabilization,
        policy=policy,
    )
    if good.phase is Phase.READY and not stabilization.lasted("steady", needed):
        message = f"the status is good; it must stay so for {needed:g} s, as Deployments cannot be read"
        return Observation(phase=Phase.PENDING, reason="WatchingStatus", message=message)
    return good


def _counts_pending(manifest: Object, wanted: Sequence[ExpectedChild]) -> Observation | None:
    counts = mapping_at(manifest, "status", "deploymentStatus")
    for child in wanted:
        if child.scaled_to_zero or child.may_sleep:
            continue
        entry: Mapping[str, Any] = next(
            (mapping_at(counts, name) for name in child.names if name in counts), {}
        )
        available, replicas = count_at(entry, "availableReplicas"), count_at(entry, "replicas")
        goal = replicas if child.replicas is None else child.replicas
        if not available or available != replicas or replicas != goal:
            message = f"the status counts {available} available of {replicas} pods of {child.name}"
            return Observation(phase=Phase.PENDING, reason="CountsDiffer", message=message, child=child.name)
    return None


def counts_line(manifest: Object) -> str:
    """Return the counts in the status as part of a progress line."""
    counts = mapping_at(manifest, "status", "deploymentStatus")
    return "; ".join(
        f"{name} {count_at(one, 'availableReplicas')} available of {count_at(one, 'replicas')}"
        for name, one in sorted(counts.items())
    )
