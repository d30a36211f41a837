"""
Convert storage credentials to rclone settings in a Secret.

Seldon's storage initializer is rclone; it reads ``RCLONE_CONFIG_<REMOTE>_<OPTION>`` variables, and the remote
is the lower-cased scheme of the model URI (Seldon Core reference, storage and secrets). So the variables are
set for the schemes that a deployment actually uses: ``az://`` needs ``RCLONE_CONFIG_AZ_*``, not
``..._AZUREBLOB_*``.

Input is plain data of an Airflow connection, so that this module needs neither Airflow nor a cloud's library.
``rclone_remote`` maps a connection's fields to options; the caller reads files that a connection names,
because they exist only where Airflow runs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from urllib.parse import urlsplit

from airflow_provider_seldon.core.storage.rclone_remote import remote_options
from airflow_provider_seldon.core.storage.storage_connection import StorageConnection

#: Schemes that need no remote: volumes, and paths of the pod itself.
WITHOUT_CREDENTIALS = frozenset({"", "pvc", "file"})

_CREDENTIALS = (
    "_ACCESS_KEY",
    "_BEARER_TOKEN",
    "_CLIENT_SECRET",
    "_HEADERS",
    "_KEY",
    "_KEY_PEM",
    "_PASS",
    "_PASSWORD",
    "_SAS_URL",
    "_SECRET",
    "_SERVICE_ACCOUNT_CREDENTIALS",
    "_TOKEN",
)


def is_credential(variable: str) -> bool:
    """Return whether the value of an rclone variable must not be shown."""
    return variable.endswith(_CREDENTIALS)


def credentials_in(settings: Mapping[str, str]) -> Iterator[str]:
    """
    Yield every text that must not be shown, including parts of a credential that may appear alone.

    The private key of a service account is one line in the JSON text and several lines once decoded.
    """
    for variable, value in settings.items():
        if not is_credential(variable):
            continue
        yield value
        yield from _private_key(value)
        if variable.endswith("_SAS_URL"):
            yield urlsplit(value).query
        if variable.endswith("_HEADERS"):
            yield value.partition(",")[2]


def scheme_of(model_uri: str | None) -> str:
    """Return the lower-cased scheme of a model URI; "" for a path or None. ``s3:bucket/x`` counts as ``s3``."""
    return urlsplit(model_uri).scheme.lower() if model_uri else ""


def rclone_settings(connection: StorageConnection, schemes: Collection[str]) -> dict[str, str]:
    """
    Return the environment variables that let rclone read the given schemes with this connection.

    :param schemes: schemes of the model URIs; those that need no remote are ignored.
    :raises InvalidRequestError: the connection's type does not support a scheme, or the connection is
        incomplete.
    """
    settings: dict[str, str] = {}
    for scheme in sorted(set(schemes) - WITHOUT_CREDENTIALS):
        options = remote_options(connection, scheme)
        remote = f"RCLONE_CONFIG_{scheme.upper().replace('-', '_')}_"
        settings |= {remote + option: value for option, value in options.items() if value}
    return settings


def secret_name(settings: Mapping[str, str]) -> str:
    """
    Return a Secret's name that ends in a hash of its content.

    A rotated credential results in another name, so the pods that use it are rolled out again. The hash is
    not salted: its input contains a key of high entropy, which cannot be guessed.
    """
    content = json.dumps(dict(settings), sort_keys=True, separators=(",", ":"))
    return f"seldon-storage-{hashlib.sha256(content.encode()).hexdigest()[:10]}"


def _private_key(value: str) -> Iterator[str]:
    try:
        key = json.loads(value).get("private_key") if value.startswith("{") else None
    except (ValueError, AttributeError):
        return
    if isinstance(key, str) and key:
        yield key
        yield json.dumps(key)[1:-1]
        yield from (line for line in key.splitlines() if not line.startswith("-----"))
