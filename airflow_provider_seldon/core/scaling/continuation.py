"""
The number of pods of a deployment after the next write.

``replicas`` decides which number counts, on plain specs; this module builds the deployment to apply. Pure.
"""

from __future__ import annotations

import copy

from airflow_provider_seldon.core.identity.annotations import (
    ANNOTATION_REVISION,
    RECORDED_ANNOTATIONS,
)
from airflow_provider_seldon.core.identity.revision import deployment_revision
from airflow_provider_seldon.core.resource.pruning import without_empty_maps
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
from airflow_provider_seldon.core.resource.unstructured import mapping_at
from airflow_provider_seldon.core.scaling import replicas
from airflow_provider_seldon.core.scaling.replicas import asked_numbers
from airflow_provider_seldon.core.scaling.sleeping import is_scaled_to_zero


def continued(
    wanted: SeldonDeployment, current: SeldonDeployment, *, insist: bool = True
) -> SeldonDeployment:
    """
    Return the deployment to apply that keeps numbers of pods set by others, see ``replicas.carried``.

    The revision in the annotations stays: another number of pods is not another version.

    :param wanted: the deployment to apply.
    :param current: the existing deployment.
    :param insist: whether a number that is new in the request takes precedence.
    """
    manifest, stored = wanted.to_manifest(), current.to_manifest()
    spec = replicas.carried(
        manifest, stored, asked=asked_numbers(manifest), asked_before=asked_numbers(stored), insist=insist
    )
    return SeldonDeployment.from_manifest({**manifest, "spec": spec})


def awakened(deployment: SeldonDeployment) -> SeldonDeployment:
    """Return the stored deployment with pods, and the metadata that users or this provider may write."""
    manifest = copy.deepcopy(deployment.to_manifest())
    manifest.pop("status", None)
    asked = asked_numbers(manifest)
    spec = replicas.awake(deployment.to_manifest(), asked, sleeps=is_scaled_to_zero)
    manifest["spec"] = without_empty_maps(spec)
    metadata = manifest.get("metadata") or {}
    kept = {key: metadata[key] for key in ("name", "namespace", "labels", "annotations") if key in metadata}
    annotations = {
        key: value for key, value in deployment.annotations.items() if key not in RECORDED_ANNOTATIONS
    }
    manifest["metadata"] = kept | {"annotations": annotations}
    annotations[ANNOTATION_REVISION] = replicas.revision(manifest, asked)
    return SeldonDeployment.from_manifest(manifest)


def scaled(built: SeldonDeployment, count: int) -> SeldonDeployment:
    """
    Return a deployment with ``count`` pods of every predictor.

    Its revision differs: the stored spec is not that of the configuration, and must not count as "unchanged".

    :param built: the deployment built from the configuration, with kept numbers of explainers.
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
    Return a deployment with a number wherever the spec leaves one open.

    :param like: what is to be applied; explainers get its numbers.
    """
    explainers = replicas.numbers(mapping_at(like.to_manifest(), "spec"))
    manifest = deployment.to_manifest()
    spec = replicas.completed(mapping_at(manifest, "spec"), explainers=explainers)
    return SeldonDeployment.from_manifest({**manifest, "spec": spec})


def says_the_same_numbers(wanted: SeldonDeployment, current: SeldonDeployment) -> bool:
    """Return whether every number of pods in ``wanted`` is already stored."""
    stored = replicas.numbers(mapping_at(current.to_manifest(), "spec"))
    asked = replicas.numbers(mapping_at(wanted.to_manifest(), "spec"))
    return all(stored.get(place) == number for place, number in asked.items())
