"""
Adopt a deployment of another owner so that it can be restored: record it as a version to roll back to.

The record contains what an adoption changes: the spec, and those labels and annotations that the new request
sets. It is stored like proven versions (``history``), compressed if it is large. Credentials are never
recorded: a deployment with credentials in plain text cannot be restored. Pure.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from airflow_provider_seldon.core.identity.annotations import (
    ANNOTATION_DAG_ID,
    ANNOTATION_MODEL_NAME,
    ANNOTATION_REVISION,
    ANNOTATION_TASK_ID,
    LABEL_MANAGED_BY,
    is_reserved,
)
from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.resource.seldon_deployment import API_VERSION, KIND, SeldonDeployment
from airflow_provider_seldon.core.resource.unstructured import mapping_at
from airflow_provider_seldon.core.rollout.annotation_space import history_to_fit
from airflow_provider_seldon.core.rollout.diff import holds_credentials
from airflow_provider_seldon.core.rollout.history import ProvenVersion, annotations_after, secret_in_use
from airflow_provider_seldon.core.rollout.rebuilding import rebuilt


def taken_over(before: SeldonDeployment, wanted: SeldonDeployment) -> ProvenVersion:
    """
    Return another owner's deployment as a version to roll back to.

    :param before: their deployment.
    :param wanted: the deployment to apply instead.
    :raises InvalidRequestError: it could not be restored, and why: it holds credentials, is too large to be
        recorded, or this provider could not write it.
    """
    theirs = before.to_manifest()
    kept = {
        kind: {
            key: value
            for key, value in mapping_at(theirs, "metadata", kind).items()
            if key in mapping_at(wanted.to_manifest(), "metadata", kind) and not is_reserved(key)
        }
        for kind in ("labels", "annotations")
    }
    manifest = {"apiVersion": API_VERSION, "kind": KIND, "metadata": kept, "spec": theirs.get("spec") or {}}
    if holds_credentials(manifest):
        raise InvalidRequestError.of(
            "spec", f"of {before.name} holds credentials in plain text", "put them into a Secret"
        )
    present = mapping_at(theirs, "metadata", "labels").get(LABEL_MANAGED_BY)
    version = ProvenVersion(
        revision="unknown",
        config={
            "model_name": wanted.annotations.get(ANNOTATION_MODEL_NAME, before.name),
            "manifest": manifest,
        },
        secret_name=secret_in_use(before) or "",
        dag_id=wanted.annotations.get(ANNOTATION_DAG_ID, ""),
        task_id=wanted.annotations.get(ANNOTATION_TASK_ID, ""),
        adopted=True,
        managed_by=present if isinstance(present, str) else "",
    )
    again = rebuilt(version, before)
    version = dataclasses.replace(version, revision=again.annotations[ANNOTATION_REVISION])
    history_to_fit(wanted, before.annotated(annotations_after(before, version)))
    return version


def given_back(version: ProvenVersion, rebuilt: SeldonDeployment) -> SeldonDeployment:
    """
    Return the deployment to apply to give it back to its owner: without this provider's labels.

    :param version: as :func:`taken_over` returned it.
    :param rebuilt: the deployment in that version.
    """
    manifest: dict[str, Any] = rebuilt.to_manifest()
    labels: Mapping[str, Any] = mapping_at(manifest, "metadata", "labels")
    theirs = {key: value for key, value in labels.items() if not is_reserved(key)}
    if version.managed_by:
        theirs[LABEL_MANAGED_BY] = version.managed_by
    metadata = {**manifest["metadata"], "labels": theirs}
    return SeldonDeployment.from_manifest({**manifest, "metadata": metadata})
