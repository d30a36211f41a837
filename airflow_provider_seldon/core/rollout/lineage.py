"""
What is told about a version that serves: where its model came from, and what of that is fit to be seen.

Asset events and OpenLineage events are stored by others and shown to everybody, so every URL in them goes through
:func:`without_credentials`.
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
    Return a URI without what may be secret: login and password, query (signatures), fragment.

    A name before an ``@`` that is no login stays: ``abfss://container@account/path``.
    """
    parts = urlsplit(uri)
    login, at, host = parts.netloc.rpartition("@")
    if at and (":" in login or parts.scheme in _WEB):
        parts = parts._replace(netloc=host)
    return urlunsplit(parts._replace(query="", fragment=""))


def event_extra(info: ModelServerInfo, proven: str) -> dict[str, Any]:
    """
    Return the ``extra`` of an asset event, in values that JSON can hold.

    :param info: what serves.
    :param proven: what was recorded about it, as ``ProvenVersion.to_json`` gives it; "" for nothing.
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
    """Return where the models of a version come from, each once: a graph has several."""
    found = _uris(ProvenVersion.from_json(proven).config)
    return list(dict.fromkeys(without_credentials(uri) for uri in (info.model_uri, *found) if uri))


def lineage_name(uri: str) -> tuple[str, str]:
    """
    Return namespace and name under which OpenLineage knows a file or folder.

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
