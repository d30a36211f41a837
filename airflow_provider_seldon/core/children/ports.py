"""
Which ports the operator assigns to the containers of a graph, and whether a child Deployment has them.

It numbers them across all predictors of a deployment, in their order: each container that is a node of its
graph gets the next metrics port, unless it declares one, and each container name the next port for HTTP and
for gRPC. So a predictor that is removed, added or moved changes the pods of the following ones, although
their spec is unchanged. Source: real operator, predictors and ports; the operator's own environment sets the
first numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from airflow_provider_seldon.core.children.expected import (
    ExpectedChild,
    Role,
    given_containers,
    graph_units,
    is_server,
)
from airflow_provider_seldon.core.resource.unstructured import Object, items_at, mapping_at, text_at

#: Kind of port -> its first number, and the variable that passes it to a container.
KINDS: Mapping[str, tuple[int, str]] = {
    "metrics": (6000, "PREDICTIVE_UNIT_METRICS_SERVICE_PORT"),
    "http": (9000, "PREDICTIVE_UNIT_HTTP_SERVICE_PORT"),
    "grpc": (9500, "PREDICTIVE_UNIT_GRPC_SERVICE_PORT"),
}

#: No deployment has that many containers: a larger offset means another first number.
_ANOTHER_START = 100

#: Predictor, container and kind -> number.
Ports = Mapping[tuple[str, str, str], int]


class PortPlan:
    """
    The ports of one deployment.

    :param deployment: the SeldonDeployment's manifest.
    :param wanted: the expected children.
    :param children: Kubernetes Deployments, by name.
    """

    def __init__(
        self, deployment: Object, wanted: Sequence[ExpectedChild], children: Mapping[str, Object]
    ) -> None:
        self._wanted = expected_ports(mapping_at(deployment, "spec"))
        self._starts: dict[str, int] = {}
        found = [
            (kind, number - self._wanted[key, container, kind])
            for one in wanted
            if one.role is Role.COMPONENT
            for name in one.names
            if name in children
            for key in (text_at(one.predictor, "name"),)
            for container, kind, number in _found(children[name])
            if (key, container, kind) in self._wanted
        ]
        for kind in KINDS:
            self._starts[kind] = _start({offset for one, offset in found if one == kind}, kind)

    def difference(self, child: Object, expected: ExpectedChild) -> str:
        """Return the first unexpected port of a child's containers; empty when there is none."""
        if expected.role is not Role.COMPONENT:
            return ""
        predictor = text_at(expected.predictor, "name")
        for container, kind, number in _found(child):
            wanted = self._wanted.get((predictor, container, kind))
            if wanted is not None and number - self._starts[kind] != wanted:
                wanted += self._starts[kind]
                return f"its container {container} has {kind} port {number}, not {wanted}"
        return ""


def expected_ports(spec: Object) -> Ports:
    """Return the ports that the operator assigns; those that a container declares are left out."""
    ports: dict[tuple[str, str, str], int] = {}
    numbers: dict[str, int] = {}
    metrics = KINDS["metrics"][0]
    for predictor in items_at(spec, "predictors"):
        units = {text_at(unit, "name"): unit for unit in graph_units(mapping_at(predictor, "graph"))}
        for name, container in _containers(predictor, units):
            number = numbers.setdefault(name, len(numbers))
            if name not in units:
                continue
            declared = {text_at(port, "name") for port in items_at(container, "ports")}
            told = {text_at(entry, "name") for entry in items_at(container, "env")}
            given = {kind for kind, (_, variable) in KINDS.items() if kind in declared or variable in told}
            key = text_at(predictor, "name"), name
            ports |= {(*key, kind): KINDS[kind][0] + number for kind in ("http", "grpc") if kind not in given}
            if "metrics" not in declared:
                if "metrics" not in given:
                    ports[*key, "metrics"] = metrics
                metrics += 1
    return ports


def _containers(predictor: Object, units: Mapping[str, Object]) -> Iterator[tuple[str, Object]]:
    """Yield the containers in the order of their numbers: those in the spec come first."""
    given: set[str] = set()
    for container in given_containers(predictor):
        given.add(text_at(container, "name"))
        yield text_at(container, "name"), container
    for name, unit in units.items():
        if is_server(unit) and name not in given:
            yield name, {}


def _found(child: Object) -> Iterator[tuple[str, str, int]]:
    for container in items_at(child, "spec", "template", "spec", "containers"):
        told = {text_at(entry, "name"): text_at(entry, "value") for entry in items_at(container, "env")}
        for kind, (_, variable) in KINDS.items():
            number = told.get(variable, "")
            if number.isdigit():
                yield text_at(container, "name"), kind, int(number)


def _start(offsets: set[int], kind: str) -> int:
    """
    Return the difference between an operator's first number and the usual one.

    If all ports differ by the same number, that is the difference, with one exception: no installation
    configures a slightly different first metrics port, but a removed predictor has that effect.
    """
    if len(offsets) != 1:
        return 0
    offset = next(iter(offsets))
    return offset if kind != "metrics" or abs(offset) >= _ANOTHER_START else 0
