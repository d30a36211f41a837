"""
Whether the containers of a graph in a child Deployment match the spec.

Images and defaults of servers come from the operator's own configuration, so an unknown image counts as
correct. The comparison covers what the operator passes to a container: its variables, and the kind of server.
Source: real operator, what rolls pods; Seldon Core reference, servers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from airflow_provider_seldon.core.children.containment import missing
from airflow_provider_seldon.core.children.expected import (
    V2_PROTOCOLS,
    ExpectedChild,
    Role,
    given_containers,
    graph_units,
    is_server,
    proxied,
)
from airflow_provider_seldon.core.children.initializer import (
    initializer_difference,
    initializer_name,
    initializer_of,
)
from airflow_provider_seldon.core.resource.unstructured import Object, items_at, mapping_at, text_at

#: Every container to which the operator has added variables has this one.
_WRITTEN = "PREDICTIVE_UNIT_ID"
_PARAMETERS = "PREDICTIVE_UNIT_PARAMETERS"
_RUNTIME = "MLSERVER_MODEL_IMPLEMENTATION"

#: Implementation -> runtime that MLServer loads, with protocol v2.
_RUNTIMES = {
    "SKLEARN_SERVER": "mlserver_sklearn.SKLearnModel",
    "XGBOOST_SERVER": "mlserver_xgboost.XGBoostModel",
    "MLFLOW_SERVER": "mlserver_mlflow.MLflowRuntime",
    "HUGGINGFACE_SERVER": "mlserver_huggingface.HuggingFaceRuntime",
}
#: Implementation -> last part of its image's name, as Helm installs it, with protocol seldon.
_IMAGES = {
    "SKLEARN_SERVER": "sklearnserver",
    "XGBOOST_SERVER": "xgboostserver",
    "MLFLOW_SERVER": "mlflowserver",
    "TENSORFLOW_SERVER": "tfserving_proxy",
    "TRITON_SERVER": "tritonserver",
}
#: Servers that have their own image with protocol v2, too.
_OWN_SERVERS = frozenset({"TENSORFLOW_SERVER", "TRITON_SERVER"})
#: Parameters that the operator adds.
_ADDED_PARAMETERS = frozenset({"model_uri", "rest_endpoint", "grpc_endpoint", "model_name"})
#: The container with the model server, in addition to the one for Seldon's protocol.
_TENSORFLOW = "tfserving"

#: Labels that the operator may overwrite.
_OPERATOR_LABELS = ("seldon", "app.kubernetes.io/")
#: Fields of a container that the operator copies unchanged.
CONTAINER_FIELDS = (
    "image",
    "command",
    "args",
    "env",
    "envFrom",
    "resources",
    "workingDir",
    "securityContext",
)
#: Fields of a pod that it copies unchanged.
POD_FIELDS = ("nodeSelector", "tolerations", "affinity", "imagePullSecrets", "priorityClassName")


def protocol_difference(child: Object, expected: ExpectedChild, spec: Object) -> str:
    """Return how the protocol of a child's containers differs from the deployment's, or an empty text."""
    if expected.role is not Role.COMPONENT:
        return ""
    for unit in graph_units(mapping_at(expected.predictor, "graph")):
        container = _container(child, text_at(unit, "name"))
        told = _variables(container)
        own = _variables(_given(expected.predictor, text_at(unit, "name")))
        if _WRITTEN not in told:
            continue
        if text := _server_difference(child, unit, told, own, spec) or _port_difference(
            unit, told, own, spec
        ):
            return text
    return ""


def _server_difference(
    child: Object, unit: Object, told: Mapping[str, str], own: Mapping[str, str], spec: Object
) -> str:
    implementation, protocol = text_at(unit, "implementation"), text_at(spec, "protocol") or "seldon"
    if implementation == "TENSORFLOW_SERVER" and initializer_of(child, text_at(unit, "name")):
        is_alone = not _container(child, _TENSORFLOW)
        if is_alone and protocol != "tensorflow":
            return f"its server uses protocol tensorflow, not {protocol}"
    if implementation == "TENSORFLOW_SERVER" and protocol == "tensorflow" and _container(child, _TENSORFLOW):
        return "its server uses protocol seldon, not tensorflow"
    if not is_server(unit) or implementation in _OWN_SERVERS or _RUNTIME in own:
        return ""
    is_v2 = protocol in V2_PROTOCOLS
    if is_v2 != (_RUNTIME in told):
        return f"its server does not use protocol {protocol}"
    wanted = _RUNTIMES.get(implementation)
    if is_v2 and wanted and told[_RUNTIME] in _RUNTIMES.values() and told[_RUNTIME] != wanted:
        return f"its server loads models with {told[_RUNTIME]}, not {wanted}"
    return ""


def _port_difference(unit: Object, told: Mapping[str, str], own: Mapping[str, str], spec: Object) -> str:
    """Return an error if a container does not listen on the port of the transport."""
    served = "PREDICTIVE_UNIT_SERVICE_PORT"
    grpc = text_at(spec, "transport") == "grpc" or text_at(unit, "endpoint", "type") == "GRPC"
    wanted = told.get(f"PREDICTIVE_UNIT_{'GRPC' if grpc else 'HTTP'}_SERVICE_PORT")
    if served in own or wanted is None or told.get(served, wanted) == wanted:
        return ""
    return f"its container {text_at(unit, 'name')} does not serve over {'gRPC' if grpc else 'REST'}"


def content_difference(child: Object, expected: ExpectedChild, spec: Object) -> str:
    """Return how a child's containers differ from those of its predictor; empty when they do not."""
    if expected.role is not Role.COMPONENT:
        return ""
    components = items_at(expected.predictor, "componentSpecs")
    component = components[expected.component] if expected.component < len(components) else {}
    return (
        _written_difference(child, component, proxied(expected.predictor, spec))
        or _label_difference(child, expected.predictor, component)
        or _unit_difference(child, expected.predictor, component, spec)
    )


def _written_difference(child: Object, component: Object, proxies: frozenset[str]) -> str:
    pod = mapping_at(child, "spec", "template", "spec")
    for kind in ("containers", "initContainers"):
        for wanted in items_at(component, "spec", kind):
            kept = {key: wanted[key] for key in CONTAINER_FIELDS if key in wanted}
            if text_at(wanted, "name") in proxies:
                kept.pop("image", None)
            if path := missing(kept, _container(child, text_at(wanted, "name"), kind)):
                return f"its container {text_at(wanted, 'name')} has a different {path}"
    kept = {key: value for key, value in mapping_at(component, "spec").items() if key in POD_FIELDS}
    path = missing(kept, {key: pod.get(key, kept[key]) for key in kept})
    return f"its pods have a different {path}" if path else ""


def _label_difference(child: Object, predictor: Object, component: Object) -> str:
    found = mapping_at(child, "spec", "template", "metadata", "labels")
    wanted = {**mapping_at(predictor, "labels"), **mapping_at(component, "metadata", "labels")}
    for key, value in wanted.items() if found else ():
        if not key.startswith(_OPERATOR_LABELS) and found.get(key) != value:
            return f"its pods have a different label {key}"
    return ""


def _unit_difference(child: Object, predictor: Object, component: Object, spec: Object) -> str:
    own = {text_at(one, "name") for one in items_at(component, "spec", "initContainers")}
    no_copy = text_at(spec, "annotations", "seldon.io/no-storage-initializer").lower() == "true"
    account = ""
    for unit in graph_units(mapping_at(predictor, "graph")):
        name = text_at(unit, "name")
        container = _container(child, name)
        if container and is_server(unit):  # of any other node, the operator does not read it
            account = text_at(unit, "serviceAccountName") or account
        given = _given(predictor, name)
        text = _parameter_difference(container, unit, _variables(given)) or _image_difference(
            container, unit, given, text_at(spec, "protocol")
        )
        copied = (
            _TENSORFLOW if initializer_of(child, _TENSORFLOW) and not initializer_of(child, name) else name
        )
        if not text and initializer_name(copied) not in own:
            if no_copy and text_at(unit, "implementation") == "TRITON_SERVER":
                text = _repository_difference(container, text_at(unit, "modelUri"))
            else:
                text = initializer_difference(child, copied, unit)
        if text:
            return text
    found = text_at(child, "spec", "template", "spec", "serviceAccountName")
    return (
        f"its service account is {found or 'the default one'}, not {account}"
        if account and account != found
        else ""
    )


def _parameter_difference(container: Object, unit: Object, own: Mapping[str, str]) -> str:
    told = _variables(container)
    if _WRITTEN not in told or _PARAMETERS in own:
        return ""
    found, wanted = _parameters(told.get(_PARAMETERS, "[]")), items_at(unit, "parameters")
    if found is None or text_at(unit, "implementation") == "TRITON_SERVER":
        return ""
    # The operator appends its own, also where the user has given one of that name.
    told_values, values = {_as_text(one) for one in found}, [_as_text(one) for one in wanted]
    for name, value, kind in values:
        if (name, value, kind) not in told_values:
            return f"its container {text_at(unit, 'name')} has a different parameter {name}"
    names = {name for name, _, _ in values}
    gone = sorted({name for name, _, _ in told_values} - names - _ADDED_PARAMETERS)
    return f"its container {text_at(unit, 'name')} still has parameter {gone[0]}" if gone else ""


def _as_text(parameter: Object) -> tuple[str, str, str]:
    return text_at(parameter, "name"), str(parameter.get("value", "")), text_at(parameter, "type")


def _parameters(text: str) -> list[Object] | None:
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else None


def _image_difference(container: Object, unit: Object, given: Object, protocol: str) -> str:
    """Only the default image of another server, from the Helm chart, is certainly wrong."""
    implementation = text_at(unit, "implementation")
    wanted = _IMAGES.get(implementation)
    if text_at(given, "image") or wanted is None or protocol not in ("", "seldon"):
        return ""
    found = text_at(container, "image").rpartition("/")[2].partition(":")[0].partition("@")[0]
    others = set(_IMAGES.values()) | {"mlserver"}
    return f"its server is {found}, not {wanted}" if found in others - {wanted, "tritonserver"} else ""


def _repository_difference(container: Object, uri: str) -> str:
    option = "--model-repository="
    found = [one for one in container.get("args") or () if isinstance(one, str) and one.startswith(option)]
    return f"it does not load {uri}" if found and found[0] != f"{option}{uri}" else ""


def _given(predictor: Object, name: str) -> Object:
    """Return the container of that name in the spec; empty if the operator generates it."""
    return next((one for one in given_containers(predictor) if text_at(one, "name") == name), {})


def _container(child: Object, name: str, kind: str = "containers") -> Object:
    containers = items_at(child, "spec", "template", "spec", kind)
    return next((container for container in containers if container.get("name") == name), {})


def _variables(container: Object) -> Mapping[str, str]:
    return {text_at(entry, "name"): text_at(entry, "value") for entry in items_at(container, "env")}
