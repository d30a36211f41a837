"""
The extra fields of a connection: misspelt fields and invalid JSON are refused, not ignored.

Airflow ignores them, and then silently uses the worker's default cluster and namespace, which may be
production. No value is quoted: any may be a credential.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_seldon.core.values.suggestion import nearest, unknown
from airflow_provider_seldon.exceptions import ConnectionConfigError
from airflow_provider_seldon.get_provider_info import connection_fields

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

log = logging.getLogger(__name__)

#: Prefixes under which Airflow stores the fields of a form: before 2.3 always, in 2.11 when the form's *Test*
#: sends them.
PREFIXES = ("extra__seldon__", "extra__kubernetes__")
#: Further fields of a connection of type ``kubernetes`` (apache-airflow-providers-cncf-kubernetes 10.25), for its pods.
KUBERNETES = (
    "xcom_sidecar_container_image",
    "xcom_sidecar_container_resources",
    "xcom_sidecar_container_security_context",
)
FLAGS = ("in_cluster", "disable_verify_ssl", "disable_tcp_keepalive")
TRUE, FALSE = ("true", "1", "yes", "on"), ("false", "0", "no", "off", "none", "")
#: Not only text: a kubeconfig is checked where it is read, and ``ingress_verify`` may be of two types.
NOT_TEXT = (*FLAGS, *KUBERNETES, "kube_config", "ingress_verify")


def extras_of(connection: Connection) -> dict[str, Any]:
    """
    Return the extra fields of a connection.

    In a connection of type ``kubernetes``, which others use as well, a field that resembles none of ours is
    ignored with a warning.

    :raises ConnectionConfigError: they are not a JSON object, or one is unknown or has a value of the wrong
        type.
    """
    raw = connection.extra
    if not isinstance(raw, str) or not raw.strip():
        return {}
    _check_text(raw)
    extras = dict(connection.extra_dejson or {})  # asks Airflow, because it masks what it reads
    known = [*connection_fields(), *KUBERNETES]
    for name, value in extras.items():
        plain = _plain(name)
        if plain in known:
            _check_value(plain, value)
        elif connection.conn_type == "kubernetes" and nearest(plain, known) is None:
            log.warning(
                "The extra field %.60r of the connection is unknown to this provider and is ignored", name
            )
        else:
            raise ConnectionConfigError(
                f"The connection cannot be used: {unknown('extra', plain[:60], known, noun='extra field')}"
            )
    return extras


def field(extras: Mapping[str, Any], name: str) -> Any:
    """Return a field, None if it is missing or empty; older Airflow versions stored it with a prefix."""
    stored = (name, *(f"{prefix}{name}" for prefix in PREFIXES))
    return next((extras[key] for key in stored if key in extras), None) or None


def _plain(name: str) -> str:
    return next((name.removeprefix(prefix) for prefix in PREFIXES if name.startswith(prefix)), name)


def flag(extras: Mapping[str, Any], name: str, argument: bool | None) -> bool:
    """Return a field that is true or false, unless an argument overrides it."""
    value = argument if argument is not None else field(extras, name)
    return value.strip().lower() in TRUE if isinstance(value, str) else bool(value)


def _check_text(raw: str) -> None:
    problem = ""
    try:
        given = json.loads(raw)
    except (ValueError, RecursionError):
        problem = "not JSON"
    else:
        if not isinstance(given, dict | None):
            problem = f"a JSON {type(given).__name__}"
    if problem:
        raise ConnectionConfigError(
            f"The connection cannot be used: its extra is {problem}; give one JSON object, such as "
            '{"kube_config_path": "/etc/airflow/kubeconfig"}'
        )


def _check_value(name: str, value: Any) -> None:
    if value is None:
        return
    if name in FLAGS:
        word = str(value).strip().lower() if isinstance(value, bool | str | int) else "?"
        if word not in (*TRUE, *FALSE):
            raise ConnectionConfigError(
                f"The connection cannot be used: {name} is neither true nor false; give one of them"
            )
    elif name == "ingress_verify" and not isinstance(value, bool | str):
        raise ConnectionConfigError(
            f"The connection cannot be used: {name} is a {type(value).__name__}; give true, false or the "
            "path of a CA bundle"
        )
    elif name not in NOT_TEXT and not isinstance(value, str):
        raise ConnectionConfigError(
            f"The connection cannot be used: {name} is a {type(value).__name__}; give a string"
        )
