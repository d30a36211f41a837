"""
Names, labels and numbers that the API server accepts, but on which the operator fails later.

Seldon builds the names of Deployments, Services and labels from those of the SeldonDeployment, its predictors
and its containers. A name that does not fit results in ``state: Failed`` minutes later, or in pods that never
start. Sources: Seldon Core reference, admission (what is not checked) and names; Kubernetes API concepts,
names and labels.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from airflow_provider_seldon.core.identity.label_value import LABEL_VALUE
from airflow_provider_seldon.core.invalid_request import Problem
from airflow_provider_seldon.core.request.admission import SERVICE_NAME, has_own_container, walk
from airflow_provider_seldon.core.resource.graph import PredictiveUnit
from airflow_provider_seldon.core.resource.predictor import (
    EXPLAINER_TYPES,
    Explainer,
    HpaSpec,
    Predictor,
    SeldonPodSpec,
)
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
from airflow_provider_seldon.core.values.suggestion import unknown

#: A container's name is part of the label ``seldon-app-svc-<name>``, which has at most 63 characters.
MAX_CONTAINER_NAME = 48
MAX_LABEL = 63
#: Depth to which the CRD expands ``children``; deeper nodes are silently dropped.
MAX_GRAPH_DEPTH = 10

_DNS_1035 = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?\Z")
_DNS_1123 = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\Z")
_SUBDOMAIN = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z")
_LABEL_KEY = re.compile(
    r"((?=[^/]{1,253}/)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"
    r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?\Z"
)
_LABEL_FIX = "use at most 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends"
_NAME_FIX = "use lower-case letters, digits and '-', with a letter or digit at both ends"


def problems(deployment: SeldonDeployment) -> Iterator[Problem]:
    """Yield every name, label and number of ``deployment`` that does not fit an object built from it."""
    if not deployment.name:
        yield Problem("metadata.name", "is missing", "give the deployment a name")
    else:
        yield from _own_name_problems(deployment.name)
    for kind, entries in (("labels", deployment.labels), ("annotations", deployment.annotations)):
        for key, value in entries.items():
            if not isinstance(value, str):
                yield Problem(f"metadata.{kind}.{key}", "is not text", "quote it", value=str(value)[:80])
    yield from _map_problems(deployment.labels, "metadata.labels", values=True)
    yield from _map_problems(deployment.annotations, "metadata.annotations", values=False)
    spec = deployment.spec
    yield from _map_problems(getattr(spec, "annotations", None), "spec.annotations", values=False)
    given = getattr(spec, "predictors", None)
    for index, predictor in enumerate(given if isinstance(given, list) else ()):
        if isinstance(predictor, Predictor):
            yield from _predictor_problems(predictor, f"spec.predictors[{index}]")
            yield from _explainer_type_problems(predictor, f"spec.predictors[{index}]", spec)
    yield from _clashes(deployment)


def _own_name_problems(name: str) -> Iterator[Problem]:
    """Yield problems of the deployment's name; one that is too long for a label is hashed by the operator."""
    if len(name) > MAX_LABEL and not _SUBDOMAIN.match(name):
        yield Problem("metadata.name", "is not the name of a Kubernetes object", _NAME_FIX, value=name)
    elif len(name) <= MAX_LABEL and not _DNS_1035.match(name):
        yield Problem(
            "metadata.name",
            "is not a DNS-1035 label, but Service names are built from it",
            f"start with a letter; {_NAME_FIX}",
            value=name,
        )


def _predictor_problems(predictor: Predictor, path: str) -> Iterator[Problem]:
    name = predictor.name if isinstance(predictor.name, str) else ""
    if name and not _DNS_1123.match(name):
        text = "is not a DNS label, but a Service name is built from it"
        yield Problem(f"{path}.name", text, _NAME_FIX, value=name)
    yield from _service_problems(predictor, path)
    yield from _map_problems(predictor.labels, f"{path}.labels", values=True)
    yield from _map_problems(predictor.annotations, f"{path}.annotations", values=False)
    yield from _number_problems(predictor, path)
    if isinstance(predictor.graph, PredictiveUnit):
        yield from _graph_problems(predictor.graph, f"{path}.graph")
    if isinstance(predictor.explainer, Explainer):
        yield from _reference_problems(predictor.explainer, f"{path}.explainer")
    given = predictor.component_specs if isinstance(predictor.component_specs, list) else []
    for index, component in enumerate(given):
        if isinstance(component, SeldonPodSpec):
            yield from _component_problems(component, f"{path}.componentSpecs[{index}]")


def _explainer_type_problems(predictor: Predictor, path: str, spec: object) -> Iterator[Problem]:
    """Check the explainer's type for protocol v2; for the other protocols only the image knows its types."""
    kind = getattr(predictor.explainer, "type", None)
    is_v2 = getattr(spec, "protocol", None) in ("v2", "kfserving")
    if is_v2 and isinstance(kind, str) and kind and kind not in EXPLAINER_TYPES:
        yield unknown(f"{path}.explainer.type", kind, EXPLAINER_TYPES, noun="explainer of protocol v2")


def _service_problems(predictor: Predictor, path: str) -> Iterator[Problem]:
    annotations = predictor.annotations if isinstance(predictor.annotations, dict) else {}
    own = annotations.get(SERVICE_NAME)
    if own is not None and (not isinstance(own, str) or not _DNS_1035.match(own)):
        text = "is not a DNS-1035 label, but names a Service"
        yield Problem(f"{path}.annotations.{SERVICE_NAME}", text, _NAME_FIX, value=str(own))


def _graph_problems(graph: PredictiveUnit, path: str) -> Iterator[Problem]:
    names: Counter[str] = Counter()
    for node, where in walk(graph, path):
        depth = where.count(".children[")
        if depth == MAX_GRAPH_DEPTH + 1:
            text = f"is more than {MAX_GRAPH_DEPTH} levels below the root; the CRD drops it"
            yield Problem(where, text, "flatten the graph")
        if isinstance(node.name, str) and node.name:
            names[node.name] += 1
            if names[node.name] == 2:
                text = "is the name of two nodes, which would share one container"
                yield Problem(f"{where}.name", text, "rename one", value=node.name)
            if has_own_container(node):
                yield from _container_name_problems(node.name, f"{where}.name", MAX_CONTAINER_NAME)
        yield from _reference_problems(node, where)


def _container_name_problems(name: str, path: str, limit: int) -> Iterator[Problem]:
    if not _DNS_1123.match(name):
        yield Problem(path, "is not a DNS label, but names a container", _NAME_FIX, value=name)
    elif len(name) > limit:
        text = f"has {len(name)} characters, but becomes part of the label seldon-app-svc-<name>"
        yield Problem(path, text, f"use at most {limit} characters", value=name)


def _reference_problems(holder: PredictiveUnit | Explainer, path: str) -> Iterator[Problem]:
    for alias, name in (
        ("envSecretRefName", holder.env_secret_ref_name),
        ("serviceAccountName", holder.service_account_name),
    ):
        if isinstance(name, str) and name and not _SUBDOMAIN.match(name):
            yield Problem(f"{path}.{alias}", "is not the name of a Kubernetes object", _NAME_FIX, value=name)


def _component_problems(component: SeldonPodSpec, path: str) -> Iterator[Problem]:
    if isinstance(component.spec, dict) and "containers" not in component.spec:
        yield Problem(f"{path}.spec.containers", "is required", "add at least one container")
    names = [container.get("name") for container in component.containers]
    for index, name in enumerate(names):
        where = f"{path}.spec.containers[{index}].name"
        if not isinstance(name, str) or not name:
            yield Problem(where, "is missing", "name the container like its graph node")
        elif name in names[:index]:
            yield Problem(where, "is the name of two containers of one pod", "rename one", value=name)
        else:
            yield from _container_name_problems(name, where, MAX_LABEL)
    metadata: Mapping[str, Any] = component.metadata if isinstance(component.metadata, dict) else {}
    yield from _map_problems(metadata.get("labels"), f"{path}.metadata.labels", values=True)
    yield from _map_problems(metadata.get("annotations"), f"{path}.metadata.annotations", values=False)
    hpa = component.hpa_spec
    least, most = (hpa.min_replicas, hpa.max_replicas) if isinstance(hpa, HpaSpec) else (None, None)
    if type(least) is int and type(most) is int and least > most:
        yield Problem(
            f"{path}.hpaSpec.minReplicas", "is more than maxReplicas", "lower it or raise the other"
        )


def _number_problems(predictor: Predictor, path: str) -> Iterator[Problem]:
    for alias, value, least in (
        ("replicas", predictor.replicas, 0),
        ("progressDeadlineSeconds", predictor.progress_deadline_seconds, 1),
    ):
        if type(value) is int and value < least:
            yield Problem(f"{path}.{alias}", f"is less than {least}", "raise it", value=str(value))


def _map_problems(entries: object, path: str, *, values: bool) -> Iterator[Problem]:
    for key, value in entries.items() if isinstance(entries, dict) else ():
        if not _LABEL_KEY.match(str(key)):
            yield Problem(
                f"{path}.{key}", "is not a legal key", f"{_LABEL_FIX}; a DNS prefix and '/' may precede"
            )
        if values and isinstance(value, str) and not LABEL_VALUE.match(value):
            yield Problem(f"{path}.{key}", "is not a legal label value", _LABEL_FIX, value=value)


def _clashes(deployment: SeldonDeployment) -> Iterator[Problem]:
    """Predictor ``a-b`` and container ``b`` of predictor ``a`` would share a Service."""
    services = {f"{deployment.name}-{predictor.name}" for predictor in deployment.predictors}
    for index, predictor in enumerate(deployment.predictors):
        for node in predictor.nodes:
            if f"{deployment.name}-{predictor.name}-{node.name}" in services:
                yield Problem(
                    f"spec.predictors[{index}].graph",
                    f"node {node.name!r} and predictor '{predictor.name}-{node.name}' get the same Service "
                    "name",
                    "rename one of the two",
                )
