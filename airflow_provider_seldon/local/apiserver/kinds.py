"""The rules of single kinds: defaults, what a create or update may set, and validation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_seldon.local.apiserver import status
from airflow_provider_seldon.local.apiserver.fields import Path
from airflow_provider_seldon.local.apiserver.request import RequestInfo
from airflow_provider_seldon.local.apiserver.resources import ResourceType

Manifest = dict[str, Any]
Causes = list[dict[str, str]]


def check_fields(info: RequestInfo, manifest: Manifest, directive: str, *, as_patch: bool) -> tuple[str, ...]:
    """Prune unknown fields; warn about or refuse them as ``fieldValidation`` says."""
    return ()


def check_apply(info: RequestInfo, config: Manifest, directive: str) -> tuple[str, ...]:
    """Check the fields of an applied configuration."""
    return ()


def ignored_fields(resource: ResourceType, subresource: str) -> tuple[Path, ...]:
    """Return the path prefixes that a write to this endpoint does not own."""
    if "status" not in resource.subresources:
        return ()
    if subresource == "status":
        return (("f:spec",), ("f:metadata",)) if resource.custom else (("f:spec",),)
    return (("f:status",),)


def prepare_new(resource: ResourceType, manifest: Manifest) -> None:
    """Drop what a create may not set."""
    if "status" in resource.subresources:
        manifest.pop("status", None)


def set_defaults(resource: ResourceType, manifest: Manifest) -> None:
    """Set defaults."""


def keep_other_parts(
    resource: ResourceType, subresource: str, new: Manifest, old: Mapping[str, Any]
) -> Manifest:
    """Return what a write to this endpoint may change, over what it may not."""
    if "status" not in resource.subresources:
        return new
    if subresource == "status":
        merged: Manifest = dict(old) | {"metadata": dict(old["metadata"])}
        managed = new["metadata"].get("managedFields")
        if managed:
            merged["metadata"]["managedFields"] = managed
        if "status" in new:
            merged["status"] = new["status"]
        else:
            merged.pop("status", None)
        return merged
    if "status" in old:
        new["status"] = old["status"]
    else:
        new.pop("status", None)
    return new


def prepare_update(
    resource: ResourceType, manifest: Manifest, old: Mapping[str, Any], subresource: str
) -> None:
    """Restore what an update may not change."""


def counts_as_new_generation(resource: ResourceType, new: Mapping[str, Any], old: Mapping[str, Any]) -> bool:
    """Return whether an update changes what the generation counts."""
    if not resource.generation:
        return False
    if resource.plural == "deployments" and _annotations(new) != _annotations(old):
        return True
    keys = (new.keys() | old.keys()) - {"metadata", "status", "apiVersion", "kind"}
    return any(new.get(key) != old.get(key) for key in keys)


def _annotations(manifest: Mapping[str, Any]) -> Mapping[str, str]:
    return manifest["metadata"].get("annotations") or {}


def validate(resource: ResourceType, manifest: Mapping[str, Any], old: Mapping[str, Any] | None) -> Causes:
    """Return every broken rule of the kind."""
    return []


def terminating(info: RequestInfo) -> status.StatusError:
    """Return the 403 for a create in a namespace that is being deleted."""
    error = status.forbidden(
        group=info.resource.group,
        resource=info.resource.plural,
        name=info.name,
        why=f"unable to create new content in namespace {info.namespace} because it is being terminated",
    )
    error.details["causes"] = [
        {
            "reason": "NamespaceTerminating",
            "message": f"namespace {info.namespace} is being terminated",
            "field": "metadata.namespace",
        }
    ]
    return error
