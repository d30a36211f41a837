"""Field ownership of a request: its manager, and the resulting ``managedFields``."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from airflow_provider_seldon.local.apiserver.objects import kinds, metadata
from airflow_provider_seldon.local.apiserver.objects.merge_keys import schema_of
from airflow_provider_seldon.local.apiserver.objects.store import Manifest, Stored
from airflow_provider_seldon.local.apiserver.ownership import managed_fields
from airflow_provider_seldon.local.apiserver.ownership.managed_fields import Ownership, Write
from airflow_provider_seldon.local.apiserver.protocol.bodies import WriteOptions
from airflow_provider_seldon.local.apiserver.protocol.request import RequestInfo


def write_of(info: RequestInfo, options: WriteOptions) -> Write:
    """Return the writer of a request."""
    return Write(
        manager=options.manager,
        api_version=info.api_version,
        subresource=info.subresource,
        ignored=kinds.ignored_fields(info.resource, info.subresource),
        now=metadata.now(),
    )


def blank(info: RequestInfo) -> Manifest:
    """Return the object that a creation is compared with."""
    empty = copy.deepcopy(dict(schema_of(info.resource).blank))
    return {"apiVersion": info.api_version, "kind": info.resource.kind} | empty


def without_managed_fields(manifest: Mapping[str, Any]) -> Manifest:
    """Return the object without its ``managedFields``; the original is not changed."""
    bare = {key: value for key, value in manifest["metadata"].items() if key != "managedFields"}
    return {**manifest, "metadata": bare}


def sent_ownership(info: RequestInfo, new: Manifest, live: Mapping[str, Any] | None) -> Ownership:
    """
    Remove the ``managedFields`` from a new object and return their content.

    An empty list resets them; without any, those of the live object count. A subresource cannot change them.
    """
    schema = schema_of(info.resource)
    sent = new["metadata"].pop("managedFields", None)
    if not info.subresource:
        if managed_fields.is_reset(sent):
            return Ownership(schema)
        if sent:
            return Ownership.of(schema, {"metadata": {"managedFields": sent}})
    return Ownership.of(schema, live or {})


def track_creation(
    info: RequestInfo, options: WriteOptions, manifest: Manifest, ownership: Ownership
) -> None:
    """Record a new object's creator as the manager of all fields that have no owner yet."""
    if not info.is_apply:
        ownership.updated(blank(info), manifest, write_of(info, options))
    if ownership.managers:
        manifest["metadata"]["managedFields"] = ownership.encoded()


def track_update(info: RequestInfo, options: WriteOptions, live: Stored, new: Manifest) -> Manifest:
    """
    Return ``new`` with the ``managedFields`` that this write leaves behind.

    An object whose ``managedFields`` were reset is not tracked until the next apply.
    """
    before = live.in_version(info.version)
    ownership = sent_ownership(info, new, before)
    write = write_of(info, options)
    if info.subresource == "scale":
        # A scale has no times, and is only tracked if the number of replicas has an owner.
        write = replace(write, now="")
        if not any(("f:spec", "f:replicas") in entry.paths for entry in ownership.managers.values()):
            write = replace(write, ignored=(("f:spec",),))
    if ownership.managers:
        ownership.updated(without_managed_fields(before), new, write)
        new["metadata"]["managedFields"] = ownership.encoded()
    return new


def ownership_for_apply(info: RequestInfo, live: Stored, base: Manifest) -> Ownership:
    """Return the owners before an apply; all fields of an untracked object belong to a placeholder."""
    ownership = Ownership.of(schema_of(info.resource), live.manifest)
    if not ownership.managers:
        placeholder = WriteOptions(manager=managed_fields.BEFORE_FIRST_APPLY)
        ownership.updated(blank(info), base, write_of(info, placeholder))
    return ownership
