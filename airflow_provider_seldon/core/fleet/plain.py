"""Values of the fleet page that can be stored as JSON, without empty fields."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import StrEnum
from functools import cache
from types import UnionType
from typing import Any, ClassVar, Self, get_args, get_origin, get_type_hints


class Plain:
    """Convert a frozen dataclass of plain values to JSON data and back."""

    #: Fields that are never left out: their default is not an empty value.
    ALWAYS: ClassVar[tuple[str, ...]] = ()

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON data, without fields that have their default."""
        return {
            one.name: _plain(getattr(self, one.name))
            for one in fields(self)  # type: ignore[arg-type]
            if one.name in self.ALWAYS or getattr(self, one.name) not in (_default(one), None)
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """
        Read it back; unknown fields are ignored, so that releases can differ.

        :raises TypeError: a field has a value of another type.
        """
        hints: dict[str, Any] = _hints(cls)  # type: ignore[arg-type]
        return cls(**{key: _typed(hints[key], value) for key, value in data.items() if key in hints})


@cache
def _hints(cls: Any) -> dict[str, Any]:
    return get_type_hints(cls)


def _default(one: Field[Any]) -> Any:
    return one.default_factory() if one.default_factory is not MISSING else one.default


def _plain(value: Any) -> Any:
    if isinstance(value, Plain):
        return value.to_json()
    if isinstance(value, StrEnum):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(one) for one in value]
    return value


def _typed(hint: Any, value: Any) -> Any:
    """Return a value as its field has it; the JSON data may have been edited."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin is UnionType:  # None is left out, so this is the other type
        hint, origin = parts[0], None
    if origin is tuple and isinstance(value, list):
        return tuple(_typed(parts[0], one) for one in value)
    if origin is Mapping and isinstance(value, dict):
        return {key: _typed(parts[1], one) for key, one in value.items()}
    if is_dataclass(hint) and isinstance(value, dict):
        return hint.from_json(value)  # type: ignore[union-attr]
    number = hint is float and type(value) in (int, float) and math.isfinite(value)
    if number or (type(value) is hint and hint is not float):
        return value
    raise TypeError(f"a field is {type(value).__name__}, not {hint}")
