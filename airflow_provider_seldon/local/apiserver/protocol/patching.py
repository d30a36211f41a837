"""Merge patch (RFC 7396) and JSON patch (RFC 6902) on an object, with the server's errors.

Purpose: turn (object, patch document) into the patched object without changing the original. Strategic merge
patch is in ``strategic_merge.py``; server-side apply in ``managed_fields.py``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import jsonpatch
import jsonpointer

from airflow_provider_seldon.local.apiserver.protocol import status

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_MERGE_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"

_MAX_JSON_PATCH_OPERATIONS = 10_000


def merge_patch(target: Any, patch: Any) -> Any:
    """Return ``target`` with an RFC 7396 merge patch applied: ``None`` deletes, lists are replaced."""
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def json_patch(target: Mapping[str, Any], operations: list[Any]) -> Any:
    """
    Return ``target`` with an RFC 6902 patch applied.

    :raises StatusError: 413 when the patch is too long, 422 when an operation does not fit the object (a failed
        ``test``, a missing path, an unknown operation).
    """
    if len(operations) > _MAX_JSON_PATCH_OPERATIONS:
        raise status.StatusError(
            code=413,
            reason="RequestEntityTooLarge",
            message=(
                "Request entity too large: The allowed maximum operations in a JSON patch is "
                f"{_MAX_JSON_PATCH_OPERATIONS}, got {len(operations)}"
            ),
        )
    try:
        return jsonpatch.JsonPatch(operations).apply(json.loads(json.dumps(target)))
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException, TypeError, KeyError):
        raise status.unprocessable() from None
