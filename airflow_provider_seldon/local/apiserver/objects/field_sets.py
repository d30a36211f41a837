"""Sets of field paths, their ``FieldsV1`` form, and the walks over an object that produce and use them.

Purpose: the set algebra of field ownership ("Server-Side Apply", Kubernetes API concepts): which fields a
value has, what differs between two values, merging one value into another, and removing fields. A path is a
tuple of ``FieldsV1`` elements: ``f:<name>``, ``k:<JSON of key fields>`` or ``v:<JSON of a set item>``.
``managed_fields.py`` decides about ownership.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from airflow_provider_seldon.local.apiserver.objects.merge_keys import (
    ATOMIC,
    STRUCTURE,
    MergeSchema,
    Relation,
)

Path = tuple[str, ...]
FieldSet = set[Path]

_MISSING: Any = object()


class Difference(NamedTuple):
    """The paths that one value has in addition to, less than, or different from another."""

    added: FieldSet
    modified: FieldSet
    removed: FieldSet


class DuplicateItemError(ValueError):
    """Two items of a keyed list have the same key."""


def to_fields_v1(paths: FieldSet) -> dict[str, Any]:
    """Return the nested ``fieldsV1`` object of a set of paths."""
    root: dict[str, Any] = {}
    for path in sorted(paths):
        node = root
        for element in path:
            node = node.setdefault(element, {})
        node["."] = {}
    return _without_leaf_dots(root)


def _without_leaf_dots(node: dict[str, Any]) -> dict[str, Any]:
    return {
        key: {} if list(child) == ["."] else _without_leaf_dots(child) for key, child in sorted(node.items())
    }


def from_fields_v1(fields: Mapping[str, Any]) -> FieldSet:
    """Return the set of paths of a ``fieldsV1`` object."""
    paths: FieldSet = set()

    def collect(node: Mapping[str, Any], path: Path) -> None:
        for element, child in node.items():
            if element == ".":
                paths.add(path)
            elif child:
                collect(child, (*path, element))
            else:
                paths.add((*path, element))

    collect(fields, ())
    return paths


def path_text(path: Path) -> str:
    """Return a path in the notation of conflicts: ``.spec.containers[name="a"].image``."""
    text = ""
    for element in path:
        kind, _, rest = element.partition(":")
        if kind == "f":
            text += f".{rest}"
        elif kind == "k":
            keys = json.loads(rest)
            text += "[" + ",".join(f"{name}={json.dumps(value)}" for name, value in keys.items()) + "]"
        else:
            text += f"[={rest}]"
    return text


def items_of(relation: Relation, values: list[Any]) -> Iterator[tuple[str, Any]]:
    """Yield (path element, item) of a keyed list or a set."""
    for value in values:
        if relation.is_set:
            yield f"v:{json.dumps(value)}", value
            continue
        keys = {
            key: value.get(key, relation.defaults.get(key))
            for key in sorted(relation.keys)
            if isinstance(value, Mapping) and (key in value or key in relation.defaults)
        }
        yield "k:" + json.dumps(keys, separators=(",", ":")), value


def _item_relation(relation: Relation) -> Relation:
    return ATOMIC if relation.atomic_items or relation.is_set else STRUCTURE


def _child_path(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def field_set(schema: MergeSchema, value: Mapping[str, Any]) -> FieldSet:
    """Return the paths that an applied configuration claims."""
    paths: FieldSet = set()
    _collect(schema, value, "", (), paths, schema.relation("", value))
    return paths


def _collect(
    schema: MergeSchema, value: Any, where: str, path: Path, paths: FieldSet, relation: Relation
) -> None:
    if isinstance(value, Mapping) and relation.granular:
        for key, child in value.items():
            deeper, below = (*path, f"f:{key}"), _child_path(where, key)
            _collect(schema, child, below, deeper, paths, schema.relation(below, child))
            if child is None or child == {} or relation.open_map:
                paths.add(deeper)
    elif isinstance(value, list) and relation.granular and (relation.keys or relation.is_set):
        for element, item in items_of(relation, value):
            deeper = (*path, element)
            _collect(schema, item, where, deeper, paths, _item_relation(relation))
            paths.add(deeper)
    elif value is not None or not relation.granular:
        paths.add(path)


def compare(schema: MergeSchema, old: Mapping[str, Any], new: Mapping[str, Any]) -> Difference:
    """Return what differs between two objects; containers that come or go count as well as their leaves."""
    difference = Difference(set(), set(), set())
    _compare(schema, old, new, "", (), difference, STRUCTURE)
    return difference


def _compare(
    schema: MergeSchema, old: Any, new: Any, where: str, path: Path, out: Difference, relation: Relation
) -> None:
    if old is new or (old is not _MISSING and new is not _MISSING and old == new):
        return
    if relation.granular and _is_kind(old, new, Mapping):
        before, after = _or_empty(old, {}), _or_empty(new, {})
        for key in before.keys() | after.keys():
            below = _child_path(where, key)
            left, right = before.get(key, _MISSING), after.get(key, _MISSING)
            sample = left if right is _MISSING or right is None else right
            _compare(schema, left, right, below, (*path, f"f:{key}"), out, schema.relation(below, sample))
    elif relation.granular and (relation.keys or relation.is_set) and _is_kind(old, new, list):
        before, after = _grouped(relation, _or_empty(old, [])), _grouped(relation, _or_empty(new, []))
        for element in before.keys() | after.keys():
            left, right = before.get(element, _MISSING), after.get(element, _MISSING)
            # Items with the same key cannot be distinguished: they change as one.
            one = not isinstance(left, _Several) and not isinstance(right, _Several)
            inner = _item_relation(relation) if one else ATOMIC
            _compare(schema, left, right, where, (*path, element), out, inner)
    elif old is not _MISSING and new is not _MISSING:
        out.modified.add(path)
    if path and old is _MISSING:
        out.added.add(path)
    elif path and new is _MISSING:
        out.removed.add(path)


class _Several(list[Any]):
    """The items of a keyed list that have the same key."""


def _grouped(relation: Relation, values: list[Any]) -> dict[str, Any]:
    groups: dict[str, _Several] = {}
    for element, item in items_of(relation, values):
        groups.setdefault(element, _Several()).append(item)
    return {element: group if len(group) > 1 else group[0] for element, group in groups.items()}


def _is_kind(old: Any, new: Any, kind: type) -> bool:
    """Return whether both sides are containers of ``kind`` (or not there), and at least one has content."""
    sides = [side for side in (old, new) if side is not _MISSING and side is not None]
    return bool(sides) and all(isinstance(side, kind) for side in sides) and any(len(side) for side in sides)


def _or_empty(value: Any, empty: Any) -> Any:
    return empty if value is _MISSING or value is None else value


def merge(schema: MergeSchema, live: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return ``live`` with the applied configuration merged in.

    :raises DuplicateItemError: When the configuration names one list item twice.
    """
    merged: dict[str, Any] = _merge(schema, live, config, "", STRUCTURE)
    return merged


def _merge(schema: MergeSchema, live: Any, config: Any, where: str, relation: Relation) -> Any:
    if isinstance(config, Mapping) and relation.granular:
        base = live if isinstance(live, Mapping) else {}
        merged = dict(base)
        for key, child in config.items():
            below = _child_path(where, key)
            merged[key] = _merge(schema, base.get(key), child, below, schema.relation(below, child))
        return merged
    if isinstance(config, list) and relation.granular and (relation.keys or relation.is_set):
        return _merge_items(schema, live if isinstance(live, list) else [], config, where, relation)
    return config


def _merge_items(
    schema: MergeSchema, live: list[Any], config: list[Any], where: str, relation: Relation
) -> list[Any]:
    wanted: dict[str, Any] = {}
    for element, item in items_of(relation, config):
        if element in wanted:
            raise DuplicateItemError(element)
        wanted[element] = item
    present = dict(items_of(relation, live))
    return [
        _merge(schema, present.get(element), wanted[element], where, _item_relation(relation))
        if element in wanted
        else present[element]
        for element in _merged_order(list(present), list(wanted))
    ]


def _merged_order(live: list[str], wanted: list[str]) -> list[str]:
    """
    Return the order of a merged list: the configuration's for its items, live ones staying where they were.

    Items that both have are met in the configuration's order; a live item is placed before the shared item that
    followed it.
    """
    order: list[str] = []
    in_live, in_wanted = set(live), set(wanted)
    shared = deque(element for element in wanted if element in in_live)
    next_shared = shared.popleft() if shared else None
    left, right = deque(live), deque(wanted)
    while left or right:
        if left and right and left[0] == right[0]:
            order.append(left.popleft())
            right.popleft()
            next_shared = shared.popleft() if shared else None
            continue
        if left and right and left[0] in in_wanted and next_shared not in (None, left[0]):
            left.popleft()
            continue
        if left and left[0] not in in_wanted:
            order.append(left.popleft())
            continue
        if left and left[0] in order:
            left.popleft()
        if right:
            order.append(right.popleft())
            if order[-1] == next_shared:
                next_shared = shared.popleft() if shared else None
    return order


def remove(schema: MergeSchema, value: dict[str, Any], paths: FieldSet) -> dict[str, Any]:
    """Return ``value`` without the fields and items at ``paths``."""
    if not paths:
        return value
    tree: dict[str, Any] = {}
    for path in paths:
        node = tree
        for element in path:
            node = node.setdefault(element, {})
        node["."] = True
    removed: dict[str, Any] = _remove(schema, value, tree, "", STRUCTURE)
    return removed


def _remove(schema: MergeSchema, value: Any, tree: Mapping[str, Any], where: str, relation: Relation) -> Any:
    if isinstance(value, Mapping) and relation.granular:
        kept = {}
        for key, child in value.items():
            below, subtree = _child_path(where, key), tree.get(f"f:{key}")
            if subtree is None:
                kept[key] = child
            elif "." not in subtree:
                kept[key] = _remove(schema, child, subtree, below, schema.relation(below, child))
        # A field that loses its last part becomes null; a custom resource is then invalid if null is not
        # allowed.
        return kept or None
    if isinstance(value, list) and relation.granular and (relation.keys or relation.is_set):
        items = []
        for element, item in items_of(relation, value):
            subtree = tree.get(element)
            if subtree is None:
                items.append(item)
            elif "." not in subtree:
                items.append(_remove(schema, item, subtree, where, _item_relation(relation)))
        return items or None
    return value


def with_parents(schema: MergeSchema, paths: FieldSet) -> FieldSet:
    """Return the set with every named field that leads to a member (free keys of maps are not named fields)."""
    complete = set(paths)
    for path in paths:
        for length in range(1, len(path)):
            element = path[length - 1]
            if element.startswith("f:") and not schema.is_open_map(_dotted(path[: length - 1])):
                complete.add(path[:length])
    return complete


def _dotted(path: Path) -> str:
    return ".".join(element[2:] for element in path if element.startswith("f:"))
