"""Structural schemas in a compact notation: which fields an object has, of which types.

Purpose: the rules for custom resources in "Specifying a structural schema" and "Field pruning" (Kubernetes
documentation): unknown fields are dropped, nulls are dropped from fields that are not nullable, defaults are
set. Validation of values is in ``structural_validation.py``; the types themselves are in ``pod_types.py`` and
``seldon_types.py``.

Notation, one text per type: fields separated by blanks, each ``name:type``; ``name!`` is required, ``name?``
is nullable, ``=value`` gives a default. Types are ``str``, ``int`` (32 bits), ``long``, ``num``, ``bool``,
``any`` (kept unchanged), ``quantity``, ``port`` (number or string), ``{type}`` for a map, ``[type]`` for a
list, ``[type#key,key]`` for a list whose items have keys, or the name of another type.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SCALARS = ("str", "int", "long", "num", "bool", "any", "quantity", "port")


@dataclass(kw_only=True)
class Type:
    """
    The type of a value.

    :param kind: A scalar's name, ``map``, ``list`` or ``struct``.
    :param name: Name of a structure.
    :param element: Type of the values of a map or the items of a list.
    :param fields: Fields of a structure.
    :param keys: Fields that identify the items of a list.
    """

    kind: str
    name: str = ""
    element: Type | None = None
    fields: dict[str, Field] = field(default_factory=dict)
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Field:
    """A field of a structure."""

    type: Type
    required: bool = False
    nullable: bool = False
    default: str | None = None


@dataclass(kw_only=True)
class Pruned:
    """
    The result of pruning a value.

    :param value: The value without unknown fields; shares unchanged parts with the original.
    :param unknown: Paths of the fields that were dropped, such as ``spec.predictors[0].foo``.
    """

    value: Any
    unknown: list[str]


def parse(definitions: Mapping[str, str]) -> dict[str, Type]:
    """Return the types of a set of definitions, which may refer to each other."""
    types = {name: Type(kind="struct", name=name) for name in definitions}
    for name, text in definitions.items():
        for entry in text.split():
            label, _, rest = entry.partition(":")
            notation, _, default = rest.partition("=")
            types[name].fields[label.rstrip("!?")] = Field(
                type=_type(notation, types),
                required=label.endswith("!"),
                nullable=label.endswith("?"),
                default=default or None,
            )
    return types


def _type(notation: str, types: Mapping[str, Type]) -> Type:
    if notation in SCALARS:
        return Type(kind=notation)
    if notation.startswith("{"):
        return Type(kind="map", element=_type(notation[1:-1], types))
    if notation.startswith("["):
        element, _, keys = notation[1:-1].partition("#")
        return Type(kind="list", element=_type(element, types), keys=tuple(keys.split(",")) if keys else ())
    return types[notation]


def prune(schema: Type, value: Any, path: str = "", *, nulls: bool = True) -> Pruned:
    """
    Drop fields that the schema does not know.

    :param nulls: Also drop null from fields that are not nullable; an apply keeps it, and validation then
        refuses it.
    """
    unknown: list[str] = []
    return Pruned(value=_prune(schema, value, path, unknown, nulls), unknown=unknown)


def _prune(schema: Type, value: Any, path: str, unknown: list[str], nulls: bool) -> Any:
    if schema.kind == "struct" and isinstance(value, dict):
        return _prune_struct(schema, value, path, unknown, nulls)
    if schema.element is None:
        return value
    if schema.kind == "map" and isinstance(value, dict):
        items = {k: _prune(schema.element, v, f"{path}.{k}", unknown, nulls) for k, v in value.items()}
        if nulls:
            items = {k: v for k, v in items.items() if v is not None}
        return value if _same(value, items) else items
    if schema.kind == "list" and isinstance(value, list):
        listed = [_prune(schema.element, v, f"{path}[{i}]", unknown, nulls) for i, v in enumerate(value)]
        return value if all(a is b for a, b in zip(value, listed, strict=True)) else listed
    return value


def _prune_struct(schema: Type, value: dict[str, Any], path: str, unknown: list[str], nulls: bool) -> Any:
    kept: dict[str, Any] = {}
    for key, child in value.items():
        where = f"{path}.{key}" if path else key
        known = schema.fields.get(key)
        if known is None:
            unknown.append(where)
        elif child is None and nulls and not known.nullable:
            continue
        else:
            kept[key] = _prune(known.type, child, where, unknown, nulls)
    return value if _same(value, kept) else kept


def _same(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    return len(old) == len(new) and all(old[key] is child for key, child in new.items())


def changed_parts(manifest: Mapping[str, Any], old: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the top-level parts of an object that are not the same objects as in its stored predecessor."""
    if old is None:
        return dict(manifest)
    return {key: part for key, part in manifest.items() if part is not old.get(key)}


def with_defaults(schema: Type, value: Any) -> Any:
    """Return the value with the schema's defaults; shares unchanged parts with the original."""
    if schema.kind == "struct" and isinstance(value, dict):
        filled = {
            key: with_defaults(schema.fields[key].type, child) if key in schema.fields else child
            for key, child in value.items()
        }
        for key, known in schema.fields.items():
            if known.default is not None and key not in filled:
                filled[key] = known.default
        return value if _same(value, filled) else filled
    if schema.element is None:
        return value
    if schema.kind == "map" and isinstance(value, dict):
        mapped = {key: with_defaults(schema.element, child) for key, child in value.items()}
        return value if _same(value, mapped) else mapped
    if schema.kind == "list" and isinstance(value, list):
        listed = [with_defaults(schema.element, child) for child in value]
        return value if all(a is b for a, b in zip(value, listed, strict=True)) else listed
    return value
