"""The Airflow connection whose credentials become a storage Secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_seldon.core.storage.storage_connection import StorageConnection

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection


def storage_connection(conn_id: str, connection: Connection) -> StorageConnection:
    """Return the fields of an Airflow connection that are needed to reach the storage."""
    return StorageConnection(
        conn_id=conn_id,
        conn_type=connection.conn_type or "",
        login=connection.login,
        password=connection.password,
        host=connection.host,
        extra=connection.extra_dejson or {},
    )
