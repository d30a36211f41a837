"""
Does the stored deployment match a request, by content? A recorded revision only shows what was once written.

The comparison covers what applying the request again would restore. To the API server the predictors are one
field (a list without keys in Seldon's CRD), so additions to them count as well as changes. Elsewhere, fields
that the request does not mention belong to others. These are not differences: another number in
``spec.replicas``, which ``kubectl scale`` and autoscalers set; what the API server fills in or omits; and
this provider's own notes, which differ between runs. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_seldon.core.children.expected import SPOKEN
from airflow_provider_seldon.core.identity.annotations import is_reserved
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
from airflow_provider_seldon.core.resource.unstructured import mapping_at, number_at

#: Filled in by the CRD's schema, for ports of containers.
_DEFAULTS = (("protocol", "TCP"),)
#: Parts of the spec that are compared as a whole.
_WHOLE = frozenset({"predictors"})


def drift(request: SeldonDeployment, stored: SeldonDeployment) -> str:
    """
    Return where a stored deployment differs from a request; "" if it matches.

    :param request: the deployment that would be applied.
    :param stored: the stored deployment.
    :returns: a path, such as ``spec.predictors[0].graph.modelUri``; never a value, which may be a credential.
    """
    wanted, found = request.to_manifest(), stored.to_manifest()
    spec = dict(mapping_at(wanted, "spec"))
    if number_at(found, "spec", "replicas") is not None:
        spec.pop("replicas", None)
    return _of_mapping(spec, mapping_at(found, "spec"), "spec", whole=False) or _of_metadata(
        mapping_at(wanted, "metadata"), mapping_at(found, "metadata")
    )


def with_implied(request: SeldonDeployment, stored: SeldonDeployment) -> SeldonDeployment:
    """Return a request that names the operator's defaults where another client has stored something else."""
    manifest = request.to_manifest()
    spec, found = mapping_at(manifest, "spec"), mapping_at(stored.to_manifest(), "spec")
    implied = {
        key: value
        for key, value in SPOKEN.items()
        if not spec.get(key) and found.get(key) not in (None, "", value)
    }
    if not implied:
        return request
    return SeldonDeployment.from_manifest({**manifest, "spec": {**spec, **implied}})


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
    """Return whether a list that others may add to contains an entry; an owner is recognised by its uid."""
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
    """Return whether the API server or a writer may omit a value: unlike 0 and false."""
    if isinstance(value, Mapping):
        return all(_is_empty(item) for item in value.values())
    return value is None or value == "" or (_is_list(value) and not value)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)
