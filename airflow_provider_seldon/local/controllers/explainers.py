"""The Deployment of a predictor's explainer (Seldon Core reference, sections 1.5 and 6). Pure."""

from __future__ import annotations

import json

from airflow_provider_seldon.local.api import Manifest

from . import naming
from .children import child_deployment
from .containers import add_initializer
from .errors import ComponentError
from .manifests import clone, dig, namespace_of
from .servers import EXPLAINER_IMAGES, protocol_key

EXPLAINER_PORT = 9000
EXPLAINER_GRPC_PORT = 5000

_TYPES = {
    "AnchorTabular": "anchor_tabular",
    "AnchorImages": "anchor_image",
    "AnchorText": "anchor_text",
    "Counterfactuals": "counterfactuals",
    "Contrastive": "contrastive",
    "KernelShap": "kernel_shap",
    "IntegratedGradients": "integrated_gradients",
    "ALE": "ale",
    "TreeShap": "tree_shap",
}


def explainer_deployment(deployment: Manifest, predictor: Manifest) -> Manifest | None:
    """The explainer's Deployment, or None: an explainer without a type is no explainer.

    :raises ComponentError: the type is not one that Seldon Core knows
    """
    explainer = predictor.get("explainer") or {}
    kind = explainer.get("type")
    if not kind:
        return None
    if kind not in _TYPES:
        raise ComponentError(f"{kind} not supported")
    name = naming.explainer(deployment, predictor)
    protocol = protocol_key(dig(deployment, "spec", "protocol"))
    container: Manifest = clone(explainer.get("containerSpec") or {})
    container.setdefault("name", name)
    container.setdefault("image", EXPLAINER_IMAGES.get(protocol, EXPLAINER_IMAGES["seldon"]))
    container.setdefault("imagePullPolicy", "IfNotPresent")
    host = f"{naming.predictor_service(deployment, predictor)}.{namespace_of(deployment)}:8000"
    if not container.get("args"):
        container["args"] = [
            *("--model_name", predictor["graph"]["name"], "--predictor_host", host),
            *("--protocol", f"{protocol}.http", "--http_port", str(EXPLAINER_PORT), _TYPES[kind]),
            *(f"--{key}={value}" for key, value in sorted((explainer.get("config") or {}).items())),
        ]
    container["env"] = [
        *(container.get("env") or []),
        {"name": "SELDON_EXPLAINER_PARAMETERS", "value": json.dumps(explainer.get("initParameters") or "")},
    ]
    container.setdefault("ports", [{"name": "http", "containerPort": EXPLAINER_PORT, "protocol": "TCP"}])
    ready = {"tcpSocket": {"port": EXPLAINER_PORT}, "periodSeconds": 5, "failureThreshold": 3}
    container.setdefault("readinessProbe", ready | {"initialDelaySeconds": 20, "timeoutSeconds": 1})
    child = child_deployment(deployment, predictor, name, {"spec": {"containers": [container]}})
    for labels in (child["metadata"]["labels"], child["spec"]["template"]["metadata"]["labels"]):
        labels["seldon.io/explainer"] = "true"
    pod = child["spec"]["template"]["spec"]
    if explainer.get("serviceAccountName"):
        pod["serviceAccountName"] = explainer["serviceAccountName"]
    add_initializer(pod, pod["containers"][0], {**explainer, "name": name})
    child["spec"]["replicas"] = int(explainer["replicas"]) if explainer.get("replicas") is not None else 1
    return child
