"""
The Kubernetes Deployments that the operator creates for a SeldonDeployment: names, replicas and revision.

Computed from the spec alone, with the operator's own defaulting, so that a missing child is known.
``children.revision`` and ``readiness`` decide whether an existing child is the right one. Source: Seldon Core
reference, naming of deployments, replica precedence, defaults.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from airflow_provider_seldon.core.identity.annotations import ANNOTATION_REVISION
from airflow_provider_seldon.core.resource.unstructured import (
    Object,
    items_at,
    mapping_at,
    name_of,
    number_at,
    text_at,
)

ANNOTATION_NO_ENGINE = "seldon.io/no-engine"
ANNOTATION_SEPARATE_ENGINE = "seldon.io/engine-separate-pod"
ANNOTATION_SERVICE_NAME = "seldon.io/svc-name"

#: Implementations that run inside the engine; every other one is a server with its own container.
BUILT_IN_IMPLEMENTATIONS = frozenset(
    {"", "UNKNOWN_IMPLEMENTATION", "SIMPLE_MODEL", "SIMPLE_ROUTER", "RANDOM_ABTEST", "AVERAGE_COMBINER"}
)

#: Fields of the spec that decide how every client talks to a deployment, and the operator's defaults.
SPOKEN = {"protocol": "seldon", "transport": "rest", "serverType": "rpc"}
#: Both names of the Open Inference Protocol.
V2_PROTOCOLS = ("v2", "kfserving")

MAX_NAME_LENGTH = 63


class Role(StrEnum):
    """What a child Deployment runs."""

    COMPONENT = "component"
    ENGINE = "engine"
    EXPLAINER = "explainer"


@dataclass(frozen=True, kw_only=True, slots=True)
class ExpectedChild:
    """
    A Deployment that the operator creates.

    :param names: the names it may have; the first is the operator's default.
    :param predictor: the entry of ``spec.predictors`` it belongs to.
    :param role: what it runs.
    :param component: index in ``componentSpecs``, for a component.
    :param replicas: the number of pods in the spec; None if the spec has none, or leaves it to an autoscaler.
    :param autoscaled: whether an HPA or KEDA controls the number of pods.
    :param may_sleep: whether it may have no pods although the spec does not request that: KEDA scales it, or
        it is the engine of a predictor without pods.
    """

    names: tuple[str, ...]
    predictor: Object
    role: Role = Role.COMPONENT
    component: int = 0
    replicas: int | None = None
    autoscaled: bool = False
    may_sleep: bool = False

    @property
    def name(self) -> str:
        """The operator's default name."""
        return self.names[0]

    @property
    def stamp(self) -> str:
        """The revision that this provider wrote to the predictor; empty on a foreign deployment."""
        return text_at(self.predictor, "annotations", ANNOTATION_REVISION)

    @property
    def scaled_to_zero(self) -> bool:
        """Whether the spec itself requests no pods."""
        return self.replicas == 0


def expected_children(deployment: Object) -> tuple[ExpectedChild, ...]:
    """
    Return the Deployments that the operator creates for ``deployment``, a SeldonDeployment's manifest.

    Empty for a spec for which it creates none (and reports ``Failed``).
    """
    spec = mapping_at(deployment, "spec")
    return tuple(
        child
        for predictor in items_at(spec, "predictors")
        for child in _predictor_children(name_of(deployment), spec, predictor)
    )


#: Label of a child and its pods with their SeldonDeployment.
ID_LABEL = "seldon-deployment-id"


def deployment_id(name: str) -> str:
    """Return the value of the label ``seldon-deployment-id`` on the children of a deployment of that name."""
    return _names("", name)[0]


def child_ids(deployment: Object) -> tuple[str, ...]:
    """
    Return the values of the label ``seldon-deployment-id`` on a deployment's children.

    A separate engine's is the name of the predictor's Service (Seldon Core reference, labels).
    """
    spec, name = mapping_at(deployment, "spec"), name_of(deployment)
    ids = [deployment_id(name)]
    if _is_true(spec, ANNOTATION_SEPARATE_ENGINE):
        for predictor in items_at(spec, "predictors"):
            ids.append(_service(name, predictor))
    return tuple(ids)


def is_autoscaled(component: Object) -> bool:
    """Return whether an autoscaler in the spec controls the pods of an entry of ``componentSpecs``."""
    return bool(component.get("hpaSpec") or component.get("kedaSpec"))


def is_server(unit: Object) -> bool:
    """Return whether a graph node is a prepackaged (or custom) server, which gets its own container."""
    return text_at(unit, "implementation") not in BUILT_IN_IMPLEMENTATIONS


def graph_units(unit: Object) -> Iterator[Object]:
    """Yield a graph node and all nodes below it, parents before children."""
    if unit:
        yield unit
    for child in items_at(unit, "children"):
        yield from graph_units(child)


def given_containers(predictor: Object) -> Iterator[Object]:
    """Yield the containers in a predictor's spec; the operator adds those of further servers."""
    for component in items_at(predictor, "componentSpecs"):
        yield from items_at(component, "spec", "containers")


def proxied(predictor: Object, spec: Object) -> frozenset[str]:
    """Return the containers whose image the operator replaces, whatever the spec says: TensorFlow's proxies."""
    if text_at(spec, "protocol") == "tensorflow":
        return frozenset()
    units = graph_units(mapping_at(predictor, "graph"))
    return frozenset(
        text_at(one, "name") for one in units if text_at(one, "implementation") == "TENSORFLOW_SERVER"
    )


def _predictor_children(deployment: str, spec: Object, predictor: Object) -> Iterator[ExpectedChild]:
    prefix = f"{deployment}-{text_at(predictor, 'name')}"
    if _is_true(spec, ANNOTATION_SEPARATE_ENGINE) and not _is_true(predictor, ANNOTATION_NO_ENGINE):
        yield ExpectedChild(
            names=_names(deployment, f"{prefix}-svc-orch"),
            predictor=predictor,
            role=Role.ENGINE,
            # Some releases of the operator fall back to the predictor's replicas, others to one.
            replicas=number_at(predictor, "svcOrchSpec", "replicas"),
            may_sleep=_first(*_general_replicas(spec, predictor)) == 0,
        )
    for index, (component, containers) in enumerate(_components(predictor)):
        if not containers:
            continue
        label = text_at(component, "metadata", "name") or "-".join(containers)
        keda, hpa = mapping_at(component, "kedaSpec"), mapping_at(component, "hpaSpec")
        replicas = _first(number_at(component, "replicas"), *_general_replicas(spec, predictor))
        yield ExpectedChild(
            names=_names(deployment, f"{prefix}-{index}-{label}"),
            predictor=predictor,
            component=index,
            replicas=None if keda or hpa else replicas,
            autoscaled=bool(keda or hpa),
            may_sleep=bool(keda) and _keda_sleeps(keda),
        )
    if text_at(predictor, "explainer", "type"):
        general = _first(*_general_replicas(spec, predictor))
        yield ExpectedChild(
            names=_names(deployment, f"{prefix}-explainer"),
            predictor=predictor,
            role=Role.EXPLAINER,
            replicas=0 if general == 0 else number_at(predictor, "explainer", "replicas"),
        )


def _components(predictor: Object) -> list[tuple[Object, list[str]]]:
    """Return each entry of ``componentSpecs`` with its container names, after the operator's defaulting."""
    components = [
        (component, [text_at(container, "name") for container in items_at(component, "spec", "containers")])
        for component in items_at(predictor, "componentSpecs")
    ]
    given = {name for _, names in components for name in names}
    added: list[str] = []
    for unit in graph_units(mapping_at(predictor, "graph")):
        if is_server(unit) and text_at(unit, "name") not in given:
            added.append(text_at(unit, "name"))
            given.add(text_at(unit, "name"))
    if added and not components:
        components.append(({}, []))
    if added:
        components[0][1].extend(added)
    return components


def predictor_services(manifest: Object) -> dict[str, str]:
    """Return the name of the Service that leads to each predictor, by the predictor's name."""
    predictors = items_at(manifest, "spec", "predictors")
    return {text_at(one, "name"): _service(name_of(manifest), one) for one in predictors}


def _service(deployment: str, predictor: Object) -> str:
    own = text_at(predictor, "annotations", ANNOTATION_SERVICE_NAME)
    return own or _names("", f"{deployment}-{text_at(predictor, 'name')}")[0]


def _general_replicas(spec: Object, predictor: Object) -> tuple[int | None, int | None]:
    return number_at(predictor, "replicas"), number_at(spec, "replicas")


def _first(*numbers: int | None) -> int | None:
    return next((number for number in numbers if number is not None), None)


def _keda_sleeps(keda: Object) -> bool:
    """KEDA's own default of ``minReplicaCount`` is 0; ``idleReplicaCount`` may only be 0."""
    return not number_at(keda, "minReplicaCount") or number_at(keda, "idleReplicaCount") == 0


def _is_true(holder: Object, annotation: str) -> bool:
    return text_at(holder, "annotations", annotation).lower() == "true"


def _names(deployment: str, name: str) -> tuple[str, ...]:
    """
    Return the names that the operator may give a Deployment.

    A name of up to 63 characters stays; a longer one is hashed, and an operator with
    DEPLOYMENT_NAME_AS_PREFIX keeps the SeldonDeployment's name as a prefix if that fits.
    """
    if len(name.encode()) <= MAX_NAME_LENGTH:
        return (name,)
    digest = hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()
    prefixed = f"{deployment}-{digest}"
    hashed = f"seldon-{digest}"
    return (hashed, prefixed) if len(prefixed.encode()) <= MAX_NAME_LENGTH else (hashed,)
