"""
Endpoints of a deployment: URLs per protocol, through the ingress and inside the cluster.

Paths are those of Seldon Core's engine (Seldon Core reference, calling a deployment). This module builds text
and sends nothing; ``payload`` builds and parses bodies, and its functions are re-exported here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import quote, urlsplit, urlunsplit

from airflow_provider_seldon.core.identity.object_name import checked_name, checked_namespace, checked_path
from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.prediction.payload import (
    UnexpectedResponseError,
    parse_response,
    request_body,
)

__all__ = [
    "ENGINE_PORT",
    "PROTOCOLS",
    "UnexpectedResponseError",
    "docs_url",
    "docs_url_of",
    "explain_url",
    "feedback_url",
    "health_url",
    "in_cluster_url",
    "metadata_url",
    "parse_response",
    "prediction_path",
    "prediction_url",
    "ready_url",
    "request_body",
    "service_name",
    "url_below",
    "without_credentials",
]

#: ``kfserving`` and ``v2`` are two names of the Open Inference Protocol.
PROTOCOLS = ("seldon", "v2", "kfserving", "tensorflow")

#: Valid characters of a URL: no white space, no control characters.
_URL_TEXT = re.compile(r"[\x21-\x7e]+\Z")
#: HTTP port of the engine in front of a predictor.
ENGINE_PORT = 8000

_V2 = {
    "predict": "/v2/models/{node}/infer",
    "metadata": "/v2/models/{node}",
    "health": "/v2/health/ready",
    "docs": "/v2/docs/",
    "explain": "/v2/models/{node}/infer",
}
_PATHS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "seldon": {
            "predict": "/api/v1.0/predictions",
            "feedback": "/api/v1.0/feedback",
            "metadata": "/api/v1.0/metadata",
            "health": "/api/v1.0/health/status",
            "docs": "/api/v1.0/doc/",
            "explain": "/api/v1.0/explain",
        },
        "v2": _V2,
        "kfserving": _V2,
        "tensorflow": {
            "predict": "/v1/models/{node}:predict",
            "feedback": "/api/v1.0/feedback",
            "metadata": "/v1/models/{node}/metadata",
            "health": "/v1/models/{node}",
            "explain": "/v1/models/{node}:explain",
        },
    }
)


def prediction_url(
    base_url: str, namespace: str, name: str, *, protocol: str = "seldon", node_name: str = "classifier"
) -> str:
    """
    Return the URL that takes prediction requests through the ingress gateway.

    :param base_url: URL of the ingress, e.g. ``https://models.example.com``, with or without a path. Login
        and password in it are left out, because the result is shown to all users.
    :param namespace: namespace of the deployment.
    :param name: name of the deployment.
    :param protocol: ``seldon`` (default), ``v2``, ``kfserving`` or ``tensorflow``.
    :param node_name: name of the graph node; part of the path in all protocols except ``seldon``.
    :raises InvalidRequestError: the protocol or the base URL is invalid.
    """
    return _ingress(base_url, namespace, name) + prediction_path(protocol, node_name)


def prediction_path(protocol: str = "seldon", node_name: str = "classifier") -> str:
    """Return the path of predictions, below the deployment's own path."""
    return _path(protocol, "predict", node_name)


def url_below(base_url: str, namespace: str, name: str, path: str) -> str:
    """
    Return the URL of a path below a deployment, such as ``/api/v1.0/metadata``.

    :raises InvalidRequestError: the path leads elsewhere, or a name is invalid.
    """
    return _ingress(base_url, namespace, name) + checked_path(path)


def feedback_url(base_url: str, namespace: str, name: str, *, protocol: str = "seldon") -> str:
    """Return the URL that takes feedback (rewards); the v2 protocol has none."""
    return _ingress(base_url, namespace, name) + _path(protocol, "feedback")


def metadata_url(
    base_url: str, namespace: str, name: str, *, protocol: str = "seldon", node_name: str = "classifier"
) -> str:
    """Return the URL of the model's metadata (of the whole graph in the seldon protocol)."""
    return _ingress(base_url, namespace, name) + _path(protocol, "metadata", node_name)


def health_url(
    base_url: str, namespace: str, name: str, *, protocol: str = "seldon", node_name: str = "classifier"
) -> str:
    """Return the URL of the health check of the model itself, not only of the engine."""
    return _ingress(base_url, namespace, name) + _path(protocol, "health", node_name)


def ready_url(base_url: str, namespace: str, name: str) -> str:
    """
    Return the URL of the engine's own readiness, the same in all protocols.

    It proves only that ports are open, not that a model is loaded (SeldonIO/seldon-core #5150).
    """
    return f"{_ingress(base_url, namespace, name)}/ready"


def docs_url(base_url: str, namespace: str, name: str, *, protocol: str = "seldon") -> str:
    """Return the URL of the OpenAPI page; the tensorflow protocol has none."""
    return _ingress(base_url, namespace, name) + _path(protocol, "docs")


def docs_url_of(url: str) -> str:
    """
    Return the URL of the OpenAPI page of a prediction URL; "" if its protocol has none.

    :param url: what :func:`prediction_url` returned, whatever the protocol; "" for none.
    """
    for paths in _PATHS.values():
        head, _, tail = paths["predict"].partition("{node}")
        at = url.rfind(head)
        if "docs" in paths and at >= 0 and url.endswith(tail or head):
            return url[:at] + paths["docs"]
    return ""


def explain_url(
    base_url: str,
    namespace: str,
    name: str,
    *,
    predictor_name: str = "default",
    protocol: str = "seldon",
    node_name: str | None = None,
) -> str:
    """
    Return the URL that takes explanation requests.

    :param predictor_name: the predictor whose explainer gets the requests.
    :param node_name: name of the explainer's model; by default that of the container that Seldon creates.
    """
    node = node_name or f"{name}-{predictor_name}-explainer"
    base = f"{_ingress(base_url, namespace, f'{name}-explainer')}/{quote(predictor_name, safe='')}"
    return base + _path(protocol, "explain", node)


def in_cluster_url(
    namespace: str,
    name: str,
    *,
    predictor_name: str = "default",
    protocol: str = "seldon",
    node_name: str = "classifier",
    port: int = ENGINE_PORT,
) -> str:
    """
    Return the URL of predictions from inside the cluster: one predictor's Service, without traffic split.

    :param port: 8000 is the engine's. Without an engine (annotation ``seldon.io/no-engine``) it is the
        model's own, by default 9000.
    """
    host = f"{service_name(name, predictor_name)}.{namespace}.svc.cluster.local"
    return f"http://{host}:{port}{_path(protocol, 'predict', node_name)}"


def service_name(name: str, predictor_name: str) -> str:
    """Return the name of a predictor's Service, if no annotation sets it and it fits in 63 characters."""
    return f"{name}-{predictor_name}"


def without_credentials(url: str) -> str:
    """Return a URL without login and password; "" if it is invalid."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def ingress_base(base_url: str) -> str:
    """
    Return the base URL of an ingress: without credentials, without a trailing slash.

    :raises InvalidRequestError: it is not an HTTP URL, or has more than a path.
    """
    fix = "give it as http(s)://host[:port][/path]"
    try:
        base = without_credentials(base_url.strip()).rstrip("/")
        parts = urlsplit(base)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    # The text around an @ may be a login with an unescaped character: not quoted.
    if not usable or "@" in base or not _URL_TEXT.match(base):
        raise InvalidRequestError.of("ingress_url", "is not an HTTP URL", f"{fix}; escape a login in it")
    if parts.query or parts.fragment:
        raise InvalidRequestError.of(
            "ingress_url", "has a query or a fragment", "give it as http(s)://host[:port][/path]"
        )
    return base


def _ingress(base_url: str, namespace: str, name: str) -> str:
    return f"{ingress_base(base_url)}/seldon/{checked_namespace(namespace)}/{checked_name(name)}"


def _path(protocol: str, purpose: str, node_name: str = "") -> str:
    paths = _PATHS.get(protocol)
    if paths is None:
        raise InvalidRequestError.of(
            "protocol", "Invalid protocol", f"use one of {', '.join(PROTOCOLS)}", value=protocol
        )
    if purpose not in paths:
        having = ", ".join(name for name in PROTOCOLS if purpose in _PATHS[name])
        raise InvalidRequestError.of(
            "protocol", f"the {protocol} protocol has no {purpose} endpoint", f"it exists in {having}"
        )
    # Dots alone are not a name of a model, and would lead elsewhere.
    node = "" if node_name in (".", "..") else quote(node_name, safe="")
    path = paths[purpose].replace("{node}", node)
    return path.replace("/models//infer", "/models/infer")  # the engine's alias for graphs of one node
