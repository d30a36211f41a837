"""The rules of ``metadata``: fields that the server sets, immutable fields, and valid names.

Purpose: the checks that every kind shares ("Object Names and IDs", "Labels and Selectors", "Owners and
Dependents" in the Kubernetes documentation), with the server's messages. Rules of single kinds are in
``kinds.py``.
"""

from __future__ import annotations

import json
import random
import re
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from airflow_provider_seldon.local.apiserver.protocol import status
from airflow_provider_seldon.local.apiserver.protocol.resources import ResourceType

Manifest = dict[str, Any]
Causes = list[dict[str, str]]

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"

_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LABEL_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and "
    "must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_LABEL_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start "
    "and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_LABEL_1035_TEXT = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic "
    "character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for "
    "validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
)
_QUALIFIED_TEXT = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_VALUE_TEXT = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and "
    "must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex "
    "used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_ANNOTATIONS_LIMIT = 256 * 1024
_IMMUTABLE = "field is immutable"
_GENERATED_LETTERS = "bcdfghjklmnpqrstvwxz2456789"


def now() -> str:
    """Return the current time in the API's format: RFC 3339, whole seconds, UTC."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def invalid(field: str, value: Any, message: str) -> dict[str, str]:
    """Return the cause of an illegal value."""
    shown = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return status.cause(reason="FieldValueInvalid", message=f"Invalid value: {shown}: {message}", field=field)


def required(field: str, message: str = "") -> dict[str, str]:
    """Return the cause of a missing value."""
    text = f"Required value: {message}" if message else "Required value"
    return status.cause(reason="FieldValueRequired", message=text, field=field)


def forbidden(field: str, message: str) -> dict[str, str]:
    """Return the cause of a field that may not be set."""
    return status.cause(reason="FieldValueForbidden", message=f"Forbidden: {message}", field=field)


def not_supported(field: str, value: Any, supported: tuple[str, ...]) -> dict[str, str]:
    """Return the cause of a value outside an enumeration."""
    choices = ", ".join(f'"{choice}"' for choice in supported)
    return status.cause(
        reason="FieldValueNotSupported",
        message=f'Unsupported value: "{value}": supported values: {choices}',
        field=field,
    )


def subdomain_problems(name: str) -> list[str]:
    """Return the reasons why ``name`` is not a DNS-1123 subdomain."""
    problems = ["must be no more than 253 characters"] if len(name) > 253 else []
    return problems + ([] if _SUBDOMAIN.fullmatch(name) else [_SUBDOMAIN_TEXT])


def label_problems(name: str) -> list[str]:
    """Return the reasons why ``name`` is not a DNS-1123 label."""
    problems = ["must be no more than 63 characters"] if len(name) > 63 else []
    return problems + ([] if _LABEL.fullmatch(name) else [_LABEL_TEXT])


def label_1035_problems(name: str) -> list[str]:
    """Return the reasons why ``name`` is not a DNS-1035 label."""
    problems = ["must be no more than 63 characters"] if len(name) > 63 else []
    return problems + ([] if _LABEL_1035.fullmatch(name) else [_LABEL_1035_TEXT])


def name_problems(resource: ResourceType, name: str) -> list[str]:
    """Return the reasons why ``name`` is not a valid name of this type."""
    if resource.plural == "services":
        return label_1035_problems(name)
    if resource.plural == "namespaces":
        return label_problems(name)
    return subdomain_problems(name)


def qualified_name_problems(key: str) -> list[str]:
    """Return the reasons why ``key`` is not a label or annotation key."""
    prefix, slash, name = key.rpartition("/")
    problems = []
    if slash and not prefix:
        problems.append("prefix part must be non-empty")
    elif slash:
        problems += [f"prefix part {problem}" for problem in subdomain_problems(prefix)]
    if not name:
        problems.append("name part must be non-empty")
    elif len(name) > 63:
        problems.append("name part must be no more than 63 characters")
    if not _QUALIFIED.fullmatch(name):
        problems.append(_QUALIFIED_TEXT)
    return problems


def generated_name(prefix: str) -> str:
    """Return a name for ``metadata.generateName``: the prefix and five random characters."""
    return prefix[:58] + "".join(random.choices(_GENERATED_LETTERS, k=5))


def fill_new(resource: ResourceType, manifest: Manifest, namespace: str) -> None:
    """Set the server's fields of a new object: uid, creation time, namespace, first generation."""
    metadata = manifest["metadata"]
    if metadata.get("generateName") and not metadata.get("name"):
        metadata["name"] = generated_name(metadata["generateName"])
    for name in ("selfLink", "deletionTimestamp", "deletionGracePeriodSeconds", "generation"):
        metadata.pop(name, None)
    if resource.namespaced:
        metadata["namespace"] = namespace
    drop_empty(metadata)
    metadata["uid"] = str(uuid.uuid4())
    metadata["creationTimestamp"] = now()
    if resource.generation:
        metadata["generation"] = 1


def keep_system_fields(old: Mapping[str, Any], new: Manifest) -> None:
    """Keep the fields that an update cannot change or remove."""
    for name in ("creationTimestamp", "generation", "deletionTimestamp"):
        if name in old:
            new[name] = old[name]
        else:
            new.pop(name, None)
    new.pop("selfLink", None)
    if not new.get("uid"):
        new["uid"] = old["uid"]
    if "deletionGracePeriodSeconds" in old:
        new.setdefault("deletionGracePeriodSeconds", old["deletionGracePeriodSeconds"])
    drop_empty(new)


def drop_empty(metadata: Manifest) -> None:
    """Drop empty labels, annotations, finalizers and owner references."""
    for name in ("finalizers", "ownerReferences", "labels", "annotations"):
        if name in metadata and not metadata[name]:
            del metadata[name]


def validate(resource: ResourceType, metadata: Mapping[str, Any]) -> Causes:
    """Return every broken rule of an object's metadata."""
    causes: Causes = []
    name = metadata.get("name") or ""
    if not name:
        causes.append(required("metadata.name", "name or generateName is required"))
    else:
        causes += [invalid("metadata.name", name, problem) for problem in name_problems(resource, name)]
    for key, value in (metadata.get("labels") or {}).items():
        causes += [invalid("metadata.labels", key, problem) for problem in qualified_name_problems(key)]
        causes += [invalid("metadata.labels", value, problem) for problem in label_value_problems(value)]
    annotations = metadata.get("annotations") or {}
    for key in annotations:
        causes += [invalid("metadata.annotations", key, p) for p in qualified_name_problems(key.lower())]
    if sum(len(key) + len(str(value)) for key, value in annotations.items()) > _ANNOTATIONS_LIMIT:
        causes.append(
            status.cause(
                reason="FieldValueTooLong",
                message=f"Too long: may not be more than {_ANNOTATIONS_LIMIT} bytes",
                field="metadata.annotations",
            )
        )
    causes += _validate_owners(metadata.get("ownerReferences") or ())
    for finalizer in metadata.get("finalizers") or ():
        causes += [
            invalid("metadata.finalizers", finalizer, problem)
            for problem in qualified_name_problems(str(finalizer))
        ]
    if {FOREGROUND, ORPHAN} <= set(metadata.get("finalizers") or ()):
        causes.append(
            invalid(
                "metadata.finalizers",
                list(metadata["finalizers"]),
                f"finalizer {ORPHAN} and {FOREGROUND} cannot be both set",
            )
        )
    return causes


def label_value_problems(value: Any) -> list[str]:
    """Return the reasons why ``value`` is not a label value."""
    text = str(value)
    problems = ["must be no more than 63 characters"] if len(text) > 63 else []
    return problems + ([] if not text or _QUALIFIED.fullmatch(text) else [_VALUE_TEXT])


def warnings(metadata: Mapping[str, Any]) -> list[str]:
    """Return the server's warnings."""
    return [
        f'metadata.finalizers: "{name}": prefer a domain-qualified finalizer name to avoid accidental conflicts '
        "with other finalizer writers"
        for name in metadata.get("finalizers") or ()
        if "/" not in name and name not in (FOREGROUND, ORPHAN)
    ]


def _validate_owners(references: Any) -> Causes:
    causes: Causes = []
    controllers: list[str] = []
    for reference in references:
        where = "metadata.ownerReferences"
        if not reference.get("apiVersion"):
            causes.append(invalid(f"{where}.apiVersion", "", "version must not be empty"))
        causes += [
            invalid(f"{where}.{name}", "", "must not be empty")
            for name in ("kind", "name", "uid")
            if not reference.get(name)
        ]
        if reference.get("controller"):
            controllers.append(f"{reference.get('kind')}/{reference.get('name')}")
    if len(controllers) > 1:
        causes.append(
            invalid(
                "metadata.ownerReferences",
                list(references),
                "Only one reference can have Controller set to true. "
                f'Found "true" in references for {controllers[0]} and {controllers[1]}',
            )
        )
    return causes


def validate_update(old: Mapping[str, Any], new: Mapping[str, Any]) -> Causes:
    """Return the fields of the metadata that an update may not change but did."""
    causes: Causes = []
    if old.get("deletionTimestamp"):
        extra = sorted(set(new.get("finalizers") or ()) - set(old.get("finalizers") or ()))
        if extra:
            listed = ", ".join(f'"{name}"' for name in extra)
            causes.append(
                forbidden(
                    "metadata.finalizers",
                    "no new finalizers can be added if the object is being deleted, "
                    f"found new finalizers []string{{{listed}}}",
                )
            )
    causes += [
        invalid(f"metadata.{name}", new.get(name), _IMMUTABLE)
        for name in ("name", "namespace", "uid")
        if new.get(name) != old.get(name)
    ]
    return causes
