"""
Read Kubernetes objects as received: plain JSON in which any field may be missing or invalid.

Objects of a watch are evaluated thousands of times a minute, so they are read in place instead of being
converted to models. A field of the wrong type counts as absent; nothing here raises.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

#: What the API server sends: a parsed JSON object.
Object = Mapping[str, Any]

_EMPTY: Object = {}


class HasManifest(Protocol):
    """A model of an object, such as ``SeldonDeployment``."""

    def to_manifest(self) -> dict[str, Any]:
        """Return the object as plain JSON data."""


def as_manifest(given: HasManifest | Object) -> Object:
    """Return the plain manifest of an object, given as a model or as what the API server sent."""
    return given if isinstance(given, Mapping) else given.to_manifest()


def mapping_at(value: Any, *path: str) -> Object:
    """Return the mapping at ``path``; empty when there is none."""
    found = value_at(value, *path)
    return found if type(found) is dict or isinstance(found, Mapping) else _EMPTY


def items_at(value: Any, *path: str) -> list[Object]:
    """Return the mappings in the list at ``path``; empty when there is no list."""
    found = value_at(value, *path)
    if type(found) is not list and (not isinstance(found, Sequence) or isinstance(found, str | bytes)):
        return []
    return [item for item in found if type(item) is dict or isinstance(item, Mapping)]


def text_at(value: Any, *path: str) -> str:
    """Return the text at ``path``, or an empty one."""
    found = value_at(value, *path)
    return found if isinstance(found, str) else ""


def number_at(value: Any, *path: str) -> int | None:
    """Return the whole number at ``path``, or None."""
    found = value_at(value, *path)
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def count_at(value: Any, *path: str) -> int:
    """Return the whole number at ``path``; Kubernetes leaves zeroes out of a status, so absent is 0."""
    return number_at(value, *path) or 0


def value_at(value: Any, *path: str) -> Any:
    """Return whatever is at ``path``, or None."""
    for key in path:
        # Objects from the API server are dicts; a check against the abstract class takes ten times as long.
        if type(value) is not dict and not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def name_of(value: Object) -> str:
    """Return ``metadata.name``, or an empty text."""
    return text_at(value, "metadata", "name")


def condition(value: Object, kind: str) -> Object:
    """Return the entry of ``status.conditions`` with that type; empty when there is none."""
    return next((one for one in items_at(value, "status", "conditions") if one.get("type") == kind), _EMPTY)


def controller(value: Object) -> Object:
    """Return the owner reference with ``controller: true``; empty when there is none."""
    owners = items_at(value, "metadata", "ownerReferences")
    return next((owner for owner in owners if owner.get("controller") is True), _EMPTY)


def seconds_at(value: Any, *path: str) -> float | None:
    """Return the RFC 3339 time at ``path`` as seconds since the epoch, or None."""
    try:
        return datetime.fromisoformat(text_at(value, *path)).timestamp()
    except (ValueError, OverflowError):
        return None


def utc_at(seconds: float | None) -> datetime | None:
    """Return epoch seconds as a time in UTC; None without them, or if no calendar has that time."""
    try:
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
    # Which of them depends on the platform (Python, ``datetime.fromtimestamp``).
    except (ValueError, OverflowError, OSError):
        return None
