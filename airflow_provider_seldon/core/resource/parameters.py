"""
Parameters of a graph node: convert Python values to the text-and-type pairs of the CRD.

In the CRD every value is text, also numbers and booleans (Seldon Core reference, graph node).
"""

from __future__ import annotations

import json
from collections.abc import Mapping

Scalar = bool | int | float | str

_TYPES: dict[type, str] = {bool: "BOOL", int: "INT", float: "FLOAT", str: "STRING"}


def node_parameters(values: Mapping[str, Scalar]) -> list[dict[str, str]]:
    """Return ``parameters[]`` of a graph node; the type follows from the Python type of each value."""
    return [
        {"name": name, "value": as_text(value), "type": _TYPES[type(value)]} for name, value in values.items()
    ]


def as_text(value: Scalar) -> str:
    """Return a scalar as text for Seldon's servers: ``true`` or ``false``, numbers as in JSON."""
    return value if isinstance(value, str) else json.dumps(value)


def environment(values: Mapping[str, Scalar] | list[dict[str, object]]) -> list[dict[str, object]]:
    """Return ``env`` of a container, from names and values or from a list that already has that format."""
    if isinstance(values, Mapping):
        return [{"name": name, "value": as_text(value)} for name, value in values.items()]
    return [dict(variable) for variable in values]
