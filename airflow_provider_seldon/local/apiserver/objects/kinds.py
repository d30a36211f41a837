"""What differs between kinds when an object is written: prune, default, separate, count generations, validate.

Purpose: the strategy of each kind in the registry of an API server, as functions that ``writing.py`` calls in
order. The tables of defaults and rules are in ``defaults.py``, ``validation.py`` and ``seldon_types.py``.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

from airflow_provider_seldon.local.apiserver.objects import (
    defaults,
    metadata,
    structural,
    structural_validation,
    validation,
)
from airflow_provider_seldon.local.apiserver.objects.builtin_types import builtin_type
from airflow_provider_seldon.local.apiserver.objects.field_sets import Path
from airflow_provider_seldon.local.apiserver.objects.metadata import Causes
from airflow_provider_seldon.local.apiserver.objects.seldon_types import seldon_deployment
from airflow_provider_seldon.local.apiserver.protocol import status
from airflow_provider_seldon.local.apiserver.protocol.request import RequestInfo
from airflow_provider_seldon.local.apiserver.protocol.resources import ResourceType

Manifest = dict[str, Any]

_METADATA_FIELDS = frozenset(
    (
        "name",
        "generateName",
        "namespace",
        "selfLink",
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "labels",
        "annotations",
        "ownerReferences",
        "finalizers",
        "managedFields",
    )
)
_STATUS_PREFIX = len("status.")


def check_fields(
    info: RequestInfo, manifest: Manifest, directive: str, *, old: Mapping[str, Any] | None = None
) -> None:
    """
    Prune unknown fields; warn about them or refuse them according to ``fieldValidation``.

    :param old: The stored object that was patched; ``None`` for a whole new one. What both share was checked before.
    :raises StatusError: 400 (422 for a patch) under ``Strict``, and for a built-in kind's field of a wrong type.
    """
    schema = _schema(info.resource)
    if schema is None:
        return
    as_patch = old is not None
    sent = json.dumps(manifest, separators=(",", ":")) if as_patch and directive == "Strict" else ""
    unknown = _prune(schema, manifest, old, nulls=info.resource.custom)
    if not info.resource.custom:
        _check_types(info, schema, manifest)
    if not unknown or directive == "Ignore":
        return
    problems = [f'unknown field "{path}"' for path in sorted(unknown)]
    if directive == "Warn":
        info.warnings.extend(problems)
        return
    text = f"strict decoding error: {', '.join(problems)}"
    if not as_patch:
        raise _undecodable(info, text)
    message = f"Invalid value: {json.dumps(sent)}: {text}"
    cause = status.cause(reason="FieldValueInvalid", message=message, field="patch")
    raise status.invalid(group="", kind="", name="", causes=[cause])


def _schema(resource: ResourceType) -> structural.Type | None:
    return seldon_deployment() if resource.custom else builtin_type(resource)


def _prune(
    schema: structural.Type, manifest: Manifest, old: Mapping[str, Any] | None, *, nulls: bool
) -> list[str]:
    """Remove unknown fields from the object and return their paths."""
    changed = structural.changed_parts(manifest, old)
    pruned = structural.prune(schema, changed, nulls=nulls)
    unknown = list(pruned.unknown)
    for key in changed.keys() - pruned.value.keys():
        del manifest[key]
    manifest.update(pruned.value)
    foreign = [key for key in manifest["metadata"] if key not in _METADATA_FIELDS]
    if foreign:
        manifest["metadata"] = {k: v for k, v in manifest["metadata"].items() if k in _METADATA_FIELDS}
    return unknown + [f"metadata.{key}" for key in foreign]


def _check_types(info: RequestInfo, schema: structural.Type, manifest: Manifest) -> None:
    problem = structural_validation.typed_errors(schema, manifest)
    if problem:
        raise _undecodable(info, f"json: cannot unmarshal {problem}")


def _undecodable(info: RequestInfo, why: str) -> status.StatusError:
    kind = info.resource.kind
    return status.bad_request(f'{kind} in version "{info.version}" cannot be handled as a {kind}: {why}')


def check_apply(info: RequestInfo, config: Mapping[str, Any]) -> None:
    """
    Check that an applied configuration fits the schema of its kind.

    :raises StatusError: 500 (as in real servers) for an unknown field or a wrong type.
    """
    schema = _schema(info.resource)
    problems = "" if schema is None else structural_validation.typed_errors(schema, config)
    if problems:
        namespace = (config.get("metadata") or {}).get("namespace", "")
        name = (config.get("metadata") or {}).get("name", "")
        raise status.plain_error(
            f"failed to create typed patch object ({namespace}/{name}; {info.api_version}, "
            f"Kind={info.resource.kind}): {problems}"
        )


def ignored_fields(resource: ResourceType, subresource: str) -> tuple[Path, ...]:
    """Return the path prefixes that a write to this endpoint does not own."""
    if "status" not in resource.subresources:
        return ()
    if subresource == "status":
        return (("f:spec",),) if resource.custom else (("f:spec",), ("f:metadata", "f:labels"))
    return (("f:status",),)


def prepare_new(resource: ResourceType, manifest: Manifest) -> None:
    """Drop fields that a create may not set, and set the first status of a new object."""
    if "status" in resource.subresources:
        manifest.pop("status", None)
    if resource.qualified == "pods":
        manifest["status"] = {"phase": "Pending", "qosClass": _quality(manifest.get("spec") or {})}
    elif resource.qualified == "services":
        manifest["status"] = {"loadBalancer": {}}
    elif resource.qualified == "deployments.apps":
        manifest["status"] = {}
    elif resource.qualified == "replicasets.apps":
        manifest["status"] = {"replicas": 0}


def _quality(spec: Mapping[str, Any]) -> str:
    containers = (spec.get("containers") or []) + (spec.get("initContainers") or [])
    resources = [container.get("resources") or {} for container in containers]
    if not any(r.get("limits") or r.get("requests") for r in resources):
        return "BestEffort"
    full = all(
        {"cpu", "memory"} <= (r.get("limits") or {}).keys()
        and (r.get("requests") or r["limits"]) == r["limits"]
        for r in resources
    )
    return "Guaranteed" if full else "Burstable"


def set_defaults(resource: ResourceType, manifest: Manifest, old: Mapping[str, Any] | None = None) -> None:
    """Set defaults; parts of the old object are already complete and do not change."""
    metadata.drop_empty(manifest["metadata"])
    if resource.custom:
        changed = structural.changed_parts(manifest, old)
        manifest.update(structural.with_defaults(seldon_deployment(), changed))
        return
    if resource.plural == "secrets":
        validation.move_string_data(manifest)
    if old is not None and "status" in manifest and manifest["status"] is not old.get("status"):
        manifest["status"] = copy.deepcopy(manifest["status"])
        defaults.set_status_defaults(resource, manifest)
    if old is not None and manifest.get("spec") is not None and manifest["spec"] is old.get("spec"):
        return
    if "spec" in manifest:
        manifest["spec"] = defaults.without_empty(manifest["spec"])
    defaults.set_defaults(resource, manifest)


def keep_other_parts(
    resource: ResourceType, subresource: str, new: Manifest, old: Mapping[str, Any]
) -> Manifest:
    """Return the object with the parts that a write to this endpoint may change, and the old other parts."""
    if "status" not in resource.subresources:
        return new
    if subresource != "status":
        if "status" in old:
            new["status"] = old["status"]
        else:
            new.pop("status", None)
        return new
    kept: Manifest = dict(old) | {"metadata": dict(old["metadata"])}
    managed = new["metadata"].get("managedFields")
    if managed:
        kept["metadata"]["managedFields"] = managed
    if not resource.custom and "annotations" in new["metadata"]:
        kept["metadata"]["annotations"] = new["metadata"]["annotations"]
    if "status" in new:
        kept["status"] = new["status"]
    else:
        kept.pop("status", None)
    return kept


def counts_as_new_generation(
    resource: ResourceType, new: Mapping[str, Any], old: Mapping[str, Any], subresource: str
) -> bool:
    """Return whether an update changes the spec, which increases the generation."""
    if not resource.generation or subresource == "status":
        return False
    # Deployments count annotations as well: their controller copies them to ReplicaSets.
    if resource.plural == "deployments" and _annotations(new) != _annotations(old):
        return True
    keys = (new.keys() | old.keys()) - {"metadata", "status", "apiVersion", "kind"}
    return any(new.get(key) != old.get(key) for key in keys)


def _annotations(manifest: Mapping[str, Any]) -> Mapping[str, str]:
    return manifest["metadata"].get("annotations") or {}


def validate(
    resource: ResourceType, manifest: Mapping[str, Any], old: Mapping[str, Any] | None, subresource: str
) -> Causes:
    """Return every broken rule of the kind; parts that did not change are not checked again."""
    if not resource.custom:
        return validation.validate(resource, manifest, old)
    causes: Causes = []
    schema = seldon_deployment()
    if (
        "spec" in manifest
        and subresource != "status"
        and (old is None or manifest["spec"] != old.get("spec"))
    ):
        causes += structural_validation.validate(schema.fields["spec"].type, manifest["spec"], "spec")
    if "status" in manifest and (old is None or manifest["status"] != old.get("status")):
        causes += structural_validation.validate(
            schema.fields["status"].type, manifest["status"], "status", cut=_STATUS_PREFIX
        )
    return causes + structural_validation.replicas_causes(manifest)


def terminating(info: RequestInfo) -> status.StatusError:
    """Return the 403 for a create in a namespace that is being deleted."""
    error = status.forbidden(
        group=info.resource.group,
        resource=info.resource.plural,
        name=info.name,
        why=f"unable to create new content in namespace {info.namespace} because it is being terminated",
    )
    cause = status.cause(
        reason="NamespaceTerminating",
        message=f"namespace {info.namespace} is being terminated",
        field="metadata.namespace",
    )
    error.details = (error.details or {}) | {"causes": [cause]}
    return error
