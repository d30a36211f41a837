"""The Deployment and the Service of a predictor's explainer (Seldon Core reference, sections 1.5 and 6). Pure.

Its content was measured on the real operator: it has no metrics, its selector is the deployment's label
alone, and in the Open Inference Protocol its environment is replaced by MLServer's.
"""

from __future__ import annotations

import json

from airflow_provider_seldon.local.client.kinds import Manifest
from airflow_provider_seldon.local.controllers.children import naming
from airflow_provider_seldon.local.controllers.children.containers import PRE_STOP, PROBE_TIMES
from airflow_provider_seldon.local.controllers.children.frame import add_labels, child_deployment, unit_labels
from airflow_provider_seldon.local.controllers.children.initializer import add_initializer
from airflow_provider_seldon.local.controllers.children.servers import (
    EXPLAINER_IMAGES,
    MODELS_PATH,
    protocol_key,
)
from airflow_provider_seldon.local.controllers.errors import ComponentError
from airflow_provider_seldon.local.controllers.manifests import clone, dig

EXPLAINER_PORT = 9000
LABEL_APP = "seldon-app"

_IMAGES_TYPE = "AnchorImages"
# Names in MLServer's explainer runtime of the types that Seldon Core supports.
_MLSERVER_TYPES = {
    "AnchorTabular": "anchor_tabular",
    "AnchorImages": "anchor_image",
    "AnchorText": "anchor_text",
    "Counterfactuals": "counterfactuals",
    "Contrastive": "contrastive",
    "KernelShap": "kernel_shap",
    "IntegratedGradients": "integrated_gradients",
    "ALE": "ALE",
    "TreeShap": "tree_shap",
}


def is_explained(predictor: Manifest) -> bool:
    """Whether a predictor has an explainer; one without a type does not count."""
    return bool(dig(predictor, "explainer", "type"))


def service_port(predictor: Manifest) -> int:
    """The port of the explainer's Service, whatever the container's own port is."""
    return int(dig(predictor, "explainer", "endpoint", "service_port", default=0)) or EXPLAINER_PORT


def explainer_deployment(deployment: Manifest, predictor: Manifest, details: Manifest) -> Manifest:
    """
    The explainer's Deployment.

    :param details: entry of ``serviceStatus`` of the explained predictor
    :raises ComponentError: in the Open Inference Protocol, a type that Seldon Core does not know
    """
    explainer = predictor["explainer"]
    name = naming.explainer(deployment, predictor)
    container: Manifest = clone(explainer.get("containerSpec") or {})
    container["name"] = container.get("name") or name
    protocol = protocol_key(dig(deployment, "spec", "protocol"))
    container["image"] = container.get("image") or EXPLAINER_IMAGES["v2" if protocol == "v2" else "seldon"]
    container["imagePullPolicy"] = container.get("imagePullPolicy") or "IfNotPresent"
    port = _add_port(container, service_port(predictor))
    handler = {"tcpSocket": {"port": "http"}}
    times = {"livenessProbe": (60, 5), "readinessProbe": (20, 7)}
    for probe, (delay, failures) in times.items():
        own = handler | PROBE_TIMES | {"initialDelaySeconds": delay, "failureThreshold": failures}
        container.setdefault(probe, clone(own))
    container.setdefault("lifecycle", clone(PRE_STOP))
    grpc = "grpc" in (dig(deployment, "spec", "transport"), str(dig(explainer, "endpoint", "type")).lower())
    host = details["grpcEndpoint" if grpc else "httpEndpoint"]
    if protocol == "v2":
        container["env"] = _mlserver_env(explainer, predictor, container["name"], host, port)
    else:
        transport = "grpc" if grpc else "http"
        container["args"] = _arguments(explainer, predictor, host, f"{protocol}.{transport}", port)
    component = {"spec": {"containers": [container]}}
    child = child_deployment(deployment, predictor, name, component, metrics=False)
    replicas = _replicas(deployment, predictor)
    if replicas is not None:
        child["spec"]["replicas"] = replicas
    pod = child["spec"]["template"]["spec"]
    add_initializer(pod, pod["containers"][0], explainer)
    if explainer.get("serviceAccountName"):
        pod["serviceAccountName"] = explainer["serviceAccountName"]
    add_labels(child, unit_labels(None, predictor) | {LABEL_APP: name})
    return child


def _add_port(container: Manifest, number: int) -> int:
    ports = container["ports"] = list(container.get("ports") or [])
    for port in ports:
        if port.get("name") == "http":
            return int(port["containerPort"])
    ports.append({"name": "http", "containerPort": number, "protocol": "TCP"})
    return number


def _arguments(explainer: Manifest, predictor: Manifest, host: str, protocol: str, port: int) -> list[str]:
    uri = explainer.get("modelUri")
    arguments = [
        f"--model_name={predictor['graph']['name']}",
        f"--predictor_host={host}",
        f"--protocol={protocol}",
        f"--http_port={port}",
        *([f"--storage_uri={MODELS_PATH}"] if uri else []),
        str(explainer["type"]),
        *(["--tf_data_type=float32"] if explainer["type"] == _IMAGES_TYPE else []),
    ]
    for key, value in sorted((explainer.get("config") or {}).items()):
        arguments.append(f"--{key}={str(value).replace(uri, MODELS_PATH, 1) if uri else value}")
    return arguments


def _mlserver_env(
    explainer: Manifest, predictor: Manifest, name: str, host: str, port: int
) -> list[Manifest]:
    """MLServer's variables; ``initParameters`` is JSON and is copied unchanged."""
    kind = explainer["type"]
    if kind not in _MLSERVER_TYPES:
        raise ComponentError(f"{kind} not supported")
    url = f"http://{host}/v2/models/{predictor['graph']['name']}/infer"
    parts = {"explainer_type": json.dumps(_MLSERVER_TYPES[kind]), "infer_uri": json.dumps(url)}
    if explainer.get("initParameters"):
        parts["init_parameters"] = explainer["initParameters"]
    extra = "{" + ",".join(f"{json.dumps(key)}:{text}" for key, text in parts.items()) + "}"
    values = {
        "MLSERVER_HTTP_PORT": str(port),
        "MLSERVER_MODEL_IMPLEMENTATION": "mlserver_alibi_explain.AlibiExplainRuntime",
        "MLSERVER_MODEL_NAME": name,
        "MLSERVER_MODEL_URI": MODELS_PATH,
        "MLSERVER_MODEL_EXTRA": extra,
    }
    return [{"name": key, "value": value} for key, value in values.items()]


def _replicas(deployment: Manifest, predictor: Manifest) -> int | None:
    """The explainer's own number; zero when the predictor is at zero, and None if the spec has none."""
    main = predictor.get("replicas")
    if main is None:
        main = dig(deployment, "spec", "replicas")
    if main == 0:
        return 0
    own = dig(predictor, "explainer", "replicas")
    return None if own is None else int(own)
