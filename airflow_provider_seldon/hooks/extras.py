"""The extra fields of a connection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

#: How Airflow before 2.3 stored the fields of a form.
PREFIX = "extra__kubernetes__"


def extras_of(connection: Connection) -> dict[str, Any]:
    """Return the extra fields of a connection."""
    return dict(connection.extra_dejson or {})


def field(extras: Mapping[str, Any], name: str) -> Any:
    """Return a field, None where it is missing or empty; an older Airflow stored it with a prefix."""
    return extras.get(name, extras.get(f"{PREFIX}{name}")) or None
