"""SeldonDeployments and the children that an operator makes for them, as plain objects."""

from __future__ import annotations

import base64
import copy
import json
from typing import Any

from airflow_provider_seldon.core.children.expected import Role, expected_children
from airflow_provider_seldon.core.identity.revision import stamped

UID = "8a15eb91"
CONTAINER = {"name": "classifier", "image": "model:1", "env": [{"name": "A", "value": "1"}]}
SPEC: dict[str, Any] = {
    "predictors": [
        {
            "name": "default",
            "graph": {
                "name": "classifier",
                "type": "MODEL",
                "parameters": [{"name": "p", "value": "1", "type": "INT"}],
            },
            "componentSpecs": [{"spec": {"containers": [CONTAINER]}}],
        }
    ]
}


def spec(**predictor: Any) -> dict[str, Any]:
    """The usual spec with fields of its predictor changed; None removes one."""
    changed = copy.deepcopy(SPEC)
    changed["predictors"][0] |= copy.deepcopy(predictor)
    changed["predictors"][0] = {
        key: value for key, value in changed["predictors"][0].items() if value is not None
    }
    return changed


def sdep(
    given: dict[str, Any] | None = None,
    *,
    name: str = "iris",
    generation: int = 1,
    state: str | None = "Available",
    ready: str | None = "True",
    foreign: bool = False,
    **more: Any,
) -> dict[str, Any]:
    """A SeldonDeployment; ``more`` goes to its metadata."""
    content = copy.deepcopy(SPEC if given is None else given)
    if not foreign:
        content["predictors"] = [stamped(one) for one in content["predictors"]]
    status: dict[str, Any] = {} if state is None else {"state": state}
    if ready is not None:
        status["conditions"] = [{"type": "Ready", "status": ready}]
    metadata = {"name": name, "namespace": "ns", "uid": UID, "generation": generation, "resourceVersion": "1"}
    return {
        "apiVersion": "machinelearning.seldon.io/v1",
        "kind": "SeldonDeployment",
        "metadata": metadata | more,
        "spec": content,
        "status": status,
    }


def engine(predictor: dict[str, Any], protocol: str = "seldon") -> dict[str, Any]:
    """The engine's container, as the operator starts it for a predictor."""
    kept = {key: value for key, value in predictor.items() if key not in ("traffic", "explainer")} | {
        "replicas": 0
    }
    kept["labels"] = {"version": predictor["name"], **predictor.get("labels", {})}
    encoded = base64.b64encode(json.dumps(kept).encode()).decode()
    return {
        "name": "seldon-container-engine",
        "args": ["--sdep", "iris", "--protocol", protocol],
        "env": [{"name": "ENGINE_PREDICTOR", "value": encoded}],
    }


def complete_children(deployment: dict[str, Any], *, with_engine: bool = True) -> list[dict[str, Any]]:
    """Every child that is expected of a deployment, completely rolled out."""
    return [_child(deployment, one, with_engine) for one in expected_children(deployment)]


def _child(deployment: dict[str, Any], expected: Any, with_engine: bool) -> dict[str, Any]:
    predictor = dict(expected.predictor)
    protocol = deployment["spec"].get("protocol", "seldon")
    containers: list[dict[str, Any]] = []
    if expected.role is Role.COMPONENT:
        components = predictor.get("componentSpecs") or []
        if expected.component < len(components):
            containers = copy.deepcopy(components[expected.component]["spec"].get("containers", []))
        if with_engine and expected.component == 0:
            containers.append(engine(predictor, protocol))
    elif expected.role is Role.ENGINE:
        containers = [engine(predictor, protocol)]
    else:
        containers = [{"name": expected.name, "args": ["--model_name=iris", predictor["explainer"]["type"]]}]
    annotations = {} if expected.role is Role.ENGINE else dict(predictor.get("annotations") or {})
    replicas = 1 if expected.replicas is None else expected.replicas
    counts = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
    return {
        "metadata": {
            "name": expected.name,
            "generation": 1,
            "ownerReferences": [{"kind": "SeldonDeployment", "name": "iris", "uid": UID, "controller": True}],
        },
        "spec": {
            "replicas": replicas,
            "template": {"metadata": {"annotations": annotations}, "spec": {"containers": containers}},
        },
        "status": {"observedGeneration": 1} | dict.fromkeys(counts, replicas),
    }
