"""
Whether an explainer's Deployment matches the spec.

An explainer is not part of the stamp, so that a change of it restarts no model. Its Deployment follows
completely from the spec, except for the image if the spec names none: with protocol v2 the operator passes
the settings in variables, otherwise in arguments. Source: real operator, explainer.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from airflow_provider_seldon.core.children.containment import missing
from airflow_provider_seldon.core.children.expected import V2_PROTOCOLS, ExpectedChild
from airflow_provider_seldon.core.children.initializer import (
    MODEL_PATH,
    initializer_difference,
    initializer_of,
)
from airflow_provider_seldon.core.resource.predictor import EXPLAINER_TYPES
from airflow_provider_seldon.core.resource.unstructured import (
    Object,
    items_at,
    mapping_at,
    name_of,
    number_at,
    text_at,
    value_at,
)

_PORT = 9000
#: Variable with the settings of an explainer of protocol v2.
_EXTRA = "MLSERVER_MODEL_EXTRA"
#: Type of an explainer -> its name in that variable.
_TAGS = {
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
#: Options that the operator adds; every other one comes from ``config``.
_OPTIONS = frozenset(
    {"--model_name", "--predictor_host", "--protocol", "--http_port", "--storage_uri", "--tf_data_type"}
)
#: Variables with these prefixes may be the operator's.
_OPERATOR_VARIABLES = ("SELDON_", "PREDICTIVE_UNIT_", "MLSERVER_")
#: Fields of a container that the operator does not change.
_GIVEN_FIELDS = (
    "command",
    "workingDir",
    "envFrom",
    "securityContext",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "lifecycle",
)


def explainer_difference(child: Object, expected: ExpectedChild, deployment: Object) -> str:
    """Return how an explainer differs from its SeldonDeployment; empty when it does not."""
    explainer = mapping_at(expected.predictor, "explainer")
    containers = items_at(child, "spec", "template", "spec", "containers")
    container: Object = containers[0] if containers else {}
    is_v2 = text_at(deployment, "spec", "protocol") in V2_PROTOCOLS
    return (
        _name_difference(container, mapping_at(explainer, "containerSpec"), name_of(child))
        or _container_difference(container, mapping_at(explainer, "containerSpec"), is_v2)
        or (
            _v2_difference(container, explainer)
            if is_v2
            else _option_difference(container, expected.predictor, deployment)
        )
        or _pod_difference(child, container, explainer)
    )


def _name_difference(container: Object, wanted: Object, default: str) -> str:
    found, name = text_at(container, "name"), text_at(wanted, "name") or default
    return f"its container is {found}, not {name}" if found not in ("", name) else ""


def _container_difference(container: Object, wanted: Object, is_v2: bool) -> str:
    image = text_at(wanted, "image")
    if image and text_at(container, "image") != image:
        return f"its container has a different image from {image}"
    kept = {key: wanted[key] for key in _GIVEN_FIELDS if key in wanted}
    if path := missing(kept, container):
        return f"its container has a different {path}"
    if is_v2:  # then the operator writes all variables
        return ""
    path = missing({key: wanted.get(key) for key in ("env", "resources")}, container)
    path = path or next(iter(sorted(_settings(container, ("requests",)) - _settings(wanted))), "")
    return f"its container has a different {path}" if path else ""


def _settings(container: Object, kinds: Sequence[str] = ("requests", "limits")) -> set[str]:
    """Return names of variables and resources; ``kinds`` are sources of requests (a limit may imply one)."""
    resources = mapping_at(container, "resources")
    told = (text_at(entry, "name") for entry in items_at(container, "env"))
    names = {f"env {name}" for name in told if not name.startswith(_OPERATOR_VARIABLES)}
    limits = {f"resources.limits.{name}" for name in mapping_at(resources, "limits")}
    requests = {f"resources.requests.{name}" for kind in kinds for name in mapping_at(resources, kind)}
    return names | limits | requests


def _option_difference(container: Object, predictor: Object, deployment: Object) -> str:
    arguments = value_at(container, "args")
    if not isinstance(arguments, list):
        return ""
    explainer = mapping_at(predictor, "explainer")
    texts = [one for one in arguments if isinstance(one, str)]
    told = dict(text.split("=", 1) for text in texts if text.startswith("--") and "=" in text)
    kind = text_at(explainer, "type")
    # Some explainers get their type in another way; then no argument names it.
    plain = [text for text in texts if not text.startswith("-")]
    named = plain if len(plain) == 1 else [text for text in plain if text in EXPLAINER_TYPES or text == kind]
    if named and kind not in named:
        return f"it explains with {named[0]}, not {kind}"
    wanted = dict(_options(predictor, deployment))
    config = dict(_config(explainer))
    for key, value in (wanted | config).items():
        if key not in told and key in wanted:  # this operator passes it in another way
            continue
        if told.get(key) != value:
            return f"it runs with {key}={told[key]}, not {value}" if key in told else f"it runs without {key}"
    uri = bool(text_at(explainer, "modelUri"))
    if "--http_port" in told and ("--storage_uri" in told) != uri:
        return "it loads no artifact" if uri else "it loads an artifact"
    gone = [key for key in told if key not in _OPTIONS and key not in config]
    return f"it still runs with {gone[0]}" if gone else ""


def _options(predictor: Object, deployment: Object) -> Iterator[tuple[str, str]]:
    explainer = mapping_at(predictor, "explainer")
    protocol = text_at(deployment, "spec", "protocol")
    spoken = protocol if protocol == "tensorflow" else "seldon"
    grpc = (
        text_at(deployment, "spec", "transport") == "grpc" or text_at(explainer, "endpoint", "type") == "GRPC"
    )
    yield "--protocol", f"{spoken}.{'grpc' if grpc else 'http'}"
    yield "--http_port", str(_port(explainer))


def _config(explainer: Object) -> Iterator[tuple[str, str]]:
    uri = text_at(explainer, "modelUri")
    for key, value in mapping_at(explainer, "config").items():
        text = str(value)
        yield f"--{key}", text.replace(uri, MODEL_PATH, 1) if uri else text


def _port(explainer: Object) -> int:
    declared = (
        number_at(port, "containerPort")
        for port in items_at(explainer, "containerSpec", "ports")
        if text_at(port, "name") == "http"
    )
    return next(declared, None) or number_at(explainer, "endpoint", "service_port") or _PORT


def _v2_difference(container: Object, explainer: Object) -> str:
    told = {text_at(entry, "name"): text_at(entry, "value") for entry in items_at(container, "env")}
    extra = _json(told.get(_EXTRA, ""))
    if not isinstance(extra, Mapping):
        return ""
    kind = text_at(explainer, "type")
    tag = _TAGS.get(kind)
    if tag and extra.get("explainer_type", tag) != tag:
        return f"it explains with {extra['explainer_type']}, not {kind}"
    if extra.get("init_parameters") != _json(text_at(explainer, "initParameters")):
        return "it has other initParameters"
    port = str(_port(explainer))
    if told.get("MLSERVER_HTTP_PORT", port) != port:
        return f"it listens on {told['MLSERVER_HTTP_PORT']}, not {port}"
    return ""


def _json(text: str) -> Any:
    try:
        return json.loads(text) if text else None
    except (ValueError, RecursionError):
        return text


def _pod_difference(child: Object, container: Object, explainer: Object) -> str:
    account = text_at(explainer, "serviceAccountName")
    found = text_at(child, "spec", "template", "spec", "serviceAccountName")
    if account != found and (account or found != "default"):
        return f"its service account is {found or 'the default one'}, not {account or 'the default one'}"
    name = text_at(container, "name")
    if not text_at(explainer, "modelUri") and initializer_of(child, name):
        return "it loads an artifact"
    told = {text_at(entry, "name") for entry in items_at(container, "env")}
    return initializer_difference(child, name, explainer, needed=_EXTRA in told)
