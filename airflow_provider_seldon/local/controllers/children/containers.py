"""What the operator adds to the container of every graph unit: ports, probes, pre-stop hook, environment. Pure.

Source: Seldon Core reference, section 3.2. The containers stay those of the predictor: additions are also in
the predictor that the engine is started with, as with the real operator, which shares them by accident.
"""

from __future__ import annotations

import json
from typing import Any

from airflow_provider_seldon.local.client.kinds import Manifest
from airflow_provider_seldon.local.controllers.children.engine import PROMETHEUS_PATH
from airflow_provider_seldon.local.controllers.children.servers import MODELS_PATH
from airflow_provider_seldon.local.controllers.manifests import clone, dig, name_of

PRE_STOP = {"preStop": {"exec": {"command": ["/bin/sh", "-c", "/bin/sleep 10"]}}}
PROBE_TIMES = {"periodSeconds": 5, "successThreshold": 1, "failureThreshold": 3, "timeoutSeconds": 1}


def complete_unit_container(
    container: Manifest, *, unit: Manifest, deployment: Manifest, predictor: Manifest
) -> None:
    """Add to a graph unit's container what every unit gets, whatever its server."""
    endpoint = unit["endpoint"]
    add_port(container, "http", endpoint["httpPort"])
    add_port(container, "grpc", endpoint["grpcPort"])
    handler = {"tcpSocket": {"port": endpoint["service_port"]}}
    container.setdefault("livenessProbe", handler | PROBE_TIMES | {"initialDelaySeconds": 60})
    container.setdefault("readinessProbe", clone(handler) | PROBE_TIMES | {"initialDelaySeconds": 20})
    container.setdefault("lifecycle", clone(PRE_STOP))
    env = container["env"] = list(container.get("env") or [])
    set_variable(env, "PREDICTIVE_UNIT_SERVICE_PORT", endpoint["service_port"])
    set_variable(env, "PREDICTIVE_UNIT_HTTP_SERVICE_PORT", endpoint["httpPort"])
    set_variable(env, "MLSERVER_HTTP_PORT", endpoint["httpPort"])
    set_variable(env, "PREDICTIVE_UNIT_GRPC_SERVICE_PORT", endpoint["grpcPort"])
    set_variable(env, "MLSERVER_GRPC_PORT", endpoint["grpcPort"])
    if unit.get("parameters"):
        set_variable(env, "PREDICTIVE_UNIT_PARAMETERS", parameters_text(unit["parameters"]))
    if unit.get("modelUri"):
        set_variable(env, "MLSERVER_MODEL_URI", MODELS_PATH)
    values: dict[str, Any] = {
        "PREDICTIVE_UNIT_ID": container["name"],
        "MLSERVER_MODEL_NAME": container["name"],
        "PREDICTIVE_UNIT_IMAGE": container.get("image", ""),
        "PREDICTOR_ID": predictor["name"],
        "PREDICTOR_LABELS": json.dumps(predictor["labels"], sort_keys=True, separators=(",", ":")),
        "SELDON_DEPLOYMENT_ID": name_of(deployment),
        "SELDON_EXECUTOR_ENABLED": "true",
    }
    metrics = next((port for port in container["ports"] if port.get("name") == "metrics"), None)
    if metrics is not None:
        for server in ("PREDICTIVE_UNIT_METRICS_SERVICE", "MLSERVER_METRICS"):
            values[f"{server}_PORT"] = metrics["containerPort"]
            values[f"{server.removesuffix('_SERVICE')}_ENDPOINT"] = PROMETHEUS_PATH
    for name, value in values.items():
        set_variable(env, name, value)


def set_variable(env: list[Manifest], name: str, value: Any, *, override: bool = False) -> None:
    """Add a variable in place; one that the user has set is kept unless ``override``."""
    entry = {"name": name, "value": str(value)} if str(value) else {"name": name}
    at = next((index for index, one in enumerate(env) if one["name"] == name), None)
    if at is None:
        env.append(entry)
    elif override:
        env[at] = entry


def parameters_text(parameters: list[Manifest]) -> str:
    """Value of ``PREDICTIVE_UNIT_PARAMETERS``."""
    shown = [{key: str(dig(one, key, default="")) for key in ("name", "value", "type")} for one in parameters]
    return json.dumps(shown, separators=(",", ":"))


def add_port(container: Manifest, name: str, number: int) -> int:
    """The container's port of that name; added if there is none."""
    ports = container["ports"] = list(container.get("ports") or [])
    for port in ports:
        if port.get("name") == name:
            return int(port["containerPort"])
    ports.append({"name": name, "containerPort": number, "protocol": "TCP"})
    return number
