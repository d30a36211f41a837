"""The service orchestrator's container, and the certificate that it may share with its units. Pure.

Source: Seldon Core reference, sections 3.2 and 6; arguments and security context were seen on the real operator.
"""

from __future__ import annotations

import base64
from typing import Any

from airflow_provider_seldon.local.apiserver.protocol.quantities import canonical_amount
from airflow_provider_seldon.local.client.kinds import Manifest
from airflow_provider_seldon.local.controllers.children.defaults import PODINFO_VOLUME
from airflow_provider_seldon.local.controllers.children.servers import ENGINE_IMAGE
from airflow_provider_seldon.local.controllers.errors import ComponentError
from airflow_provider_seldon.local.controllers.manifests import canonical, clone, dig, name_of, namespace_of

ENGINE = "seldon-container-engine"
ENGINE_HTTP_PORT = 8000
ENGINE_GRPC_PORT = 5001
PROMETHEUS_PATH = "/prometheus"

_ENV_PREFIX = "seldon.io/engine-"
_ANNOTATION_LOG_BUFFER = "seldon.io/executor-logger-queue-size"
_ANNOTATION_LOG_TIMEOUT = "seldon.io/executor-logger-write-timeout-ms"
_CERTIFICATE_PATH = "/cert/"
_CERTIFICATE_VOLUME = "seldon-cert-volume"
_KEPT_EMPTY = frozenset({"resources", "emptyDir", "securityContext"})
_PROBE = {
    "initialDelaySeconds": 20,
    "periodSeconds": 5,
    "timeoutSeconds": 60,
    "successThreshold": 1,
    "failureThreshold": 3,
}


def engine_predictor(predictor: Manifest) -> str:
    """
    Value of ``ENGINE_PREDICTOR``: the predictor without fields that must not roll its pods.

    Its containers are those of that moment, with all additions of the operator, in Go's notation: no empty
    fields, quantities in canonical form.
    """
    shown = _as_go_writes({key: value for key, value in predictor.items() if key != "explainer"})
    shown.pop("traffic", None)  # zero, and zero is left out
    for component in shown.get("componentSpecs") or []:
        component["metadata"] = (component.get("metadata") or {}) | {"creationTimestamp": None}
        for kind in ("containers", "initContainers"):
            for container in dig(component, "spec", kind, default=[]):
                container.setdefault("resources", {})
    shown |= {"engineResources": shown.get("engineResources") or {}, "replicas": 0}
    shown.setdefault("svcOrchSpec", {})
    return base64.b64encode(canonical(shown).encode()).decode()


def _as_go_writes(value: Any) -> Any:
    if isinstance(value, dict):
        shown = {key: _as_go_writes(entry) for key, entry in value.items()}
        for key in ("limits", "requests"):
            if isinstance(shown.get(key), dict):
                shown[key] = {name: canonical_amount(amount) for name, amount in shown[key].items()}
        return {
            key: entry
            for key, entry in shown.items()
            if entry is not None and (key in _KEPT_EMPTY or entry not in ({}, []))
        }
    if isinstance(value, list):
        return [_as_go_writes(entry) for entry in value]
    return value


def engine_container(deployment: Manifest, predictor: Manifest) -> Manifest:
    """
    The service orchestrator of a predictor.

    :raises ComponentError: an annotation for its request log is not a number
    """
    orchestrator = predictor.get("svcOrchSpec") or {}
    env = [
        {"name": "ENGINE_PREDICTOR", "value": engine_predictor(predictor)},
        {"name": "REQUEST_LOGGER_DEFAULT_ENDPOINT", "value": "http://default-broker"},
        *clone(orchestrator.get("env") or []),
    ]
    named = {entry["name"] for entry in env[2:]}
    annotations = dig(deployment, "spec", "annotations", default={})
    for key in sorted(annotations):
        name = key.removeprefix(_ENV_PREFIX).replace("-", "_").upper()
        if key.startswith(_ENV_PREFIX) and key != f"{_ENV_PREFIX}separate-pod" and name not in named:
            env.append({"name": name, "value": annotations[key]})
    scheme = "HTTPS" if dig(predictor, "ssl", "certSecretName") else "HTTP"
    return {
        "name": ENGINE,
        "image": ENGINE_IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "args": _arguments(deployment, predictor, annotations),
        "env": env,
        "ports": [
            {"name": "http", "containerPort": ENGINE_HTTP_PORT, "protocol": "TCP"},
            {"name": "metrics", "containerPort": ENGINE_HTTP_PORT, "protocol": "TCP"},
            {"name": "grpc", "containerPort": ENGINE_GRPC_PORT, "protocol": "TCP"},
        ],
        "readinessProbe": {"httpGet": _http("/ready", scheme)} | _PROBE,
        "livenessProbe": {"httpGet": _http("/live", scheme)} | _PROBE,
        "resources": clone(orchestrator.get("resources"))
        or {
            "requests": {"cpu": "500m", "memory": "512Mi"},
            "limits": {"cpu": "500m", "memory": "512Mi"},
        },
        "securityContext": {"runAsUser": 8888, "allowPrivilegeEscalation": False},
        "volumeMounts": [{"name": PODINFO_VOLUME, "mountPath": "/etc/podinfo"}],
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
    }


def _arguments(deployment: Manifest, predictor: Manifest, annotations: Manifest) -> list[str]:
    return [
        *("--sdep", name_of(deployment), "--namespace", namespace_of(deployment)),
        *("--predictor", predictor["name"]),
        *("--http_port", str(ENGINE_HTTP_PORT), "--grpc_port", str(ENGINE_GRPC_PORT)),
        *("--protocol", dig(deployment, "spec", "protocol", default="") or "seldon"),
        *("--transport", dig(deployment, "spec", "transport", default="") or "rest"),
        *("--prometheus_path", PROMETHEUS_PATH),
        *("--server_type", dig(deployment, "spec", "serverType", default="") or "rpc"),
        *("--log_work_buffer_size", _number(annotations.get(_ANNOTATION_LOG_BUFFER, "10000"))),
        *("--log_write_timeout_ms", _number(annotations.get(_ANNOTATION_LOG_TIMEOUT, "2000"))),
        "--full_health_checks=false",
    ]


def _number(text: str) -> str:
    try:
        int(text)
    except ValueError as error:
        raise ComponentError(f"Failed to parse {text} as integer") from error
    return text


def mount_certificate(child: Manifest, secret: str) -> None:
    """Mount a predictor's certificate into all containers of a Deployment, and set its path in variables."""
    pod = child["spec"]["template"]["spec"]
    pod["volumes"].append({"name": _CERTIFICATE_VOLUME, "secret": {"secretName": secret}})
    for container in pod["containers"]:
        mount = {"name": _CERTIFICATE_VOLUME, "mountPath": _CERTIFICATE_PATH, "readOnly": True}
        container["volumeMounts"] = [*(container.get("volumeMounts") or []), mount]
        variable = {"name": "SELDON_CERT_MOUNT_PATH", "value": _CERTIFICATE_PATH}
        container["env"] = [*(container.get("env") or []), variable]


def _http(path: str, scheme: str) -> Manifest:
    return {"path": path, "port": ENGINE_HTTP_PORT, "scheme": scheme}
