"""
Whether the engine in a child Deployment was started according to the spec.

The engine gets its whole configuration at its start: the predictor in ``ENGINE_PREDICTOR``, the rest in
arguments, and in variables made from annotations of the spec. Whatever an operator does not pass to it cannot
be compared and is left out. Source: Seldon Core reference, what a client can compare; real operator, engine
container.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from airflow_provider_seldon.core.children.containment import missing
from airflow_provider_seldon.core.children.expected import (
    ANNOTATION_SEPARATE_ENGINE,
    SPOKEN,
    V2_PROTOCOLS,
    ExpectedChild,
    given_containers,
    graph_units,
    is_server,
    proxied,
)
from airflow_provider_seldon.core.identity.annotations import ANNOTATION_REVISION
from airflow_provider_seldon.core.resource.unstructured import Object, items_at, mapping_at, text_at, value_at

ENGINE_CONTAINER = "seldon-container-engine"
ENGINE_PREDICTOR = "ENGINE_PREDICTOR"
#: Annotations of the spec with this prefix become variables of the engine.
ENGINE_ANNOTATION = "seldon.io/engine-"

#: Argument -> field of the spec.
_ARGUMENTS = {"--protocol": "protocol", "--transport": "transport", "--server_type": "serverType"}
#: Argument -> annotation of the spec; the default depends on how the operator was started.
_ANNOTATED_ARGUMENTS = {
    "--log_work_buffer_size": "seldon.io/executor-logger-queue-size",
    "--log_write_timeout_ms": "seldon.io/executor-logger-write-timeout-ms",
}
#: Fields that are unchanged in ``ENGINE_PREDICTOR`` in every v1 release; others are zeroed, dropped or newer.
_FIELDS = ("name", "graph", "componentSpecs", "annotations", "labels", "svcOrchSpec", "shadow", "ssl")
#: Prefixes of the variables that the operator adds to containers.
_OPERATOR_VARIABLES = ("PREDICTIVE_UNIT_", "PREDICTOR_", "SELDON_", "MLSERVER_", "TEMPO_", "XDG_")
#: With protocol v2, the operator replaces the requests of MLServer's probes with its own.
_PROBE_REQUESTS = frozenset({"httpGet", "tcpSocket", "exec", "grpc"})
#: Fields of a graph node that the operator does not change: if the spec lacks one, the engine must lack it,
#: too.
_NODE_FIELDS = (
    "modelUri",
    "envSecretRefName",
    "serviceAccountName",
    "storageInitializerImage",
    "logger",
    "methods",
)


def engine_of(child: Object) -> Object:
    """Return the engine's container; empty when the child has none."""
    containers = items_at(child, "spec", "template", "spec", "containers")
    return next((one for one in containers if one.get("name") == ENGINE_CONTAINER), {})


def engine_predictor(engine: Object) -> Object | None:
    """Return the predictor with which the engine was started; None if there is none, or an unreadable one."""
    for entry in items_at(engine, "env"):
        if entry.get("name") != ENGINE_PREDICTOR:
            continue
        try:
            predictor = json.loads(base64.b64decode(text_at(entry, "value"), validate=True))
        except (binascii.Error, ValueError, RecursionError):
            return None
        return predictor if isinstance(predictor, Mapping) else None
    return None


def engine_difference(engine: Object, expected: ExpectedChild, spec: Object) -> str:
    """Return how an engine's start differs from ``spec``; empty when it does not, or there is no engine."""
    if not engine:
        return ""
    return (
        _argument_difference(engine, spec)
        or _variable_difference(engine, expected.predictor, spec)
        or _predictor_difference(engine_predictor(engine), expected.predictor, spec)
    )


def _argument_difference(engine: Object, spec: Object) -> str:
    arguments = value_at(engine, "args")
    if not isinstance(arguments, list):
        return ""
    told = {key: value for key, value in pairwise(arguments) if isinstance(key, str)}
    wanted = {key: text_at(spec, name) or SPOKEN[name] for key, name in _ARGUMENTS.items()}
    annotated = {key: text_at(spec, "annotations", name) for key, name in _ANNOTATED_ARGUMENTS.items()}
    for key, value in (wanted | {key: value for key, value in annotated.items() if value}).items():
        if told.get(key, value) != value:
            return f"its engine runs with {key} {told[key]}, not {value}"
    return ""


def _variable_difference(engine: Object, predictor: Object, spec: Object) -> str:
    told = {text_at(entry, "name"): text_at(entry, "value") for entry in items_at(engine, "env")}
    own = {text_at(entry, "name") for entry in items_at(predictor, "svcOrchSpec", "env")}
    for name, value in _variables(spec):
        if name not in own and told.get(name) != value:
            return f"its engine has {'a different' if name in told else 'no'} variable {name}"
    return ""


def _variables(spec: Object) -> Iterator[tuple[str, str]]:
    for key, value in mapping_at(spec, "annotations").items():
        if key.startswith(ENGINE_ANNOTATION) and key != ANNOTATION_SEPARATE_ENGINE:
            yield variable_of(key), str(value)


def variable_of(annotation: str) -> str:
    """Return the engine's variable for an annotation ``seldon.io/engine-...``."""
    return annotation.removeprefix(ENGINE_ANNOTATION).replace("-", "_").upper()


def _predictor_difference(running: Object | None, wanted: Object, spec: Object) -> str:
    if running is None:
        return ""
    replaced = _PROBE_REQUESTS if text_at(spec, "protocol") in V2_PROTOCOLS else frozenset[str]()
    if proxied(wanted, spec):
        replaced |= {"image"}  # the containers themselves are compared as well
    told = (missing(wanted.get(one), running.get(one), one, ignored=replaced) for one in _FIELDS)
    path = next((text for text in told if text), "")
    path = path or _left_over(wanted, running)
    if not path and not text_at(wanted, "annotations", ANNOTATION_REVISION):
        path = _left_over_of_containers(wanted, running)
    return f"its engine was started with a different {path}" if path else ""


def _left_over(wanted: Object, running: Object) -> str:
    """Return the path of a field that is no longer in the spec; empty when there is none."""
    before, now = mapping_at(running, "graph"), mapping_at(wanted, "graph")
    nodes, known = list(graph_units(before)), list(graph_units(now))
    if len(nodes) > len(known):
        return "graph"
    for node, other in zip(nodes, known, strict=False):
        if len(items_at(node, "parameters")) > len(items_at(other, "parameters")):
            return "graph.parameters"
        if gone := [key for key in _NODE_FIELDS if node.get(key) and not other.get(key)]:
            return f"graph.{gone[0]}"
    labels = {"version": "", **mapping_at(wanted, "labels")}
    return (
        missing(running.get("annotations"), wanted.get("annotations"), "annotations")
        or next((f"labels.{key}" for key in mapping_at(running, "labels") if key not in labels), "")
        or missing(running.get("ssl"), wanted.get("ssl"), "ssl")
        or ("shadow" if running.get("shadow") is True and wanted.get("shadow") is not True else "")
        or _left_over_settings(running, wanted)
    )


def _left_over_of_containers(wanted: Object, running: Object) -> str:
    """
    Return the path of something that the containers of another owner's predictor no longer have.

    The operator adds variables with certain names to all of them, and arguments only to those of servers.
    """
    servers = {text_at(one, "name") for one in graph_units(mapping_at(wanted, "graph")) if is_server(one)}
    given = {text_at(one, "name"): one for one in given_containers(wanted)}
    for container in given_containers(running):
        name = text_at(container, "name")
        own = given.get(name, {})
        names = _names_of_variables(container) - _names_of_variables(own)
        if gone := sorted(one for one in names if not one.startswith(_OPERATOR_VARIABLES)):
            return f"componentSpecs: {name} has variable {gone[0]}"
        fields = () if name in servers else ("command", "args", "envFrom", "workingDir")
        if left := [one for one in fields if container.get(one) and not own.get(one)]:
            return f"componentSpecs: {name} has {left[0]}"
        for kind in ("requests", "limits") if name not in servers else ():
            if set(mapping_at(container, "resources", kind)) - set(mapping_at(own, "resources", kind)):
                return f"componentSpecs: {name} has resources.{kind}"
    return ""


def _names_of_variables(container: Object) -> set[str]:
    return {text_at(entry, "name") for entry in items_at(container, "env")}


def _left_over_settings(running: Object, wanted: Object) -> str:
    """Compare the names of the engine's own variables and resources; their values were compared before."""
    for path in (("svcOrchSpec", "resources", "requests"), ("svcOrchSpec", "resources", "limits")):
        if set(mapping_at(running, *path)) - set(mapping_at(wanted, *path)):
            return ".".join(path)
    names: list[set[Any]] = [
        {text_at(entry, "name") for entry in items_at(one, "svcOrchSpec", "env")} for one in (running, wanted)
    ]
    return "svcOrchSpec.env" if names[0] - names[1] else ""
