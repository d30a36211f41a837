"""Strategic merge patch for the built-in kinds.

Purpose: the patch type that ``kubectl apply`` and ``kubectl patch`` send for built-in resources: keyed lists are
merged item by item, ``$patch: delete|replace|merge``, ``$deleteFromPrimitiveList/<field>``,
``$setElementOrder/<field>`` and ``$retainKeys`` directives are obeyed ("Update API Objects in Place Using kubectl
patch"). The keys come from ``schema.py``. Custom resources do not support it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_seldon.local.apiserver import status
from airflow_provider_seldon.local.apiserver.schema import ATOMIC, MergeSchema, Relation

_PATCH = "$patch"
_RETAIN = "$retainKeys"
_ORDER = "$setElementOrder/"
_DELETE_PRIMITIVE = "$deleteFromPrimitiveList/"
# Lists that a strategic merge keys by one field although ownership keys them by two.
_PATCH_KEYS: Mapping[tuple[str, ...], str] = {
    ("containerPort", "protocol"): "containerPort",
    ("port", "protocol"): "port",
    ("topologyKey", "whenUnsatisfiable"): "topologyKey",
}


def strategic_merge_patch(schema: MergeSchema, target: Mapping[str, Any], patch: Any) -> dict[str, Any]:
    """
    Return ``target`` with a strategic merge patch applied.

    :raises StatusError: 400 when a directive is unknown or a list item lacks its key.
    """
    if not isinstance(patch, Mapping):
        raise status.bad_request("Invalid JSON Patch")
    return _merge_map(schema, target, patch, "")


def _merge_map(
    schema: MergeSchema, target: Mapping[str, Any], patch: Mapping[str, Any], where: str
) -> dict[str, Any]:
    directive = patch.get(_PATCH)
    if directive == "replace":
        return {key: value for key, value in patch.items() if key != _PATCH}
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise status.bad_request(f"Unknown patch type: {directive}")
    merged = dict(target)
    if isinstance(patch.get(_RETAIN), list):
        merged = {key: value for key, value in merged.items() if key in patch[_RETAIN]}
    for key, value in patch.items():
        if key in (_PATCH, _RETAIN) or key.startswith(_ORDER):
            continue
        if key.startswith(_DELETE_PRIMITIVE):
            name = key.removeprefix(_DELETE_PRIMITIVE)
            merged[name] = [item for item in merged.get(name) or [] if item not in value]
            continue
        if value is None:
            merged.pop(key, None)
            continue
        below = f"{where}.{key}" if where else key
        merged[key] = _merge_value(schema, merged.get(key), value, below)
    for key, order in patch.items():
        if key.startswith(_ORDER):
            name = key.removeprefix(_ORDER)
            below = f"{where}.{name}" if where else name
            _reorder(schema, merged, name, order, below)
    return merged


def _merge_value(schema: MergeSchema, target: Any, patch: Any, where: str) -> Any:
    relation = schema.relation(where, patch)
    if isinstance(patch, Mapping):
        # A map that ownership treats as one leaf is still merged key by key here.
        return _merge_map(schema, target if isinstance(target, Mapping) else {}, patch, where)
    if isinstance(patch, list) and relation is not ATOMIC:
        present = target if isinstance(target, list) else []
        if relation.is_set:
            return present + [item for item in patch if item not in present]
        if relation.keys:
            return _merge_list(schema, present, patch, where, _merge_key(relation))
    return patch


def _merge_key(relation: Relation) -> str:
    return _PATCH_KEYS.get(relation.keys, relation.keys[0])


def _merge_list(schema: MergeSchema, target: list[Any], patch: list[Any], where: str, key: str) -> list[Any]:
    if any(isinstance(item, Mapping) and item.get(_PATCH) == "replace" for item in patch):
        return [item for item in patch if not (isinstance(item, Mapping) and _PATCH in item)]
    merged = list(target)
    for item in patch:
        if not isinstance(item, Mapping) or key not in item:
            raise status.bad_request(f"map: {item} does not contain declared merge key: {key}")
        positions = [i for i, existing in enumerate(merged) if existing.get(key) == item[key]]
        if item.get(_PATCH) == "delete":
            merged = [existing for existing in merged if existing.get(key) != item[key]]
        elif positions:
            merged[positions[0]] = _merge_map(schema, merged[positions[0]], item, where)
        else:
            merged.append(_merge_map(schema, {}, item, where))
    return merged


def _reorder(schema: MergeSchema, merged: dict[str, Any], name: str, order: list[Any], where: str) -> None:
    items = merged.get(name)
    if not isinstance(items, list):
        return
    relation = schema.relation(where, items)
    if relation.keys:
        key = _merge_key(relation)
        wanted = [entry.get(key) for entry in order]
        rank = {value: position for position, value in enumerate(wanted)}
        ordered = sorted((i for i in items if i.get(key) in rank), key=lambda item: rank[item.get(key)])
        rest = [item for item in items if item.get(key) not in rank]
    else:
        ordered = [item for item in order if item in items]
        rest = [item for item in items if item not in order]
    merged[name] = ordered + rest
