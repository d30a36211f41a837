"""
Public facts about a running version: the origin of its model, without credentials.

Other systems store asset events and OpenLineage events and show them to all users, so every URL in them goes
through :func:`without_credentials`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from airflow_provider_seldon.core.request.model_metrics import RecordedMetrics
from airflow_provider_seldon.core.rollout.history import ProvenVersion
from airflow_provider_seldon.core.rollout.model_server_info import ModelServerInfo

_MODEL_URIS = ("modelUri", "model_uri")
_WEB = ("http", "https")


def without_credentials(uri: str) -> str:
    """
    Return a URI without parts that may be secret: login and password, query (signatures), fragment.

    A name before an ``@`` that is not a login stays: ``abfss://container@account/path``.
    """
    parts = urlsplit(uri)
    login, at, host = parts.netloc.rpartition("@")
    if at and (":" in login or parts.scheme in _WEB):
        parts = parts._replace(netloc=host)
    return urlunsplit(parts._replace(query="", fragment=""))


def event_extra(info: ModelServerInfo, proven: str) -> dict[str, Any]:
    """
    Return the ``extra`` of an asset event, in values that JSON can hold.

    :param info: the running version.
    :param proven: its record, as ``ProvenVersion.to_json`` gives it; "" for none.
    """
    return {
        "namespace": info.namespace,
        "name": info.name,
        "model_name": info.model_name,
        "revision": info.revision,
        "model_uri": without_credentials(info.model_uri),
        "prediction_url": without_credentials(info.prediction_url),
        "action": info.action,
        "metrics": dict(RecordedMetrics.from_json(ProvenVersion.from_json(proven).metrics).values),
    }


def model_uris(info: ModelServerInfo, proven: str) -> list[str]:
    """Return the model URIs of a version, each once: a graph has several."""
    found = _uris(ProvenVersion.from_json(proven).config)
    return list(dict.fromkeys(without_credentials(uri) for uri in (info.model_uri, *found) if uri))


def lineage_name(uri: str) -> tuple[str, str]:
    """
    Return the OpenLineage namespace and name of a file or folder.

    The namespace is scheme and authority, the name is the path (OpenLineage naming conventions); a path without a
    scheme is in the namespace ``file``.
    """
    parts = urlsplit(uri)
    if parts.scheme in ("", "file"):
        return "file", parts.path.rstrip("/") or "/"
    return f"{parts.scheme}://{parts.netloc}", parts.path.strip("/") or "/"


def _uris(config: Any) -> Iterator[str]:
    if isinstance(config, Mapping):
        for key, value in config.items():
            if key in _MODEL_URIS and isinstance(value, str):
                yield value
            else:
                yield from _uris(value)
    elif isinstance(config, list):
        for value in config:
            yield from _uris(value)
