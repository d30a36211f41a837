"""
Storage credentials -> rclone settings of a Secret.

Seldon's storage initializer is rclone; it reads ``RCLONE_CONFIG_<REMOTE>_<OPTION>`` variables, and the remote is
the lower-cased scheme of the model URI (Seldon Core reference, storage and secrets). So the variables are made
for the schemes that a deployment really uses: ``az://`` needs ``RCLONE_CONFIG_AZ_*``, not ``..._AZUREBLOB_*``.

Input is plain data of an Airflow connection, so that this module needs neither Airflow nor a cloud's library.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_seldon.core.errors import InvalidRequestError, Problem

#: Schemes that need no credentials of a cloud: volumes, and what the initializer reads as it is.
WITHOUT_CREDENTIALS = frozenset({"", "pvc", "file", "http", "https"})


_CREDENTIALS = ("_KEY", "_TOKEN", "_SERVICE_ACCOUNT_CREDENTIALS", "_SAS_URL", "_PASS", "_PASSWORD", "_SECRET")


@dataclass(frozen=True, kw_only=True)
class StorageConnection:
    """
    The parts of an Airflow connection that storage credentials are made of.

    :param conn_id: shown in errors.
    :param conn_type: ``aws``, ``google_cloud_platform``, ``wasb``, ... as Airflow names it.
    """

    conn_id: str
    conn_type: str
    login: str | None = None
    password: str | None = field(default=None, repr=False)
    host: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)


def is_credential(variable: str) -> bool:
    """Tell whether the value of an rclone variable must not be shown."""
    return variable.endswith(_CREDENTIALS)


def scheme_of(model_uri: str | None) -> str:
    """Return the lower-cased scheme of a model URI; "" for a path or None. ``s3:bucket/x`` counts as ``s3``."""
    return urlsplit(model_uri).scheme.lower() if model_uri else ""


def rclone_settings(connection: StorageConnection, schemes: Collection[str]) -> dict[str, str]:
    """
    Return the environment variables that let rclone read the given schemes with this connection.

    :param schemes: schemes of the model URIs; those that need no credentials are passed over.
    :raises InvalidRequestError: a scheme that a connection of this type cannot serve, or an incomplete connection.
    """
    settings: dict[str, str] = {}
    for scheme in sorted(set(schemes) - WITHOUT_CREDENTIALS):
        options = _options(connection, scheme)
        remote = f"RCLONE_CONFIG_{scheme.upper().replace('-', '_')}_"
        settings |= {remote + option: value for option, value in options.items() if value}
    return settings


def secret_name(settings: Mapping[str, str]) -> str:
    """
    Return a Secret's name that ends in a hash of its content.

    A rotated credential gives another name, so the pods that use it are rolled.
    """
    content = json.dumps(dict(settings), sort_keys=True, separators=(",", ":"))
    return f"seldon-storage-{hashlib.sha256(content.encode()).hexdigest()[:10]}"


def _options(connection: StorageConnection, scheme: str) -> dict[str, str]:
    for schemes, conn_types, build in _BUILDERS:
        if scheme in schemes and connection.conn_type in conn_types:
            return build(connection)
    plain = {
        key.removeprefix("rclone_").upper(): str(value)
        for key, value in connection.extra.items()
        if key.startswith("rclone_")
    }
    if plain.get("TYPE"):
        return plain
    raise InvalidRequestError(
        [
            Problem(
                field="storage_conn_id",
                message=f"connection {connection.conn_id!r} of type {connection.conn_type!r} cannot give "
                f"credentials for {scheme}:// model URIs",
                fix="use a connection of type aws (s3://), google_cloud_platform (gs://, gcs://) or wasb "
                "(az://, abfs://, wasb://), or one with rclone_type and further rclone_* extras",
            )
        ]
    )


def _s3(connection: StorageConnection) -> dict[str, str]:
    extra = connection.extra
    endpoint = extra.get("endpoint_url") or _service_endpoint(extra, "s3")
    key = connection.login or extra.get("aws_access_key_id")
    return {
        "TYPE": "s3",
        "PROVIDER": "Minio" if endpoint else "AWS",
        # Without keys the pod's own role (IRSA, instance profile) is used.
        "ENV_AUTH": "false" if key else "true",
        "ACCESS_KEY_ID": str(key or ""),
        "SECRET_ACCESS_KEY": str(connection.password or extra.get("aws_secret_access_key") or ""),
        "SESSION_TOKEN": str(extra.get("aws_session_token") or ""),
        "REGION": str(extra.get("region_name") or ""),
        "ENDPOINT": str(endpoint or ""),
    }


def _service_endpoint(extra: Mapping[str, Any], service: str) -> str | None:
    config = (extra.get("service_config") or {}).get(service) or {}
    return config.get("endpoint_url")


def _google(connection: StorageConnection) -> dict[str, str]:
    extra = {
        key.removeprefix("extra__google_cloud_platform__"): value for key, value in connection.extra.items()
    }
    key = extra.get("keyfile_dict")
    text = key if isinstance(key, str) else json.dumps(key) if key else ""
    return {
        "TYPE": "google cloud storage",
        "SERVICE_ACCOUNT_CREDENTIALS": text,
        "SERVICE_ACCOUNT_FILE": "" if text else str(extra.get("key_path") or ""),
        "ANONYMOUS": str(bool(extra.get("is_anonymous"))).lower(),
        # Workload identity: neither a key nor anonymous.
        "ENV_AUTH": "" if text or extra.get("key_path") or extra.get("is_anonymous") else "true",
        "PROJECT_NUMBER": str(extra.get("project") or ""),
    }


def _azure(connection: StorageConnection) -> dict[str, str]:
    extra = connection.extra
    sas = str(extra.get("sas_token") or "")
    return {
        "TYPE": "azureblob",
        "ACCOUNT": str(connection.login or extra.get("account_name") or ""),
        "KEY": "" if sas else str(connection.password or extra.get("account_key") or ""),
        "SAS_URL": sas if sas.startswith("https://") else "",
        "USE_MSI": "true" if extra.get("managed_identity_client_id") else "",
        "MSI_CLIENT_ID": str(extra.get("managed_identity_client_id") or ""),
    }


_BUILDERS: tuple[
    tuple[frozenset[str], frozenset[str], Callable[[StorageConnection], dict[str, str]]], ...
] = (
    (frozenset({"s3", "s3a", "s3n", "minio"}), frozenset({"aws", "s3"}), _s3),
    (frozenset({"gs", "gcs"}), frozenset({"google_cloud_platform", "gcp"}), _google),
    (frozenset({"az", "abfs", "abfss", "wasb", "wasbs", "azureblob"}), frozenset({"wasb", "adls"}), _azure),
)
