"""The fields of an Airflow connection for storage credentials, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class StorageConnection:
    """
    The fields of an Airflow connection for storage credentials.

    :param conn_id: shown in errors.
    :param conn_type: ``aws``, ``google_cloud_platform``, ``wasb``, ... as Airflow names it.
    """

    conn_id: str
    conn_type: str
    login: str | None = None
    password: str | None = field(default=None, repr=False)
    host: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def option(self, name: str) -> Any:
        """Return an extra field by its name, or by the prefixed name of old connection forms."""
        prefixed = f"extra__{self.conn_type}__{name}"
        return self.extra.get(name) or self.extra.get(prefixed) or None

    def text(self, name: str) -> str:
        """Return an extra field as text; "" if it is missing."""
        value = self.option(name)
        return "" if value is None else str(value)
