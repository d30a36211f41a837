"""
Is there room for a version on a deployment, and for its proof? Asked before it is written.

A request's annotations are there as they are and in the configuration; once the version has been seen serving, its
configuration is recorded again, and until then the one before it is kept. All of it shares the 256 KiB that Kubernetes
allows for the annotations of an object. Pure.
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
    Return what is left of the history so that a version can be written, None where all of it can stay.

    :param wanted: what is to be applied.
    :param before: the deployment as it is.
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
            f"of the request, those that others have set ({size_of(others)} bytes), its configuration and what is "
            f"recorded once it serves take {max(least, proven)} bytes; there is room for {limit} on one object",
            "make annotations and configuration smaller, or move large values into a ConfigMap or the image",
        )
    if written <= limit or before is None:
        return None
    room = limit - least
    return history_text(proven_versions(before)[1:], room=room)


def _of_others(annotations: Mapping[str, str]) -> dict[str, str]:
    """Return the annotations that stay whatever is applied: neither ours, nor of the request that is replaced."""
    config = json_object(annotations.get(ANNOTATION_CONFIG))
    given = {*mapping_at(config, "annotations"), *mapping_at(config, "manifest", "metadata", "annotations")}
    return {key: value for key, value in annotations.items() if key not in given and not is_reserved(key)}
