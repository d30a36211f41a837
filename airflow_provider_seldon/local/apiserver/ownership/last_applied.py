"""``kubectl``'s annotation of its last client-side apply, when ``kubectl`` changes to server-side apply.

Purpose: two special rules of the server for the field manager ``kubectl`` ("Migration between client-side and
server-side apply", Kubernetes documentation): unchanged fields of the annotation are no conflict, and an
existing annotation is kept up to date.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from airflow_provider_seldon.local.apiserver.objects import field_sets
from airflow_provider_seldon.local.apiserver.objects.field_sets import FieldSet
from airflow_provider_seldon.local.apiserver.objects.merge_keys import MergeSchema

MANAGER = "kubectl"
ANNOTATION = "kubectl.kubernetes.io/last-applied-configuration"


def _annotation(manifest: Mapping[str, Any]) -> str:
    metadata = manifest.get("metadata") or {}
    return str((metadata.get("annotations") or {}).get(ANNOTATION) or "")


def allowed_conflicts(schema: MergeSchema, live: Mapping[str, Any]) -> FieldSet:
    """Return the fields of the annotation that are unchanged in the live object."""
    try:
        claimed = json.loads(_annotation(live) or "{}")
    except ValueError:
        return set()
    if not isinstance(claimed, dict):
        return set()
    difference = field_sets.compare(schema, claimed, live)
    return field_sets.field_set(schema, claimed) - difference.added - difference.modified - difference.removed


def synchronise(merged: dict[str, Any], config: Mapping[str, Any]) -> None:
    """Set the annotation of a merged object, if it has one, to the applied configuration."""
    if not _annotation(merged):
        return
    metadata = dict(config.get("metadata") or {})
    annotations = {k: v for k, v in (metadata.pop("annotations", None) or {}).items() if k != ANNOTATION}
    if annotations:
        metadata["annotations"] = annotations
    text = json.dumps({**config, "metadata": metadata}, separators=(",", ":"), sort_keys=True) + "\n"
    kept = merged["metadata"]
    merged["metadata"] = kept | {"annotations": kept["annotations"] | {ANNOTATION: text}}
