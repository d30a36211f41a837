"""
Whether a deployment requests any pods.

``kubectl scale`` sets ``spec.replicas``, which predictors without their own replicas inherit (Seldon Core
reference, replicas). If a spec sets no number, a Deployment keeps its present one, zero included (measured).
Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_seldon.core.children.expected import Role, expected_children, is_autoscaled
from airflow_provider_seldon.core.resource.unstructured import (
    HasManifest,
    Object,
    as_manifest,
    items_at,
    mapping_at,
    number_at,
    text_at,
)


def is_scaled_to_zero(deployment: HasManifest | Object) -> bool:
    """
    Return whether the spec requests no pods for any predictor.

    A spec without a number requests the present number of pods: none, if the operator reports a Deployment
    with no pods for each predictor.
    """
    manifest = as_manifest(deployment)
    spec = mapping_at(manifest, "spec")
    predictors = items_at(spec, "predictors")
    general = number_at(spec, "replicas")
    asleep = [_predictor_sleeps(one, general) for one in predictors]
    if all(asleep) or not mapping_at(manifest, "status", "deploymentStatus"):
        return bool(predictors) and all(asleep)
    idle = _idle_predictors(manifest)
    return all(
        one or any(predictor is other for other in idle)
        for one, predictor in zip(asleep, predictors, strict=True)
    )


def asking_for_pods(deployment: Object) -> tuple[str, ...]:
    """Return the names of the predictors whose spec requests pods, or leaves their number to others."""
    spec = mapping_at(deployment, "spec")
    general = number_at(spec, "replicas")
    predictors = items_at(spec, "predictors")
    return tuple(text_at(one, "name") for one in predictors if not _predictor_sleeps(one, general))


def wakes(wanted: HasManifest, current: HasManifest) -> bool:
    """Return whether ``wanted`` has pods and ``current`` has none."""
    return is_scaled_to_zero(current) and not is_scaled_to_zero(wanted)


def _idle_predictors(manifest: Object) -> list[Object]:
    """Return the predictors whose Deployments get no number from the spec and are reported with no pods."""
    seen = mapping_at(manifest, "status", "deploymentStatus")
    idle: dict[int, bool] = {}
    predictors = []
    for child in expected_children(manifest):
        if child.role is not Role.COMPONENT:
            continue
        counts = [number_at(mapping_at(seen, name), "replicas") or 0 for name in child.names if name in seen]
        none = child.scaled_to_zero or (child.replicas is None and not child.autoscaled and counts == [0])
        idle[id(child.predictor)] = idle.get(id(child.predictor), True) and none
        predictors.append(child.predictor)
    return [one for one in predictors if idle[id(one)]]


def _predictor_sleeps(predictor: Mapping[str, Any], general: int | None) -> bool:
    own = number_at(predictor, "replicas")
    below = own if own is not None else general
    components = items_at(predictor, "componentSpecs")
    if any(is_autoscaled(component) for component in components):
        return False
    counts = [number_at(component, "replicas") for component in components] or [None]
    return all((below if count is None else count) == 0 for count in counts)
