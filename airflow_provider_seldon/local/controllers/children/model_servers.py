"""What the operator does with a unit that has a prepackaged model server. Pure.

It runs after the Services of the unit's container, and overwrites some of the fields that were added there.
Source: Seldon Core reference, section 4; order of variables and ports as seen on the real operator.
"""

from __future__ import annotations

from airflow_provider_seldon.local.client.kinds import Manifest
from airflow_provider_seldon.local.controllers.children.containers import parameters_text, set_variable
from airflow_provider_seldon.local.controllers.children.defaults import walk
from airflow_provider_seldon.local.controllers.children.initializer import add_initializer
from airflow_provider_seldon.local.controllers.children.servers import (
    MODELS_PATH,
    SERVERS,
    is_prepackaged,
    protocol_key,
)
from airflow_provider_seldon.local.controllers.errors import ComponentError
from airflow_provider_seldon.local.controllers.manifests import clone, dig, namespace_of

TFSERVING = "tfserving"

_ANNOTATION_NO_STORAGE_INITIALIZER = "seldon.io/no-storage-initializer"
_TEMPO_RUNTIME = (
    '{{"k8s_options": {{"defaultRuntime": "tempo.seldon.SeldonKubernetesRuntime", "namespace": "{}"}}}}'
)
_TRITON_PARAMETERS = {
    "model_control_mode": "--model-control-mode=",
    "load_model": "--load-model=",
    "strict_model_config": "--strict-model-config=",
}


def add_model_servers(deployment: Manifest, predictor: Manifest, children: list[Manifest]) -> None:
    """
    Complete the pods of a predictor's prepackaged servers, and add an initializer for each unit with a model.

    :param deployment: the SeldonDeployment with its defaults
    :param predictor: one of its predictors
    :param children: the Deployments of that predictor's components
    :raises ComponentError: a server is unknown, or does not support the protocol
    """
    for unit in walk(predictor["graph"]):
        server = is_prepackaged(unit["implementation"])
        if not server and not unit.get("modelUri"):
            continue
        pod, container = _container_of(children, unit["name"])
        if server and unit.get("serviceAccountName"):
            pod["serviceAccountName"] = unit["serviceAccountName"]
        if not server:
            add_initializer(pod, container, unit)
        elif unit["implementation"] == "TENSORFLOW_SERVER":
            _tensorflow(deployment, pod, container, unit)
        elif unit["implementation"] == "TRITON_SERVER":
            _triton(deployment, pod, container, unit)
        else:
            _check_image(deployment, container, unit)
            if protocol_key(dig(deployment, "spec", "protocol")) == "v2":
                _mlserver(container, unit, namespace_of(deployment))
            else:
                parameters = [*(unit.get("parameters") or []), _text("model_uri", MODELS_PATH)]
                text = parameters_text(parameters)
                set_variable(container["env"], "PREDICTIVE_UNIT_PARAMETERS", text, override=True)
            add_initializer(pod, container, unit)


def _container_of(children: list[Manifest], name: str) -> tuple[Manifest, Manifest]:
    for child in children:
        pod = child["spec"]["template"]["spec"]
        for container in pod["containers"]:
            if container["name"] == name:
                return pod, container
    raise ComponentError(f"Failed to find PodSpec for Prepackaged server PreditiveUnit named {name}")


def _check_image(deployment: Manifest, container: Manifest, unit: Manifest) -> None:
    if not container.get("image"):
        reason = "Failed to get server config for"
        if unit["implementation"] in SERVERS:
            protocol = protocol_key(dig(deployment, "spec", "protocol"))
            reason = f"no image compatible with {protocol} protocol for"
        raise ComponentError(f"{reason} {unit['implementation']}")


def _mlserver(container: Manifest, unit: Manifest, namespace: str) -> None:
    """MLServer in the Open Inference Protocol: its variables come first, its probes replace the TCP ones."""
    endpoint = unit["endpoint"]
    env: list[Manifest] = []
    set_variable(env, "MLSERVER_HTTP_PORT", endpoint["httpPort"])
    set_variable(env, "MLSERVER_GRPC_PORT", endpoint["grpcPort"])
    server = SERVERS[unit["implementation"]]
    set_variable(env, "MLSERVER_MODEL_IMPLEMENTATION", server.mlserver_implementation)
    set_variable(env, "MLSERVER_MODEL_NAME", unit["name"])
    set_variable(env, "MLSERVER_MODEL_VERSION", "v1")
    set_variable(env, "MLSERVER_MODEL_URI", MODELS_PATH)
    set_variable(env, "TEMPO_RUNTIME_OPTIONS", _TEMPO_RUNTIME.format(namespace))
    if unit["implementation"] == "HUGGINGFACE_SERVER":
        set_variable(env, "MLSERVER_PARALLEL_WORKERS", "0")
        set_variable(env, "XDG_CACHE_HOME", "/opt/mlserver")
    positions = {entry["name"]: index for index, entry in enumerate(env)}
    for entry in container["env"]:
        if entry["name"] in positions:
            env[positions[entry["name"]]] = entry
        else:
            env.append(entry)
    container["env"] = env
    for probe, path in (("livenessProbe", "/v2/health/live"), ("readinessProbe", "/v2/health/ready")):
        handlers = ("httpGet", "tcpSocket", "exec", "grpc")
        times = {key: value for key, value in container[probe].items() if key not in handlers}
        container[probe] = times | {"httpGet": {"path": path, "port": "http", "scheme": "HTTP"}}
    container["ports"] = _ports(unit)


def _triton(deployment: Manifest, pod: Manifest, container: Manifest, unit: Manifest) -> None:
    """Triton keeps the TCP probes; it may load from an object store itself."""
    _check_image(deployment, container, unit)
    endpoint = unit["endpoint"]
    arguments = [
        "/opt/tritonserver/bin/tritonserver",
        f"--grpc-port={endpoint['grpcPort']}",
        f"--http-port={endpoint['httpPort']}",
    ]
    annotation = dig(deployment, "spec", "annotations", _ANNOTATION_NO_STORAGE_INITIALIZER)
    loads_itself = str(annotation).lower() == "true"
    if loads_itself:
        arguments.append(f"--model-repository={unit.get('modelUri', '')}")
        for parameter in unit.get("parameters") or []:
            flag = _TRITON_PARAMETERS.get(str(parameter.get("name")).lower())
            arguments += [f"{flag}{parameter.get('value')}"] if flag else []
        if unit.get("envSecretRefName"):
            secret = [{"secretRef": {"name": unit["envSecretRefName"]}}]
            container.setdefault("envFrom", secret)
    else:
        arguments += [f"--model-repository={MODELS_PATH}", "--strict-model-config=false"]
    container.setdefault("args", arguments)
    container["ports"] = _ports(unit)
    if not loads_itself:
        add_initializer(pod, container, unit)


def _tensorflow(deployment: Manifest, pod: Manifest, container: Manifest, unit: Manifest) -> None:
    """TensorFlow Serving: alone in its own protocol, behind a proxy in Seldon's; it gets the model."""
    endpoint, protocol = unit["endpoint"], protocol_key(dig(deployment, "spec", "protocol"))
    if protocol == "tensorflow":
        server = container
        wanted = _tensorflow_server(unit, unit["name"], grpc=endpoint["grpcPort"], rest=endpoint["httpPort"])
    else:
        container["image"] = SERVERS["TENSORFLOW_SERVER"].images.get(protocol, "")
        _check_image(deployment, container, unit)
        _tell_proxy(container, unit)
        wanted = _tensorflow_server(unit, TFSERVING, grpc=2000, rest=2001)
        found = [one for one in pod["containers"] if one["name"] == TFSERVING]
        server = found[0] if found else wanted
        if not found:
            pod["containers"].append(server)
    for key in ("image", "args", "ports"):
        if not server.get(key):
            server[key] = wanted[key]
    add_initializer(pod, server, unit)


def _tell_proxy(container: Manifest, unit: Manifest) -> None:
    parameters = clone(unit.get("parameters") or [])
    if not any(one.get("name") in ("rest_endpoint", "grpc_endpoint") for one in parameters):
        parameters += [_text("rest_endpoint", "http://0.0.0.0:2001"), _text("grpc_endpoint", "0.0.0.0:2000")]
    text = parameters_text([*parameters, _text("model_name", unit["name"])])
    set_variable(container["env"], "PREDICTIVE_UNIT_PARAMETERS", text, override=True)


def _tensorflow_server(unit: Manifest, name: str, *, grpc: int, rest: int) -> Manifest:
    return {
        "name": name,
        "image": SERVERS["TENSORFLOW_SERVER"].images["tensorflow"],
        "imagePullPolicy": "IfNotPresent",
        "args": [
            f"--port={grpc}",
            f"--rest_api_port={rest}",
            f"--model_name={unit['name']}",
            f"--model_base_path={MODELS_PATH}",
        ],
        "ports": [{"containerPort": port, "protocol": "TCP"} for port in (grpc, rest)],
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
    }


def _ports(unit: Manifest) -> list[Manifest]:
    endpoint = unit["endpoint"]
    numbers = {"grpc": endpoint["grpcPort"], "http": endpoint["httpPort"]}
    return [{"name": name, "containerPort": port, "protocol": "TCP"} for name, port in numbers.items()]


def _text(name: str, value: str) -> Manifest:
    return {"name": name, "value": value, "type": "STRING"}
