"""
Revisions: hashes that identify a version of a predictor, or of a whole deployment.

Pure functions of the content: the same in every process and Python version.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_seldon.core.identity.annotations import ANNOTATION_REVISION, is_reserved
from airflow_provider_seldon.core.resource.canonical_json import digest


def revision(predictor_manifest: Mapping[str, Any]) -> str:
    """
    Return the revision of a predictor: ten hexadecimal digits of a hash of its content.

    It leaves out what changes without a new version of the model: traffic, replicas, explainer, and the stamp
    with the revision itself. The order of keys does not matter.
    """
    content = {key: value for key, value in unstamped(predictor_manifest).items() if key not in _NOT_CONTENT}
    return digest(content, 10)


_NOT_CONTENT = frozenset({"traffic", "replicas", "explainer"})


def unstamped(predictor_manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return a predictor without its stamp, as it was before ``stamped``."""
    predictor = dict(predictor_manifest)
    annotations = predictor.get("annotations")
    if isinstance(annotations, Mapping) and ANNOTATION_REVISION in annotations:
        kept = {key: value for key, value in annotations.items() if key != ANNOTATION_REVISION}
        predictor.pop("annotations")
        if kept:
            predictor["annotations"] = kept
    return predictor


def stamped(predictor_manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return a predictor with its own revision as an annotation, which identifies its pods."""
    annotations = predictor_manifest.get("annotations")
    if annotations is not None and not isinstance(annotations, Mapping):
        return dict(predictor_manifest)  # nothing to write to; ``validation`` reports it
    stamp = {**(annotations or {}), ANNOTATION_REVISION: revision(predictor_manifest)}
    return {**predictor_manifest, "annotations": stamp}


def deployment_revision(manifest: Mapping[str, Any]) -> str:
    """
    Return the revision of a whole SeldonDeployment: equal if applying it again would change nothing.

    It covers the spec (including traffic, replicas and explainers) and the user's own labels and annotations,
    but not this provider's, which differ between runs.
    """
    spec = dict(manifest.get("spec") or {})
    predictors = spec.get("predictors")
    if isinstance(predictors, list):
        spec["predictors"] = [unstamped(one) if isinstance(one, Mapping) else one for one in predictors]
    metadata = manifest.get("metadata") or {}
    own = {
        kind: {key: value for key, value in (metadata.get(kind) or {}).items() if not is_reserved(key)}
        for kind in ("labels", "annotations")
    }
    return digest({"spec": spec, **own}, 10)
