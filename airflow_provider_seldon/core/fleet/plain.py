"""Values of the fleet page that can be stored as JSON, without empty fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import StrEnum
from functools import cache
from typing import Any, Self, get_type_hints


class Plain:
    """Convert a frozen dataclass of plain values to JSON data and back."""

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON data, without fields that have their default."""
        return {
            one.name: _plain(getattr(self, one.name))
            for one in fields(self)  # type: ignore[arg-type]
            if getattr(self, one.name) not in (_default(one), None)
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read it back; unknown fields are ignored, so that releases can differ."""
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
    parts = getattr(hint, "__args__", ())
    model: Any = next((one for one in (hint, *parts) if is_dataclass(one)), None)
    if isinstance(value, list):
        return tuple(model.from_json(one) if model else one for one in value)
    if model and isinstance(value, Mapping):
        return model.from_json(value)
    return value
