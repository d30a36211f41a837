"""Kubernetes quantities: ``100m``, ``1Gi``. Pure.

Source: Kubernetes API reference, ``Quantity``.
"""

from __future__ import annotations

import re

_SUFFIXES = {
    "": 1.0,
    "n": 1e-9,
    "u": 1e-6,
    "m": 1e-3,
    "k": 1e3,
    "M": 1e6,
    "G": 1e9,
    "T": 1e12,
    "P": 1e15,
    "E": 1e18,
} | {f"{letter}i": 1024.0**power for power, letter in enumerate("KMGTPE", start=1)}


def quantity(text: str | int | float) -> float:
    """A quantity as a number: ``100m`` is 0.1, ``1Gi`` is 1073741824.

    :raises ValueError: it is not a quantity
    """
    match = re.fullmatch(r"([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)([A-Za-z]*)", str(text).strip())
    if match is None or match[2] not in _SUFFIXES:
        raise ValueError(f"{text!r} is not a quantity")
    return float(match[1]) * _SUFFIXES[match[2]]


def same_quantity(one: object, other: object) -> bool:
    """Whether two texts have the same value: the API server writes ``0.5`` as ``500m``."""
    try:
        return quantity(str(one)) == quantity(str(other))
    except ValueError:
        return one == other
