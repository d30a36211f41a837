"""
Model URIs for the storage initializer: without credentials, and without ambiguous user info.

The initializer is rclone: the scheme names a remote, and what follows is the bucket or container and a path.
For rclone, the text before an ``@`` is part of the bucket's name. In Azure's own URIs it is the container; in
Airflow's ``ObjectStoragePath`` it is a connection's id; in HTTP it is a login.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import parse_qsl, urlsplit

from airflow_provider_seldon.core.credentials.words import names_credential
from airflow_provider_seldon.core.invalid_request import Problem

#: Schemes in which a container stands before the ``@``.
AZURE = frozenset({"wasb", "wasbs", "abfs", "abfss", "az", "adl"})
_AZURE_HOST = re.compile(r"[a-z0-9]{3,24}\.(blob|dfs)\.[a-z0-9.-]+\Z")
_CONTAINER = re.compile(r"[$a-z0-9][-a-z0-9]{0,62}\Z")
#: Query fields of signed URLs (Azure SAS, AWS Signature V4 and V2, Google Cloud Storage).
_SIGNATURES = frozenset(
    {
        *("sig", "signature", "x-amz-signature", "x-amz-credential", "x-amz-security-token"),
        *("x-goog-signature", "x-goog-credential", "awsaccesskeyid", "googleaccessid", "sas"),
    }
)
#: Results of a template with a missing value.
_RENDERED_FROM_NOTHING = frozenset({"None", "nan", "undefined"})
_SECRET = "put credentials into a Secret (secret_name), or name an Airflow connection (storage_conn_id)"


def served_uri(uri: str) -> str:
    """
    Return a model URI in rclone's form, if its meaning is clear; any other stays as it is.

    ``wasbs://container@account.blob.core.windows.net/iris`` becomes ``wasbs://container/iris``; the
    credentials determine the account.
    """
    try:
        parts = urlsplit(uri)
        container, account = parts.username, parts.hostname or ""
        usable = parts.password is None and parts.port is None and not parts.query and not parts.fragment
    except ValueError:
        return uri
    if parts.scheme.lower() not in AZURE or not container or not usable:
        return uri
    if not _CONTAINER.match(container) or not _AZURE_HOST.match(account.lower()):
        return uri
    return f"{parts.scheme}://{container}{parts.path}"


def problems(uri: str, field: str) -> Iterator[Problem]:
    """Yield problems of a model URI; nothing that may be a credential is quoted."""
    if uri.strip() in _RENDERED_FROM_NOTHING:
        yield Problem(
            field, f"is the text {uri.strip()!r}", "check its template: did the task before push it"
        )
        return
    try:
        parts = urlsplit(uri)
        login, password, host = parts.username, parts.password, parts.hostname or ""
    except ValueError:
        yield Problem(field, "is not a URI", "give it as scheme://bucket/path")
        return
    scheme = parts.scheme.lower()
    if password is not None:
        yield Problem(field, "contains a password", _SECRET)
    elif login is not None and scheme in ("http", "https"):
        yield Problem(field, "contains a login or a token", _SECRET)
    elif login is not None and scheme in AZURE:
        fix = "give it as scheme://container/path; the account is that of the connection or Secret"
        yield Problem(field, "names an account that is none of Azure's", fix)
    elif login is not None:
        fix = (
            f"give it as {scheme}://{host}{parts.path}, and the connection as the extra storage_conn_id of "
            "the Seldon connection"
        )
        yield Problem(
            field, "has a connection's id or a login before the bucket, which rclone takes for its name", fix
        )
    names = [name for part in (parts.query, parts.fragment) for name, _ in parse_qsl(part)]
    if any(name.lower() in _SIGNATURES or names_credential(name) for name in names):
        yield Problem(field, "contains a signature or a token", _SECRET)
