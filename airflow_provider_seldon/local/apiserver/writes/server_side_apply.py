"""Server-side apply: a configuration, merged into the live object under a field manager.

Purpose: the request side of "Server-Side Apply" (Kubernetes API concepts): checks of the configuration,
creation of a missing object, preconditions on uid and resource version inside the configuration.
"""

from __future__ import annotations

from typing import Any

from airflow_provider_seldon.local.apiserver.objects import kinds
from airflow_provider_seldon.local.apiserver.objects.field_sets import DuplicateItemError
from airflow_provider_seldon.local.apiserver.objects.merge_keys import schema_of
from airflow_provider_seldon.local.apiserver.objects.store import Manifest
from airflow_provider_seldon.local.apiserver.ownership import last_applied
from airflow_provider_seldon.local.apiserver.ownership.managed_fields import Ownership
from airflow_provider_seldon.local.apiserver.ownership.request_ownership import (
    blank,
    ownership_for_apply,
    without_managed_fields,
    write_of,
)
from airflow_provider_seldon.local.apiserver.protocol import bodies, status
from airflow_provider_seldon.local.apiserver.protocol.bodies import WriteOptions
from airflow_provider_seldon.local.apiserver.protocol.request import RequestInfo
from airflow_provider_seldon.local.apiserver.writes.commit import Committer, Outcome


def apply(committer: Committer, info: RequestInfo, raw: bytes) -> Outcome:
    """
    Perform a server-side apply.

    :raises StatusError: 400 for a configuration of another kind or version, 409 for a conflict with another manager
        or a precondition that does not hold, 500 for fields that the kind does not have.
    """
    options = bodies.write_options(info)
    config = _configuration(info, raw)
    live = committer.store.get(info.resource, info.namespace, info.name)
    if live is None and info.subresource:
        raise info.not_found()
    if live is None:
        return _apply_new(committer, info, options, config)
    base = without_managed_fields(live.in_version(info.version))
    ownership = ownership_for_apply(info, live, base)
    new = _merge(info, options, ownership, base, config)
    bodies.check_identity(info, new["metadata"])
    new["metadata"]["managedFields"] = ownership.encoded()
    return committer.update(info, options, live, new)


def _configuration(info: RequestInfo, raw: bytes) -> Manifest:
    config: Any = bodies.decode(raw, info.content_type)
    if not isinstance(config, dict):
        raise status.bad_request(
            "error decoding YAML: json: cannot unmarshal value into Go value of type map[string]interface {}"
        )
    if config.get("apiVersion") != info.api_version or config.get("kind") != info.resource.kind:
        api_version = str(config.get("apiVersion") or "")
        shown = api_version if "/" in api_version else f"/{api_version}"
        raise status.bad_request(f"invalid object type: {shown}, Kind={config.get('kind') or ''}")
    if (config.get("metadata") or {}).get("managedFields") is not None:
        raise status.bad_request("metadata.managedFields must be nil")
    kinds.check_apply(info, config)
    return config


def _apply_new(committer: Committer, info: RequestInfo, options: WriteOptions, config: Manifest) -> Outcome:
    ownership = Ownership(schema_of(info.resource))
    new = _merge(info, options, ownership, blank(info), config)
    uid = new["metadata"].get("uid")
    if uid:
        raise status.conflict(
            group=info.resource.group,
            resource=info.resource.plural,
            name=info.name,
            why=f"uid mismatch: the provided object specified uid {uid}, and no existing object was found",
        )
    bodies.check_identity(info, new["metadata"])
    # There is no object yet that could have this version; the server ignores it.
    new["metadata"].pop("resourceVersion", None)
    return committer.create(info, options, new, ownership=ownership)


def _merge(
    info: RequestInfo, options: WriteOptions, ownership: Ownership, base: Manifest, config: Manifest
) -> Manifest:
    from_kubectl = options.manager == last_applied.MANAGER and not info.subresource
    allowed = last_applied.allowed_conflicts(ownership.schema, base) if from_kubectl else set()
    write = write_of(info, options)
    try:
        new = ownership.applied(base, config, write, force=options.force, allowed=allowed)
    except DuplicateItemError as error:
        raise status.plain_error(
            f"failed to create typed patch object ({info.namespace}/{info.name}; {info.api_version}, "
            f"Kind={info.resource.kind}): duplicate entries for key [{error}]"
        ) from None
    if from_kubectl:
        last_applied.synchronise(new, config)
    new["metadata"] = dict(new.get("metadata") or {})
    return new
