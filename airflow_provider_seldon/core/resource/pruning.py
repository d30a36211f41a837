"""
Maps that say nothing, left out of what is applied.

Under server-side apply ``annotations: {}`` after ``annotations: {a: b}`` is refused as null (measured on a
kube-apiserver). Left out, it means the same. Only maps that are empty by meaning go: ``emptyDir: {}`` and an empty
selector say something. Pure.
"""

from __future__ import annotations

from typing import Any

#: Fields that hold a map of text, and what may hold nothing but such (Kubernetes API reference; Seldon Core, types).
_SAYS_NOTHING_WHEN_EMPTY = frozenset(
    {
        "annotations",
        "config",
        "engineResources",
        "labels",
        "limits",
        "metadata",
        "nodeSelector",
        "requests",
        "resources",
        "svcOrchSpec",
    }
)


def without_empty_maps(value: Any) -> Any:
    """Return JSON data without the empty maps that mean the same when they are left out."""
    if isinstance(value, list):
        return [without_empty_maps(one) for one in value]
    if not isinstance(value, dict):
        return value
    pruned = {key: without_empty_maps(item) for key, item in value.items()}
    return {key: item for key, item in pruned.items() if item != {} or key not in _SAYS_NOTHING_WHEN_EMPTY}
