"""Create, replace and patch: from a request and a body to a new or changed object.

Purpose: the entry to every write. Server-side apply is in ``server_side_apply.py``; storing is in ``commit.py``.
"""

from __future__ import annotations

import json
from typing import Any

from airflow_provider_seldon.local.apiserver.objects import kinds
from airflow_provider_seldon.local.apiserver.objects.merge_keys import schema_of
from airflow_provider_seldon.local.apiserver.objects.store import Manifest, Stored
from airflow_provider_seldon.local.apiserver.ownership.request_ownership import sent_ownership, track_update
from airflow_provider_seldon.local.apiserver.protocol import bodies, patching, status
from airflow_provider_seldon.local.apiserver.protocol.bodies import WriteOptions
from airflow_provider_seldon.local.apiserver.protocol.request import RequestInfo
from airflow_provider_seldon.local.apiserver.writes import server_side_apply, strategic_merge
from airflow_provider_seldon.local.apiserver.writes.commit import Committer, Outcome


class Writer:
    """
    Performs writes.

    :param committer: Stores the results.
    """

    def __init__(self, committer: Committer) -> None:
        self._committer = committer

    def create(self, info: RequestInfo, raw: bytes) -> Outcome:
        """Handle POST."""
        options = bodies.write_options(info)
        manifest = bodies.decode_object(info, raw)
        bodies.check_identity(info, manifest["metadata"])
        kinds.check_fields(info, manifest, options.field_validation)
        ownership = sent_ownership(info, manifest, None)
        return self._committer.create(info, options, manifest, ownership=ownership)

    def replace(self, info: RequestInfo, raw: bytes) -> Outcome:
        """Handle PUT."""
        options = bodies.write_options(info)
        new = bodies.decode_object(info, raw)
        bodies.check_identity(info, new["metadata"])
        kinds.check_fields(info, new, options.field_validation)
        live = self._live(info)
        uid = new["metadata"].get("uid")
        if uid and uid != live.uid:
            raise status.conflict(
                group=info.resource.group,
                resource=info.resource.plural,
                name=info.name,
                why=_uid_mismatch(info, uid, live.uid),
            )
        new["metadata"]["name"] = info.name
        if info.namespace:
            new["metadata"]["namespace"] = info.namespace
        return self.update_as(info, options, live, new)

    def patch(self, info: RequestInfo, raw: bytes) -> Outcome:
        """Handle PATCH of every kind, server-side apply included."""
        accepted = patch_types(info)
        if info.content_type not in accepted:
            raise status.unsupported_media_type(accepted)
        if info.is_apply:
            return server_side_apply.apply(self._committer, info, raw)
        options = bodies.write_options(info)
        live = self._live(info)
        new = self._patched(info, live, raw)
        bodies.check_identity(info, new["metadata"])
        kinds.check_fields(info, new, options.field_validation, old=live.manifest)
        return self.update_as(info, options, live, new)

    def update_as(
        self,
        info: RequestInfo,
        options: WriteOptions,
        live: Stored,
        new: Manifest,
    ) -> Outcome:
        """Store a changed object, and record the owners of the changes."""
        kinds.set_defaults(info.resource, new, live.manifest)
        owned = track_update(info, options, live, new)
        return self._committer.update(info, options, live, owned)

    def _live(self, info: RequestInfo) -> Stored:
        found = self._committer.store.get(info.resource, info.namespace, info.name)
        if found is None:
            raise info.not_found()
        return found

    def _patched(self, info: RequestInfo, live: Stored, raw: bytes) -> Manifest:
        patch = _decode_patch(info, raw)
        target = live.in_version(info.version)
        new: Any
        if info.content_type == patching.JSON_PATCH:
            new = patching.json_patch(target, patch)
        elif info.content_type == patching.MERGE_PATCH:
            new = patching.merge_patch(target, patch)
        else:
            new = strategic_merge.strategic_merge_patch(schema_of(info.resource), target, patch)
        if not isinstance(new, dict) or not isinstance(new.get("metadata"), dict):
            raise status.bad_request("the patched object has no metadata")
        new["metadata"] = dict(new["metadata"])
        bodies.check_type(info, new)
        return new


def _decode_patch(info: RequestInfo, raw: bytes) -> Any:
    wanted = list if info.content_type == patching.JSON_PATCH else dict
    go_type = "[]handlers.jsonPatchOp" if wanted is list else "map[string]interface {}"
    try:
        patch = json.loads(raw)
    except ValueError as error:
        raise status.bad_request(f"error decoding patch: {bodies.json_problem(raw, error)}") from None
    if not isinstance(patch, wanted):
        found = "array" if isinstance(patch, list) else "object" if isinstance(patch, dict) else "value"
        raise status.bad_request(
            f"error decoding patch: json: cannot unmarshal {found} into Go value of type {go_type}"
        )
    return patch


def patch_types(info: RequestInfo) -> list[str]:
    """Return the media types of patches that a resource accepts."""
    types = [patching.JSON_PATCH, patching.MERGE_PATCH]
    if not info.resource.custom:
        types.append(patching.STRATEGIC_MERGE_PATCH)
    return [*types, patching.APPLY_PATCH]


def _uid_mismatch(info: RequestInfo, sent: str, actual: str) -> str:
    prefix = f"{info.resource.group}/{info.resource.plural}".strip("/")
    return (
        f"StorageError: invalid object, Code: 4, Key: /registry/{prefix}/{info.namespace}/{info.name}, "
        f"ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: {sent}, "
        f"UID in object meta: {actual}"
    )
