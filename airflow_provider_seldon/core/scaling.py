"""
Whether a spec asks for pods at all, and what to do when somebody else has scaled it to zero.

``kubectl scale`` sets ``spec.replicas``, which predictors without replicas of their own inherit (Seldon Core reference,
replicas). A server-side apply leaves a field alone that it does not mention, so an apply that only does not say how
many pods it wants would be ready with none. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_seldon.core.objects import Object, items_at, mapping_at, number_at
from airflow_provider_seldon.core.resource import SeldonDeployment


def is_scaled_to_zero(deployment: SeldonDeployment | Object) -> bool:
    """Return whether the spec asks for no pods of any predictor."""
    manifest = deployment.to_manifest() if isinstance(deployment, SeldonDeployment) else deployment
    spec = mapping_at(manifest, "spec")
    predictors = items_at(spec, "predictors")
    general = number_at(spec, "replicas")
    return bool(predictors) and all(_predictor_sleeps(one, general) for one in predictors)


def woken(wanted: SeldonDeployment, current: SeldonDeployment) -> SeldonDeployment:
    """
    Return what to apply so that it has pods, where the deployment it updates was scaled to zero by somebody else.

    ``kubectl scale`` leaves no owner behind. Where somebody owns the field, such as by an apply of their own, the API
    server refuses this one with a conflict that names them, unless the field is taken over.

    :param wanted: what is to be applied; it is returned itself where it says how many pods it wants.
    :param current: the deployment as it is.
    """
    spec = mapping_at(wanted.to_manifest(), "spec")
    if number_at(mapping_at(current.to_manifest(), "spec"), "replicas") != 0 or "replicas" in spec:
        return wanted
    if not any(_predictor_sleeps(predictor, 0) for predictor in items_at(spec, "predictors")):
        return wanted
    # The revision in the annotations stays: it is the same version, with the default number of pods.
    return SeldonDeployment.from_manifest({**wanted.to_manifest(), "spec": {**spec, "replicas": 1}})


def _predictor_sleeps(predictor: Mapping[str, Any], general: int | None) -> bool:
    own = number_at(predictor, "replicas")
    below = own if own is not None else general
    components = items_at(predictor, "componentSpecs")
    if any(component.get("hpaSpec") or component.get("kedaSpec") for component in components):
        return False
    counts = [number_at(component, "replicas") for component in components] or [None]
    return all((below if count is None else count) == 0 for count in counts)
