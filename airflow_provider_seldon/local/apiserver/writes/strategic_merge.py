"""Strategic merge patch for the built-in kinds.

Purpose: the patch type of ``kubectl apply`` and ``kubectl patch`` for built-in resources: keyed lists are
merged item by item, ``$patch: delete|replace|merge``, ``$deleteFromPrimitiveList/<field>``,
``$setElementOrder/<field>`` and ``$retainKeys`` directives are supported ("Update API Objects in Place Using
kubectl patch"). The keys come from ``merge_keys.py``. Custom resources do not support it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_seldon.local.apiserver.objects.merge_keys import ATOMIC, MergeSchema, Relation
from airflow_provider_seldon.local.apiserver.protocol import status

_PATCH = "$patch"
_RETAIN = "$retainKeys"
_ORDER = "$setElementOrder/"
_DELETE_PRIMITIVE = "$deleteFromPrimitiveList/"
# Lists with one key in a strategic merge but two keys in field ownership.
_PATCH_KEYS: Mapping[tuple[str, ...], str] = {
    ("containerPort", "protocol"): "containerPort",
    ("port", "protocol"): "port",
    ("topologyKey", "whenUnsatisfiable"): "topologyKey",
}


def strategic_merge_patch(schema: MergeSchema, target: Mapping[str, Any], patch: Any) -> dict[str, Any]:
    """
    Return ``target`` with a strategic merge patch applied.

    :raises StatusError: 400 when a directive is unknown, 500 when a list item lacks its key.
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
        # A map that is one leaf in field ownership is still merged key by key here.
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
    merged = {item.get(key): item for item in target}
    for item in patch:
        if not isinstance(item, Mapping) or key not in item:
            raise status.plain_error(f"map: {_go_map(item)} does not contain declared merge key: {key}")
        if item.get(_PATCH) == "delete":
            merged.pop(item[key], None)
        else:
            merged[item[key]] = _merge_map(schema, merged.get(item[key], {}), item, where)
    ranks = [item[key] for item in patch]
    return _interleave(merged, ranks, [item.get(key) for item in target])


def _interleave(items: Mapping[Any, Any], patched: list[Any], live: list[Any]) -> list[Any]:
    """Order items: those of the patch in its order, the others at their old places, new ones first."""
    position = {key: index for index, key in enumerate(live)}
    left = [key for key in dict.fromkeys(patched) if key in items]
    right = [key for key in live if key in items and key not in set(left)]
    ordered: list[Any] = []
    while left and right:
        late = left[0] in position and position[left[0]] > position[right[0]]
        ordered.append(items[(right if late else left).pop(0)])
    return ordered + [items[key] for key in left + right]


def _go_map(item: Any) -> str:
    if not isinstance(item, Mapping):
        return str(item)
    return "map[" + " ".join(f"{key}:{value}" for key, value in sorted(item.items())) + "]"


def _reorder(schema: MergeSchema, merged: dict[str, Any], name: str, order: list[Any], where: str) -> None:
    values = merged.get(name)
    if not isinstance(values, list):
        return
    relation = schema.relation(where, values)
    key = _merge_key(relation) if relation.keys else ""
    items = {value.get(key) if key else value: value for value in values}
    wanted = [entry.get(key) if key else entry for entry in order]
    merged[name] = _interleave(items, wanted, list(items))
