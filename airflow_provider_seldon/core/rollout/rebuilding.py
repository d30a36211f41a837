"""Rebuild a proven version from its configuration."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_seldon.core.identity.annotations import (
    ANNOTATION_METRICS,
    ANNOTATION_ORDER,
    ANNOTATION_REVISION,
)
from airflow_provider_seldon.core.identity.identity import Identity
from airflow_provider_seldon.core.identity.revision import unstamped
from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.lifetime.expiry import carried_expiry
from airflow_provider_seldon.core.request.model_server import ModelServer
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
from airflow_provider_seldon.core.resource.unstructured import items_at
from airflow_provider_seldon.core.rollout.drift import drift, with_implied
from airflow_provider_seldon.core.rollout.history import ProvenVersion, secret_in_use
from airflow_provider_seldon.core.rollout.write_mark import without_numbers
from airflow_provider_seldon.core.scaling.sleeping import is_scaled_to_zero


def rebuilt(
    version: ProvenVersion, deployment: SeldonDeployment, *, annotations: Mapping[str, str] | None = None
) -> SeldonDeployment:
    """
    Return ``deployment`` in an earlier version, also after later deploys by others; its expiry stays the
    current one.

    :param annotations: further annotations, which override the version's own; an empty text removes one.
    :raises InvalidRequestError: the version was not built from a configuration, or from an unreadable one.
    """
    if not version.config:
        raise InvalidRequestError.of(
            "revision", f"{version.revision} was recorded without its configuration", "deploy it again"
        )
    own = {ANNOTATION_METRICS: version.metrics, ANNOTATION_ORDER: version.order}
    own |= {} if version.adopted else carried_expiry(deployment)
    given = {key: value for key, value in {**own, **(annotations or {})}.items() if value}
    built = built_again(
        ModelServer.parse(version.config, stored=True),
        version.revision,
        secrets=() if version.adopted else (version.secret_name, None, secret_in_use(deployment)),
        identity=_identity(version, deployment),
        namespace=deployment.namespace,
        annotations=given,
    )
    manifest = built.to_manifest()
    if version.adopted:
        # The owner's pods keep running: a stamp would change the pod template.
        predictors = [unstamped(one) for one in items_at(manifest, "spec", "predictors")]
        manifest["spec"] = {**manifest["spec"], "predictors": predictors}
    return SeldonDeployment.from_manifest(
        {**manifest, "metadata": {**manifest["metadata"], "name": deployment.name}}
    )


def first_proof(deployment: SeldonDeployment) -> ProvenVersion | None:
    """
    Return the version that a check proves for the first time, when it finds the deployment ready.

    That matters to a task that writes no new version: it scales, or reuses. Another number of pods is not
    another version. None if this version is already the last proven one, if there are no pods, and if
    another client has changed the deployment since the deploy, so that its annotations do not identify the
    ready version.
    """
    version, last = ProvenVersion.of(deployment), ProvenVersion.last_of(deployment)
    if is_scaled_to_zero(deployment) or (last and last.config == version.config):
        return None
    try:
        built = rebuilt(version, deployment)
    except InvalidRequestError:
        return None
    if drift(_numberless(with_implied(built, deployment)), _numberless(deployment)):
        return None
    return dataclasses.replace(version, revision=built.annotations[ANNOTATION_REVISION])


def _numberless(deployment: SeldonDeployment) -> SeldonDeployment:
    manifest = deployment.to_manifest()
    return SeldonDeployment.from_manifest({**manifest, "spec": without_numbers(manifest["spec"])})


def built_again(
    server: ModelServer, revision: str, *, secrets: Sequence[str | None] = (), **how: Any
) -> SeldonDeployment:
    """
    Return the deployment that was built from a configuration: with the storage Secret that results in its
    revision.

    A configuration does not show whether nodes that name no Secret got one when it was built; the revision
    does.

    :param server: the configuration.
    :param revision: its revision.
    :param secrets: Secrets with which it may have been built. If none results in that revision, for instance
        after a rotation, the first one is used.
    :param how: further arguments of :meth:`ModelServer.to_deployment`.
    """
    candidates = dict.fromkeys(secret or None for secret in secrets) or {None: None}
    first: SeldonDeployment | None = None
    for secret in candidates:
        built = server.to_deployment(secret_name=secret, **how)
        if built.annotations[ANNOTATION_REVISION] == revision:
            return built
        first = first or built
    return first or built


def _identity(version: ProvenVersion, deployment: SeldonDeployment) -> Identity:
    """Return the task that deployed a version; its configuration contains the model's name."""
    present = Identity.of(deployment)
    known = version if version.dag_id or version.task_id else present
    return Identity(dag_id=known.dag_id, task_id=known.task_id, run_id=version.run_id or present.run_id)
