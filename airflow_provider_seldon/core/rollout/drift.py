"""
Whether what is stored is what a request asks for, by content: a recorded revision only says what once was written.

Compared is what applying the request again would put right. The predictors are one field to the API server (a list
without keys in Seldon's CRD), so what somebody added to them counts as well as what they changed. Elsewhere, what the
request does not mention belongs to others. Not a difference: another number in ``spec.replicas``, which is what
``kubectl scale`` and autoscalers set; what the API server fills in or leaves out; and this provider's own notes, which
differ from run to run. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_seldon.core.identity.annotations import is_reserved
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
from airflow_provider_seldon.core.resource.unstructured import mapping_at, number_at

#: Filled in by the CRD's schema, for ports of containers.
_DEFAULTS = (("protocol", "TCP"),)
#: Parts of the spec that are compared as a whole.
_WHOLE = frozenset({"predictors"})


def drift(request: SeldonDeployment, stored: SeldonDeployment) -> str:
    """
    Return where a stored deployment differs from a request; "" where it is what the request asks for.

    :param request: what would be applied.
    :param stored: what is there.
    :returns: a path, such as ``spec.predictors[0].graph.modelUri``; never a value, which may be a credential.
    """
    wanted, found = request.to_manifest(), stored.to_manifest()
    spec = dict(mapping_at(wanted, "spec"))
    if number_at(found, "spec", "replicas") is not None:
        spec.pop("replicas", None)
    return _of_mapping(spec, mapping_at(found, "spec"), "spec", whole=False) or _of_metadata(
        mapping_at(wanted, "metadata"), mapping_at(found, "metadata")
    )


def _of_metadata(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    labels = mapping_at(wanted, "labels")
    own = mapping_at(wanted, "annotations")
    annotations = {key: value for key, value in own.items() if not is_reserved(key)}
    path = _of_mapping(labels, mapping_at(found, "labels"), "metadata.labels", whole=False) or _of_mapping(
        annotations, mapping_at(found, "annotations"), "metadata.annotations", whole=False
    )
    for key in ("finalizers", "ownerReferences"):
        if not path and any(not _is_among(one, found.get(key)) for one in wanted.get(key) or ()):
            path = f"metadata.{key}"
    return path


def _is_among(entry: Any, found: Any) -> bool:
    """Whether an entry of a list that others may add to is there; an owner is recognised by its uid."""
    others = found if isinstance(found, list) else []
    if isinstance(entry, Mapping):
        return any(
            isinstance(one, Mapping) and not _of_mapping(entry, one, "", whole=False) for one in others
        )
    return entry in others


def _of_mapping(wanted: Mapping[str, Any], found: Mapping[str, Any], path: str, *, whole: bool) -> str:
    keys = [*wanted, *(key for key in found if key not in wanted)] if whole else list(wanted)
    for key in keys:
        if key not in wanted and (key, found[key]) in _DEFAULTS:
            continue
        at = f"{path}.{key}".lstrip(".")
        if difference := _of(wanted.get(key), found.get(key), at, whole=whole or key in _WHOLE):
            return difference
    return ""


def _of(wanted: Any, found: Any, path: str, *, whole: bool) -> str:
    if _is_empty(wanted) and _is_empty(found):
        return ""
    if isinstance(wanted, Mapping) and isinstance(found, Mapping | None):
        return _of_mapping(wanted, found or {}, path, whole=whole)
    if isinstance(found, Mapping) and wanted is None:
        return _of_mapping({}, found, path, whole=whole)
    if _is_list(wanted) and _is_list(found) and len(wanted) == len(found):
        pairs = zip(wanted, found, strict=True)
        return next((at for i, one in enumerate(pairs) if (at := _of(*one, f"{path}[{i}]", whole=whole))), "")
    return "" if wanted == found else path


def _is_empty(value: Any) -> bool:
    """Whether a value is left out by the API server, or by whoever writes the object: not so 0 and false."""
    if isinstance(value, Mapping):
        return all(_is_empty(item) for item in value.values())
    return value is None or value == "" or (_is_list(value) and not value)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)
