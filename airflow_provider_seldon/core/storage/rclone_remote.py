"""
An Airflow connection as the options of one rclone remote, cloud by cloud.

Field names are those of Airflow's own providers (amazon, google, microsoft-azure, http), option names those
of rclone 1.59, which Seldon's storage initializer contains, and later. Older rclone versions ignore options
that they do not know. Credentials that exist only on the worker (a profile, a role that the worker assumes)
cannot be passed to a pod, and are refused with an alternative.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.storage.storage_connection import StorageConnection

Options = dict[str, str]

#: Extra that names a file -> option for the file's content, which the caller reads.
FILES = {
    "rclone_service_account_file": "rclone_service_account_credentials",
    "rclone_key_file": "rclone_key_pem",
}


def remote_options(connection: StorageConnection, scheme: str) -> Options:
    """
    Return the options of the remote for a scheme; empty ones must not be set.

    :raises InvalidRequestError: the connection does not support the scheme.
    """
    plain = _plain(connection)
    if plain.get("TYPE"):
        return plain
    for schemes, conn_types, build in _BUILDERS:
        if scheme in schemes and connection.conn_type in conn_types:
            return build(connection)
    if scheme in _HTTP:
        return _http(connection, scheme)
    raise _refused(
        connection,
        f"of type {connection.conn_type!r} cannot give credentials for {scheme}:// model URIs",
        "use a connection of type aws (s3://), google_cloud_platform (gs://, gcs://), wasb (az://, abfs://, "
        "wasb://) or http, or one with rclone_type and further rclone_* extras",
    )


def _plain(connection: StorageConnection) -> Options:
    given = {key: value for key, value in connection.extra.items() if key.startswith("rclone_")}
    for key in given:
        if key.endswith("_file"):
            raise _refused(
                connection,
                f"names a file in {key}, which the pod does not have",
                "give its content: rclone_service_account_credentials, or rclone_key_pem",
            )
    return {
        key.removeprefix("rclone_").upper(): str(value).lower() if isinstance(value, bool) else str(value)
        for key, value in given.items()
    }


def _s3(connection: StorageConnection) -> Options:
    endpoint = _s3_endpoint(connection)
    key, secret, token = _aws_keys(connection)
    unsigned = _mapping(connection.option("config_kwargs")).get("signature_version") == "unsigned"
    if connection.option("profile_name") and not key:
        raise _refused(
            connection,
            "names a profile, which exists only where Airflow runs",
            "give the access key itself, or leave both out and let the pods' service account bear the role",
        )
    if connection.option("role_arn") and key:
        raise _refused(
            connection,
            "names a role to assume with its keys, which the storage initializer cannot do",
            "give keys that may read the bucket, or leave them out and let the pods' service account bear "
            "the role",
        )
    return {
        "TYPE": "s3",
        "PROVIDER": "Minio" if endpoint else "AWS",
        # Without keys the pod's own role (IRSA, instance profile) is used.
        "ENV_AUTH": "false" if key or unsigned else "true",
        "ACCESS_KEY_ID": key,
        "SECRET_ACCESS_KEY": secret,
        "SESSION_TOKEN": token,
        "REGION": connection.text("region_name"),
        "ENDPOINT": endpoint,
        "FORCE_PATH_STYLE": "false" if _virtual_hosts(connection) else "",
    }


def _aws_keys(connection: StorageConnection) -> tuple[str, str, str]:
    """Return key id, secret and token, from the same fields, in the order of Airflow's amazon provider."""
    session = _mapping(connection.option("session_kwargs"))
    token = connection.text("aws_session_token") or str(session.get("aws_session_token") or "")
    if connection.login and connection.password:
        return connection.login, connection.password, token
    for source in (connection.extra, session):
        key, secret = source.get("aws_access_key_id"), source.get("aws_secret_access_key")
        if key and secret:
            return str(key), str(secret), token
    return "", "", ""


def _s3_endpoint(connection: StorageConnection) -> str:
    """Return the service's own endpoint, which overrides the general one, or "" for Amazon's."""
    service = _mapping(_mapping(connection.option("service_config")).get("s3"))
    return str(service.get("endpoint_url") or connection.option("endpoint_url") or "")


def _virtual_hosts(connection: StorageConnection) -> bool:
    options = _mapping(_mapping(connection.option("config_kwargs")).get("s3"))
    return options.get("addressing_style") == "virtual"


def _google(connection: StorageConnection) -> Options:
    key = connection.option("keyfile_dict")
    text = key if isinstance(key, str) else json.dumps(key) if key else ""
    anonymous = str(connection.option("is_anonymous")).lower() == "true"
    for field in ("key_path", "key_secret_name", "credential_config_file"):
        if connection.option(field) and not (text or anonymous):
            raise _refused(
                connection,
                f"has its key elsewhere ({field}), and it could not be read from there",
                "give keyfile_dict, or leave both out and let the pods' service account bear the identity",
            )
    return {
        "TYPE": "google cloud storage",
        "SERVICE_ACCOUNT_CREDENTIALS": "" if anonymous else text,
        # The initializer's image sets anonymous for gs; without this, neither a key nor an identity would be
        # used.
        "ANONYMOUS": str(anonymous).lower(),
        # Workload identity: neither a key nor anonymous. rclone before 1.62 detects it by itself.
        "ENV_AUTH": "" if text or anonymous else "true",
    }


def _azure(connection: StorageConnection) -> Options:
    parts = _connection_string(connection.text("connection_string"))
    account = parts.get("AccountName") or _account(connection)
    service = parts.get("BlobEndpoint") or _account_url(connection, account)
    tenant = connection.text("tenant_id")
    sas = parts.get("SharedAccessSignature") or connection.text("sas_token")
    options = {"TYPE": "azureblob", "ACCOUNT": account}
    if parts.get("AccountKey"):
        return options | {"KEY": parts["AccountKey"]}
    if tenant and not parts:
        return options | {
            "TENANT": tenant,
            "CLIENT_ID": connection.login or "",
            "CLIENT_SECRET": connection.password or "",
        }
    if (key := connection.text("shared_access_key")) and not parts:
        return options | {"KEY": key}
    if sas:
        return {"TYPE": "azureblob", "SAS_URL": _sas_url(sas, service)}
    if key := connection.password or connection.text("account_key"):
        return options | {"KEY": key}
    if not account:
        raise _refused(
            connection,
            "does not name the storage account",
            "give it as login or host, or give a connection_string",
        )
    identity = connection.text("managed_identity_client_id")
    federated = connection.option("workload_identity_tenant_id")
    return options | {
        # The pod's own identity: MSI for rclone before 1.61; later versions find MSI and workload identity
        # with ENV_AUTH.
        "ENV_AUTH": "" if identity and not federated else "true",
        "USE_MSI": "" if federated else "true",
        "MSI_CLIENT_ID": "" if federated else identity,
    }


def _account(connection: StorageConnection) -> str:
    host = connection.host or ""
    if host:
        return (urlsplit(host).netloc or host).partition(".")[0]
    # With a tenant the login is an application's id.
    login = "" if connection.option("tenant_id") else connection.login
    return login or connection.text("account_name")


def _account_url(connection: StorageConnection, account: str) -> str:
    host = connection.host or ""
    if urlsplit(host).netloc:
        return host.rstrip("/")
    return f"https://{host}" if "." in host else f"https://{account}.blob.core.windows.net"


def _sas_url(sas: str, service: str) -> str:
    if "://" in sas:
        return sas
    return f"{service.rstrip('/')}/?{sas.lstrip('/?')}"


def _connection_string(text: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in text.split(";") if "=" in part)
    return {key.strip(): value.strip() for key, _, value in pairs}


def _http(connection: StorageConnection, scheme: str) -> Options:
    # The rest of the model URI, //host/path, is resolved against this and replaces all but the scheme.
    return {"TYPE": "http", "URL": f"{scheme}://", "HEADERS": _authorization(connection)}


def _authorization(connection: StorageConnection) -> str:
    """Return the header of an http connection in rclone's form: name and value as one CSV record."""
    if connection.conn_type != "http":
        return ""
    value = connection.text("Authorization")
    if not value and connection.login:
        pair = f"{connection.login}:{connection.password or ''}"
        value = f"Basic {base64.b64encode(pair.encode()).decode()}"
    return f"Authorization,{value}" if value else ""


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _refused(connection: StorageConnection, message: str, fix: str) -> InvalidRequestError:
    return InvalidRequestError.of("storage_conn_id", f"connection {connection.conn_id!r} {message}", fix)


_HTTP = frozenset({"http", "https"})
_BUILDERS: tuple[tuple[frozenset[str], frozenset[str], Callable[[StorageConnection], Options]], ...] = (
    (frozenset({"s3", "s3a", "s3n", "minio"}), frozenset({"aws", "s3"}), _s3),
    (frozenset({"gs", "gcs"}), frozenset({"google_cloud_platform", "gcp"}), _google),
    (
        frozenset({"az", "adl", "abfs", "abfss", "wasb", "wasbs", "azureblob"}),
        frozenset({"wasb", "adls", "azure_data_lake"}),
        _azure,
    ),
)
