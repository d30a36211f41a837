"""
The rules of Seldon Core's validating webhook, to refuse a request before it is sent, in the webhook's words.

Each rule reports the webhook's message about a spec, and the fix. The rules check whatever is readable: a
value of a wrong type counts as absent here, and ``schema`` reports it. Source: Seldon Core reference,
admission.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator

from airflow_provider_seldon.core.invalid_request import Problem
from airflow_provider_seldon.core.resource.graph import MODEL_URI_OPTIONAL, Endpoint, Logger, PredictiveUnit
from airflow_provider_seldon.core.resource.predictor import Predictor, SvcOrchSpec
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeploymentSpec

NO_ENGINE = "seldon.io/no-engine"
SERVICE_NAME = "seldon.io/svc-name"
#: Implementations that are built into the engine; every other name is that of a prepackaged server.
BUILT_IN = frozenset({"", "SIMPLE_MODEL", "SIMPLE_ROUTER", "RANDOM_ABTEST", "AVERAGE_COMBINER"})
NO_IMPLEMENTATION = (None, "UNKNOWN_IMPLEMENTATION")

_PROTOCOLS = ("seldon", "tensorflow", "kfserving", "v2")
_SPEC_WORDS = (
    ("protocol", "protocol", _PROTOCOLS),
    ("transport", "transport", ("rest", "grpc")),
    ("server_type", "serverType", ("rpc", "kafka")),
)
_TRANSPORTS = {"REST": "rest", "GRPC": "grpc"}
_NOT_FOR_TENSORFLOW = frozenset({"SKLEARN_SERVER", "XGBOOST_SERVER", "MLFLOW_SERVER", "HUGGINGFACE_SERVER"})
_KAFKA_VARIABLES = frozenset({"KAFKA_BROKER", "KAFKA_INPUT_TOPIC", "KAFKA_OUTPUT_TOPIC"})
_KAFKA_TEXT = "For kafka please supply svcOrchSpec envs KAFKA_BROKER, KAFKA_INPUT_TOPIC, KAFKA_OUTPUT_TOPIC"


def problems(spec: SeldonDeploymentSpec, known_servers: Collection[str] | None) -> Iterator[Problem]:
    """
    Yield what the webhook refuses, in the webhook's order.

    :param known_servers: names in the operator's ``predictor_servers``; None when they are not known.
    """
    predictors = [
        (index, predictor)
        for index, predictor in enumerate(spec.predictors if isinstance(spec.predictors, list) else ())
        if isinstance(predictor, Predictor)
    ]
    yield from _word_problems(spec)
    yield from _kafka_problems(spec, predictors)
    if len(predictors) == 1 and predictors[0][1].shadow is True:
        yield _of_predictor(
            *predictors[0], "Shadow can not exist as only predictor", "shadow", "remove shadow"
        )
    if not predictors:
        yield _denied(
            "spec", "Graph contains no predictors", spec.transport, "spec.predictors", "give at least one"
        )
    seen: set[str] = set()
    services: set[str] = set()
    for index, predictor in predictors:
        yield from _predictor_problems(index, predictor, seen, services)
        yield from _graph_problems(spec, index, predictor, known_servers)
    yield from _transport_problems(spec, predictors)
    yield from _traffic_problems(predictors)


def walk(node: PredictiveUnit, path: str) -> Iterator[tuple[PredictiveUnit, str]]:
    """Yield the nodes of a graph with their paths, parents before children."""
    yield node, path
    for index, child in enumerate(node.children if isinstance(node.children, list) else ()):
        if isinstance(child, PredictiveUnit):
            yield from walk(child, f"{path}.children[{index}]")


def has_own_container(node: PredictiveUnit) -> bool:
    """Return whether a node needs a container of its name: all except those built into the engine."""
    return not isinstance(node.implementation, str) or node.implementation not in BUILT_IN


def _denied(path: str, text: str, value: object, field: str, fix: str) -> Problem:
    shown = value if isinstance(value, str) else ""
    # The webhook's paths omit the word "children".
    cause = f"{path.replace('.children[', '[')}: Invalid value: {json.dumps(shown)}: {text}"
    return Problem(field, text, fix, admission=True, value=shown or None, cause=cause)


def _of_predictor(index: int, predictor: Predictor, text: str, field: str, fix: str) -> Problem:
    path = f"spec.predictors[{index}]"
    return _denied(path, text, predictor.name, f"{path}.{field}", fix)


def _word_problems(spec: SeldonDeploymentSpec) -> Iterator[Problem]:
    for name, alias, words in _SPEC_WORDS:
        value = getattr(spec, name)
        if isinstance(value, str) and value and value not in words:
            fix = f"use one of {', '.join(words)}"
            yield _denied("spec", f"Invalid {alias}", value, f"spec.{alias}", fix)


def _kafka_problems(spec: SeldonDeploymentSpec, predictors: list[tuple[int, Predictor]]) -> Iterator[Problem]:
    if spec.server_type != "kafka":
        return
    for index, predictor in predictors:
        orchestrator = predictor.svc_orch_spec
        env = orchestrator.env if isinstance(orchestrator, SvcOrchSpec) else None
        names = [entry.get("name") for entry in env or () if isinstance(entry, dict)]
        if sum(isinstance(name, str) and name in _KAFKA_VARIABLES for name in names) < len(_KAFKA_VARIABLES):
            yield _of_predictor(index, predictor, _KAFKA_TEXT, "svcOrchSpec.env", "add all three variables")


def _predictor_problems(
    index: int, predictor: Predictor, seen: set[str], services: set[str]
) -> Iterator[Problem]:
    annotations = predictor.annotations if isinstance(predictor.annotations, dict) else {}
    if NO_ENGINE in annotations and len(predictor.nodes) > 1:
        yield _of_predictor(
            index,
            predictor,
            "Running without engine only valid for single element graphs",
            f"annotations.{NO_ENGINE}",
            "remove the annotation: only the engine can call several nodes",
        )
    name = predictor.name if isinstance(predictor.name, str) else ""
    if name in seen:
        yield _of_predictor(index, predictor, "Duplicate predictor name", "name", "give it another name")
    seen.add(name)
    service = annotations.get(SERVICE_NAME)
    if isinstance(service, str):
        if service in services:
            text = f"Found duplicate service name in {SERVICE_NAME} with value {service}"
            yield _of_predictor(index, predictor, text, f"annotations.{SERVICE_NAME}", "give it another name")
        services.add(service)


def _graph_problems(
    spec: SeldonDeploymentSpec, index: int, predictor: Predictor, known_servers: Collection[str] | None
) -> Iterator[Problem]:
    graph = predictor.graph if isinstance(predictor.graph, PredictiveUnit) else PredictiveUnit()
    for node, path in walk(graph, f"spec.predictors[{index}].graph"):
        implementation = node.implementation
        if implementation in NO_IMPLEMENTATION:
            yield from _custom_node_problems(predictor, node, path)
        elif isinstance(implementation, str) and implementation not in BUILT_IN:
            yield from _server_problems(spec, predictor, node, path, known_servers)
        if isinstance(node.logger, Logger) and not node.logger.mode:
            fix = "set it to all, request or response"
            yield _denied(path, "No logger mode specified", "", f"{path}.logger.mode", fix)


def _custom_node_problems(predictor: Predictor, node: PredictiveUnit, path: str) -> Iterator[Problem]:
    if predictor.container(node.name) is None:
        yield _denied(
            path,
            "Can't find container for Predictive Unit",
            node.name,
            f"{path}.name",
            "add a container of this name to componentSpecs, or an implementation to the node",
        )
    if node.type == "UNKNOWN_TYPE" and not node.methods:
        text = (
            "Predictive Unit has no implementation methods defined. "
            "Change to a known type or add what methods it defines"
        )
        yield _denied(path, text, node.name, f"{path}.methods", "set type (e.g. MODEL) or add methods")


def _server_problems(
    spec: SeldonDeploymentSpec,
    predictor: Predictor,
    node: PredictiveUnit,
    path: str,
    known_servers: Collection[str] | None,
) -> Iterator[Problem]:
    server = node.implementation or ""
    if not node.model_uri and server not in MODEL_URI_OPTIONAL:
        text = "Predictive unit modelUri required when using standalone servers"
        yield _denied(path, text, node.name, f"{path}.modelUri", "add the URI of the model's files")
    if spec.protocol == "tensorflow" and server in _NOT_FOR_TENSORFLOW:
        text = f"Prepackaged server does not handle tensorflow protocol {server}"
        yield _denied(path, text, node.name, "spec.protocol", "use seldon or v2")
    container = predictor.container(node.name) or {}
    if known_servers is not None and not container.get("image") and server not in known_servers:
        yield _denied(
            path,
            f"No entry in predictors map for {server}",
            node.name,
            f"{path}.implementation",
            f"use one of {', '.join(sorted(known_servers))}, or give the container of this name an image",
        )


def _transport_problems(
    spec: SeldonDeploymentSpec, predictors: list[tuple[int, Predictor]]
) -> Iterator[Problem]:
    endpoints = (node.endpoint for _, predictor in predictors for node in predictor.nodes)
    types = {one.type for one in endpoints if isinstance(one, Endpoint) and isinstance(one.type, str)} - {""}
    fix = "remove endpoint.type from all nodes and use spec.transport"
    if len(types) > 1:
        text = "Multiple endpoint.types found - can only have 1 type in graph. Please use spec.transport"
        yield _denied("spec", text, "", "spec.transport", fix)
    elif spec.transport and any(_TRANSPORTS.get(one, spec.transport) != spec.transport for one in types):
        text = "Mixed transport types found. Remove graph endpoint.types if transport set at deployment level"
        yield _denied("spec", text, "", "spec.transport", fix)


def _traffic_problems(predictors: list[tuple[int, Predictor]]) -> Iterator[Problem]:
    total, shadows = 0, 0
    for index, predictor in predictors:
        traffic = predictor.traffic if type(predictor.traffic) is int else 0
        if predictor.shadow is not True:
            total += traffic
            continue
        shadows += 1
        path = f"spec.predictors[{index}]"
        if shadows > 1:
            text = "Multiple shadows are not allowed"
            yield _denied("spec", text, predictor.name, f"{path}.shadow", "keep one shadow predictor")
        if not 0 <= traffic <= 100:
            text = "shadow traffic is illegal, the traffic number should be between [0, 100]"
            yield _denied("spec", text, predictor.name, f"{path}.traffic", "give a percentage")
    if not predictors:
        return
    first = predictors[0][1].name
    if total != 100 and len(predictors) - shadows > 1:
        text = "Traffic must sum to 100 for multiple predictors"
        fix = f"set traffic of each predictor; the sum is now {total}"
        yield _denied("spec", text, first, "spec.predictors[*].traffic", fix)
    if 0 < total < 100 and len(predictors) == 1:
        text = "Traffic must sum be 100 for a single predictor when set"
        yield _denied("spec", text, first, "spec.predictors[0].traffic", "remove it or set it to 100")
