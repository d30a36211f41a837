"""Containers of a child's pods: the engine, graph units with their environment, the initializer. Pure."""

from __future__ import annotations

import base64
import json
from typing import Any

from airflow_provider_seldon.local.api import Manifest

from .defaults import PODINFO_VOLUME
from .errors import ComponentError
from .manifests import canonical, clone, dig, name_of, namespace_of
from .servers import ENGINE_IMAGE, MODELS_PATH, SERVERS, STORAGE_INITIALIZER_IMAGE, protocol_key

ENGINE = "seldon-container-engine"
ENGINE_HTTP_PORT = 8000
ENGINE_GRPC_PORT = 5001
ANNOTATION_NO_STORAGE_INITIALIZER = "seldon.io/no-storage-initializer"

_PRE_STOP = {"preStop": {"exec": {"command": ["/bin/sh", "-c", "/bin/sleep 10"]}}}
_PROBE = {"periodSeconds": 5, "successThreshold": 1, "failureThreshold": 3}


def engine_predictor(predictor: Manifest) -> str:
    """Value of ``ENGINE_PREDICTOR``: the predictor without what must not roll its pods."""
    predictor = clone(predictor)
    predictor.pop("explainer", None)
    predictor.pop("traffic", None)  # zero, and zero is left out
    predictor["replicas"] = 0
    return base64.b64encode(canonical(predictor).encode()).decode()


def engine_container(deployment: Manifest, predictor: Manifest) -> Manifest:
    """The service orchestrator that answers for a predictor."""
    orchestrator = predictor.get("svcOrchSpec") or {}
    env = [
        {"name": "ENGINE_PREDICTOR", "value": engine_predictor(predictor)},
        {"name": "REQUEST_LOGGER_DEFAULT_ENDPOINT", "value": "http://default-broker"},
        *(orchestrator.get("env") or []),
    ]
    named = {entry["name"] for entry in env}
    annotations = dig(deployment, "spec", "annotations", default={})
    for key in sorted(annotations):
        prefix, _, rest = key.partition("seldon.io/engine-")
        name = rest.replace("-", "_").upper()
        if not prefix and rest and rest != "separate-pod" and name not in named:
            env.append({"name": name, "value": annotations[key]})
    probe = _PROBE | {"initialDelaySeconds": 20, "timeoutSeconds": 60}
    return {
        "name": ENGINE,
        "image": ENGINE_IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "args": [
            *("--sdep", name_of(deployment), "--namespace", namespace_of(deployment)),
            *("--predictor", predictor["name"]),
            *("--http_port", str(ENGINE_HTTP_PORT), "--grpc_port", str(ENGINE_GRPC_PORT)),
            *("--protocol", dig(deployment, "spec", "protocol", default="seldon")),
            *("--prometheus_path", "/prometheus"),
            *("--server_type", dig(deployment, "spec", "serverType", default="rpc")),
            "--full_health_checks=false",
        ],
        "env": env,
        "ports": [
            {"name": "http", "containerPort": ENGINE_HTTP_PORT, "protocol": "TCP"},
            {"name": "metrics", "containerPort": ENGINE_HTTP_PORT, "protocol": "TCP"},
            {"name": "grpc", "containerPort": ENGINE_GRPC_PORT, "protocol": "TCP"},
        ],
        "readinessProbe": {"httpGet": _http("/ready", ENGINE_HTTP_PORT)} | probe,
        "livenessProbe": {"httpGet": _http("/live", ENGINE_HTTP_PORT)} | probe,
        "lifecycle": clone(_PRE_STOP),
        "resources": orchestrator.get("resources")
        or {
            "requests": {"cpu": "500m", "memory": "512Mi"},
            "limits": {"cpu": "500m", "memory": "512Mi"},
        },
        "volumeMounts": [{"name": PODINFO_VOLUME, "mountPath": "/etc/podinfo"}],
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
    }


def complete_unit_container(
    container: Manifest, *, unit: Manifest, deployment: Manifest, predictor: Manifest
) -> None:
    """Add to a graph unit's container what the operator adds: environment, probes, pre-stop hook."""
    endpoint = unit["endpoint"]
    protocol = protocol_key(dig(deployment, "spec", "protocol"))
    server = SERVERS.get(unit["implementation"])
    port = endpoint["service_port"]
    if protocol == "v2" and server is not None:
        live: Manifest = {"httpGet": _http("/v2/health/live", "http")}
        ready: Manifest = {"httpGet": _http("/v2/health/ready", "http")}
    else:
        live = ready = {"tcpSocket": {"port": port}}
    container.setdefault("livenessProbe", live | _PROBE | {"initialDelaySeconds": 60, "timeoutSeconds": 1})
    container.setdefault("readinessProbe", ready | _PROBE | {"initialDelaySeconds": 20, "timeoutSeconds": 1})
    container.setdefault("lifecycle", clone(_PRE_STOP))
    values: dict[str, Any] = {
        "PREDICTIVE_UNIT_SERVICE_PORT": port,
        "PREDICTIVE_UNIT_HTTP_SERVICE_PORT": endpoint["httpPort"],
        "MLSERVER_HTTP_PORT": endpoint["httpPort"],
        "PREDICTIVE_UNIT_GRPC_SERVICE_PORT": endpoint["grpcPort"],
        "MLSERVER_GRPC_PORT": endpoint["grpcPort"],
    }
    parameters = list(unit.get("parameters") or [])
    if unit.get("modelUri") and server is not None and protocol != "v2":
        parameters.append({"name": "model_uri", "value": MODELS_PATH, "type": "STRING"})
    if parameters:
        values["PREDICTIVE_UNIT_PARAMETERS"] = json.dumps(parameters, separators=(",", ":"))
    if unit.get("modelUri"):
        values["MLSERVER_MODEL_URI"] = MODELS_PATH
    if protocol == "v2" and server is not None and server.mlserver_implementation:
        values["MLSERVER_MODEL_IMPLEMENTATION"] = server.mlserver_implementation
    values |= {
        "PREDICTIVE_UNIT_ID": container["name"],
        "MLSERVER_MODEL_NAME": container["name"],
        "PREDICTIVE_UNIT_IMAGE": container.get("image", ""),
        "PREDICTOR_ID": predictor["name"],
        "PREDICTOR_LABELS": json.dumps(predictor["labels"], sort_keys=True, separators=(",", ":")),
        "SELDON_DEPLOYMENT_ID": name_of(deployment),
        "SELDON_EXECUTOR_ENABLED": "true",
    }
    for entry in container.get("ports") or []:
        if entry.get("name") == "metrics":
            values["PREDICTIVE_UNIT_METRICS_SERVICE_PORT"] = entry["containerPort"]
            values["PREDICTIVE_UNIT_METRICS_ENDPOINT"] = "/prometheus"
    env = container["env"] = list(container.get("env") or [])
    given = {entry["name"] for entry in env}
    env += [{"name": name, "value": str(value)} for name, value in values.items() if name not in given]


def add_initializer(pod: Manifest, container: Manifest, unit: Manifest) -> None:
    """Give the pod an init container that copies ``modelUri`` to where the model server looks for it."""
    uri = unit.get("modelUri")
    if not uri:
        return
    name = f"{unit['name']}-model-initializer"[:63]
    volume = f"{unit['name']}-provision-location"[:63]
    inits = pod["initContainers"] = list(pod.get("initContainers") or [])
    if not any(entry["name"] == name for entry in inits):
        source, claim = _source(uri)
        initializer: Manifest = {
            "name": name,
            "image": unit.get("storageInitializerImage") or STORAGE_INITIALIZER_IMAGE,
            "imagePullPolicy": "IfNotPresent",
            "args": [source, MODELS_PATH],
            "resources": {
                "requests": {"cpu": "100m", "memory": "100Mi"},
                "limits": {"cpu": "1", "memory": "1Gi"},
            },
            "volumeMounts": [{"name": volume, "mountPath": MODELS_PATH}],
            "terminationMessagePath": "/dev/termination-log",
            "terminationMessagePolicy": "File",
        }
        if claim:
            _add_volume(pod, "seldon-pvc-source", {"persistentVolumeClaim": {"claimName": claim}})
            initializer["volumeMounts"].append({"name": "seldon-pvc-source", "mountPath": "/mnt/pvc"})
        if unit.get("envSecretRefName"):
            initializer["envFrom"] = [{"secretRef": {"name": unit["envSecretRefName"]}}]
        inits.append(initializer)
    _add_volume(pod, volume, {"emptyDir": {}})
    mounts = container["volumeMounts"] = list(container.get("volumeMounts") or [])
    if not any(mount.get("mountPath") == MODELS_PATH for mount in mounts):
        mounts.append({"name": volume, "mountPath": MODELS_PATH, "readOnly": True})


def add_tensorflow_serving(pod: Manifest, proxy: Manifest, unit: Manifest) -> None:
    """In Seldon's protocol a proxy answers for TensorFlow Serving, which runs beside it."""
    if any(entry["name"] == "tfserving" for entry in pod["containers"]):
        return
    pod["containers"].append(
        {
            "name": "tfserving",
            "image": SERVERS["TENSORFLOW_SERVER"].images["tensorflow"],
            "imagePullPolicy": "IfNotPresent",
            "args": [
                "/usr/bin/tensorflow_model_server",
                "--port=2000",
                "--rest_api_port=2001",
                f"--model_name={unit['name']}",
                f"--model_base_path={MODELS_PATH}",
            ],
            "ports": [
                {"name": "tf-grpc", "containerPort": 2000, "protocol": "TCP"},
                {"name": "tf-rest", "containerPort": 2001, "protocol": "TCP"},
            ],
            "volumeMounts": [
                mount for mount in proxy["volumeMounts"] if mount.get("mountPath") == MODELS_PATH
            ],
            "terminationMessagePath": "/dev/termination-log",
            "terminationMessagePolicy": "File",
        }
    )


def _source(uri: str) -> tuple[str, str | None]:
    """What the initializer copies, and the volume claim that holds it, if it is one."""
    if not uri.startswith("pvc://"):
        return uri, None
    claim, _, path = uri.removeprefix("pvc://").partition("/")
    if not claim:
        raise ComponentError(f"Invalid URI must be pvc://<pvcname>/[path]: {uri}")
    return f"/mnt/pvc/{path}", claim


def _add_volume(pod: Manifest, name: str, source: Manifest) -> None:
    volumes = pod["volumes"] = list(pod.get("volumes") or [])
    if not any(volume.get("name") == name for volume in volumes):
        volumes.append({"name": name} | source)


def _http(path: str, port: int | str) -> Manifest:
    return {"path": path, "port": port, "scheme": "HTTP"}
