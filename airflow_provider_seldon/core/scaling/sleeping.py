"""
Whether a deployment asks for pods at all, and with how many it goes on at the next write.

``kubectl scale`` sets ``spec.replicas``, which predictors without replicas of their own inherit (Seldon Core reference,
replicas). Where a spec says no number, the one that a Deployment has stays, none included (measured). What counts at a
write is decided in ``replicas``. Pure.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from airflow_provider_seldon.core.children.expected import Role, expected_children, is_autoscaled
from airflow_provider_seldon.core.identity.annotations import (
    ANNOTATION_CONFIRMED,
    ANNOTATION_HISTORY,
    ANNOTATION_LAST_AVAILABLE,
    ANNOTATION_REVISION,
    ANNOTATION_SECRETS,
)
from airflow_provider_seldon.core.identity.revision import deployment_revision
from airflow_provider_seldon.core.resource.pruning import without_empty_maps
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
from airflow_provider_seldon.core.resource.unstructured import (
    Object,
    items_at,
    mapping_at,
    number_at,
    text_at,
)
from airflow_provider_seldon.core.scaling import replicas
from airflow_provider_seldon.core.scaling.replicas import asked_numbers


def is_scaled_to_zero(deployment: SeldonDeployment | Object) -> bool:
    """
    Return whether the spec asks for no pods of any predictor.

    One that says no number asks for as many as there are: for none, where the operator reports a Deployment of each
    predictor with none.
    """
    manifest = deployment.to_manifest() if isinstance(deployment, SeldonDeployment) else deployment
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
    """Return the names of the predictors for which the spec asks for pods, or lets somebody else say how many."""
    spec = mapping_at(deployment, "spec")
    general = number_at(spec, "replicas")
    predictors = items_at(spec, "predictors")
    return tuple(text_at(one, "name") for one in predictors if not _predictor_sleeps(one, general))


def continued(
    wanted: SeldonDeployment, current: SeldonDeployment, *, insist: bool = True
) -> SeldonDeployment:
    """
    Return what to apply so that numbers of pods go on that others have set, see ``replicas.carried``.

    The revision in the annotations stays: another number of pods is no other version.

    :param wanted: what is to be applied.
    :param current: the deployment as it is.
    :param insist: whether a number that is new in the request counts for more.
    """
    manifest, stored = wanted.to_manifest(), current.to_manifest()
    spec = replicas.carried(
        manifest, stored, asked=asked_numbers(manifest), asked_before=asked_numbers(stored), insist=insist
    )
    return SeldonDeployment.from_manifest({**manifest, "spec": spec})


def wakes(wanted: SeldonDeployment, current: SeldonDeployment) -> bool:
    """Return whether ``wanted`` has pods and ``current`` has none."""
    return is_scaled_to_zero(current) and not is_scaled_to_zero(wanted)


def awakened(deployment: SeldonDeployment) -> SeldonDeployment:
    """Return a deployment as it is stored, with pods; of its metadata, what a user or this provider may write."""
    manifest = copy.deepcopy(deployment.to_manifest())
    manifest.pop("status", None)
    asked = asked_numbers(manifest)
    spec = replicas.awake(deployment.to_manifest(), asked, sleeps=is_scaled_to_zero)
    manifest["spec"] = without_empty_maps(spec)
    metadata = manifest.get("metadata") or {}
    kept = {key: metadata[key] for key in ("name", "namespace", "labels", "annotations") if key in metadata}
    # These are written beside the spec, not with it.
    memory = (
        ANNOTATION_LAST_AVAILABLE,
        ANNOTATION_HISTORY,
        ANNOTATION_SECRETS,
        ANNOTATION_CONFIRMED,
    )
    annotations = {key: value for key, value in deployment.annotations.items() if key not in memory}
    manifest["metadata"] = kept | {"annotations": annotations}
    annotations[ANNOTATION_REVISION] = replicas.revision(manifest, asked)
    return SeldonDeployment.from_manifest(manifest)


def scaled(built: SeldonDeployment, count: int) -> SeldonDeployment:
    """
    Return a deployment with so many pods of every predictor.

    Its revision is another one: what is stored is not what the configuration says, and must not pass for "unchanged".

    :param built: what the configuration makes, with numbers of explainers that go on.
    """
    manifest = copy.deepcopy(built.to_manifest())
    bare = replicas.as_asked(mapping_at(manifest, "spec"), asked_numbers(manifest))
    bare = replicas.scaled(bare, count)
    manifest["metadata"]["annotations"][ANNOTATION_REVISION] = deployment_revision({**manifest, "spec": bare})
    explainers = replicas.numbers(mapping_at(manifest, "spec"))
    return SeldonDeployment.from_manifest(
        {**manifest, "spec": replicas.completed(bare, explainers=explainers)}
    )


def with_all_numbers(deployment: SeldonDeployment, *, like: SeldonDeployment) -> SeldonDeployment:
    """
    Return a deployment with a number wherever it leaves one open.

    :param like: what is to be applied; explainers get its numbers.
    """
    explainers = replicas.numbers(mapping_at(like.to_manifest(), "spec"))
    manifest = deployment.to_manifest()
    spec = replicas.completed(mapping_at(manifest, "spec"), explainers=explainers)
    return SeldonDeployment.from_manifest({**manifest, "spec": spec})


def says_the_same_numbers(wanted: SeldonDeployment, current: SeldonDeployment) -> bool:
    """Return whether every number of pods in ``wanted`` is what is stored already."""
    stored = replicas.numbers(mapping_at(current.to_manifest(), "spec"))
    asked = replicas.numbers(mapping_at(wanted.to_manifest(), "spec"))
    return all(stored.get(place) == number for place, number in asked.items())


def _idle_predictors(manifest: Object) -> list[Object]:
    """Return the predictors whose Deployments, left without a number, are reported with no pods."""
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
