"""
Fields that the cluster's CRD does not declare: find them in the server's message, and remove them from a
manifest.

The API server refuses a server-side apply with such a field; a plain creation silently drops the field. So
manifests that ``kubectl create`` has accepted for years may contain some (``endpoint.http_port``). Pure.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

# The two messages of the API server: of server-side apply, and of strict decoding.
_APPLIED = re.compile(r"(?:^|[\s:])(\.[^\s]+?): field not declared in schema")
_DECODED = re.compile(r'unknown field "([^"]+)"')
_PART = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]|\[([^\]]+)\]")


def undeclared_fields(message: str) -> tuple[str, ...]:
    """Return the paths of the fields that an error of the API server names, such as ``spec.foo``; none for others."""
    found = [path.lstrip(".") for path in _APPLIED.findall(message)]
    return tuple(dict.fromkeys([*found, *_DECODED.findall(message)]))


def without_fields(manifest: Mapping[str, Any], paths: Iterable[str]) -> tuple[dict[str, Any], list[str]]:
    """
    Return a manifest without some fields, and the paths of the removed ones.

    :param paths: in the API server's notation: ``spec.predictors[0].graph.x``, ``containers[name="a"].x``.
    """
    new: dict[str, Any] = copy.deepcopy(dict(manifest))
    dropped = []
    for path in paths:
        *parents, last = [_step(*parts) for parts in _PART.findall(path)] or [""]
        holder: Any = new
        for step in parents:
            holder = _below(holder, step)
        if isinstance(holder, dict) and last in holder:
            del holder[last]
            dropped.append(path)
    return new, dropped


def _step(name: str, position: str, key: str) -> Any:
    if name:
        return name
    return int(position) if position else dict(_pair(one) for one in key.split(","))


def _pair(text: str) -> tuple[str, Any]:
    name, _, value = text.partition("=")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _below(holder: Any, step: Any) -> Any:
    if isinstance(step, str):
        return holder.get(step) if isinstance(holder, dict) else None
    items = holder if isinstance(holder, list) else []
    if isinstance(step, int):
        return items[step] if step < len(items) else None
    # A key may be the schema's default, such as a port's protocol, and missing in the manifest.
    keyed = (one for one in items if isinstance(one, dict))
    return next((one for one in keyed if all(one.get(k, v) == v for k, v in step.items())), None)
