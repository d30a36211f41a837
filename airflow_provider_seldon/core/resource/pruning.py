"""
Leave empty maps without a meaning out of an apply.

Under server-side apply ``annotations: {}`` after ``annotations: {a: b}`` is refused as null (measured on a
kube-apiserver). Without the field, the meaning is the same. Only maps without a meaning are removed:
``emptyDir: {}`` and an empty selector have one. Pure.
"""

from __future__ import annotations

from typing import Any

#: Fields with a map of text, and fields that may contain only such maps (Kubernetes API reference; Seldon
#: Core, types).
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
    """Return JSON data without the empty maps that have no meaning."""
    if isinstance(value, list):
        return [without_empty_maps(one) for one in value]
    if not isinstance(value, dict):
        return value
    pruned = {key: without_empty_maps(item) for key, item in value.items()}
    return {key: item for key, item in pruned.items() if item != {} or key not in _SAYS_NOTHING_WHEN_EMPTY}
