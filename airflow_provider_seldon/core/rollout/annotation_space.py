"""
Check, before a version is written, that the deployment has room for it and for its proof.

A request's annotations are stored as such and in the configuration. Once the version is proven, its
configuration is recorded again, and until then the previous one is kept. All of it shares the 256 KiB that
Kubernetes allows for the annotations of an object. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping

from airflow_provider_seldon.core.identity.annotations import (
    ANNOTATION_CONFIG,
    ANNOTATION_HISTORY,
    ANNOTATION_LAST_AVAILABLE,
    RECORDED_ANNOTATIONS,
    is_reserved,
)
from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
from airflow_provider_seldon.core.resource.unstructured import mapping_at
from airflow_provider_seldon.core.rollout.history import (
    MAX_ANNOTATIONS,
    SPARE,
    ProvenVersion,
    history_text,
    json_object,
    proven_versions,
    size_of,
)


def history_to_fit(wanted: SeldonDeployment, before: SeldonDeployment | None) -> str | None:
    """
    Return the shortened history that leaves room for a version, None if all of it can stay.

    :param wanted: the deployment to apply.
    :param before: the existing deployment.
    :raises InvalidRequestError: there is no room for the version, or there would be none for its proof.
    """
    limit = MAX_ANNOTATIONS - SPARE
    present = before.annotations if before else {}
    others = _of_others(present)
    recorded = {key: present[key] for key in RECORDED_ANNOTATIONS if key in present}
    empty = {ANNOTATION_HISTORY: history_text(())}
    proof = {ANNOTATION_LAST_AVAILABLE: ProvenVersion.of(wanted).to_json()}
    written = size_of({**others, **recorded, **wanted.annotations})
    least = size_of({**others, **recorded, **wanted.annotations, **empty})
    proven = size_of({**others, **wanted.annotations, **proof, **empty})
    if max(least, proven) > limit:
        raise InvalidRequestError.of(
            "annotations",
            f"of the request, those of others ({size_of(others)} bytes), its configuration and the record "
            f"of its proof take {max(least, proven)} bytes; there is room for {limit} on one object",
            "make annotations and configuration smaller, or move large values into a ConfigMap or the image",
        )
    if written <= limit or before is None:
        return None
    room = limit - least
    return history_text(proven_versions(before)[1:], room=room)


def _of_others(annotations: Mapping[str, str]) -> dict[str, str]:
    """Return the annotations that stay whatever is applied: neither ours nor of the replaced request."""
    config = json_object(annotations.get(ANNOTATION_CONFIG))
    given = {*mapping_at(config, "annotations"), *mapping_at(config, "manifest", "metadata", "annotations")}
    return {key: value for key, value in annotations.items() if key not in given and not is_reserved(key)}
