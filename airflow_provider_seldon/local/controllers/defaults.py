"""What the operator fills in, in memory, before each pass (Seldon Core reference, section 3.2). Pure.

Nothing of this is ever written back into the stored resource: Seldon Core has not done so since 1.6.0.
"""

from __future__ import annotations

from collections.abc import Iterator

from airflow_provider_seldon.local.api import Manifest

from . import naming
from .manifests import clone, dig, namespace_of
from .servers import SERVERS, is_prepackaged, protocol_key

ANNOTATION_SEPARATE_ENGINE = "seldon.io/engine-separate-pod"
ANNOTATION_NO_ENGINE = "seldon.io/no-engine"
PODINFO_VOLUME = "seldon-podinfo"

FIRST_HTTP_PORT = 9000
FIRST_GRPC_PORT = 9500
FIRST_METRICS_PORT = 6000


def walk(graph: Manifest) -> Iterator[Manifest]:
    """A graph's nodes, parents before children."""
    yield graph
    for child in graph.get("children") or []:
        yield from walk(child)


def unit_of(graph: Manifest, name: str) -> Manifest | None:
    """The graph node of that name."""
    return next((unit for unit in walk(graph) if unit.get("name") == name), None)


def has_separate_engine(deployment: Manifest) -> bool:
    """Whether the engine runs in pods of its own."""
    return str(dig(deployment, "spec", "annotations", ANNOTATION_SEPARATE_ENGINE)).lower() == "true"


def has_no_engine(predictor: Manifest) -> bool:
    """Whether a predictor is served by its only container, without an engine in front."""
    return str(dig(predictor, "annotations", ANNOTATION_NO_ENGINE)).lower() == "true"


def with_defaults(deployment: Manifest) -> Manifest:
    """A copy of the SeldonDeployment with everything filled in that the operator needs."""
    deployment = clone(deployment)
    for predictor in dig(deployment, "spec", "predictors", default=[]):
        predictor["labels"] = {"version": predictor["name"]} | (predictor.get("labels") or {})
        for unit in walk(predictor["graph"]):
            _default_unit(unit)
        protocol = protocol_key(dig(deployment, "spec", "protocol"))
        _add_server_containers(predictor, protocol)
        _assign_ports(deployment, predictor)
    return deployment


def _default_unit(unit: Manifest) -> None:
    unit.setdefault("children", [])
    if unit["children"] is None:
        unit["children"] = []
    if not (unit.get("type") or unit.get("methods") or unit.get("implementation")):
        unit["type"] = "MODEL"
    if not unit.get("implementation"):
        unit["implementation"] = "UNKNOWN_IMPLEMENTATION"
    if is_prepackaged(unit["implementation"]) and not unit.get("type"):
        unit["type"] = "MODEL"
    if unit.get("endpoint") is None:
        unit["endpoint"] = {}


def containers_of(predictor: Manifest) -> Iterator[tuple[int, Manifest]]:
    """Every container of a predictor with the index of its entry in ``componentSpecs``."""
    for index, component in enumerate(predictor.get("componentSpecs") or []):
        for container in dig(component, "spec", "containers", default=[]):
            yield index, container


def _add_server_containers(predictor: Manifest, protocol: str) -> None:
    """Each prepackaged unit gets a container of its name, in the first entry of ``componentSpecs``."""
    for unit in walk(predictor["graph"]):
        server = unit["implementation"]
        if not is_prepackaged(server):
            continue
        existing = [box for _, box in containers_of(predictor) if box.get("name") == unit["name"]]
        if existing:
            container = existing[0]
        else:
            container = {"name": unit["name"]}
            components = predictor["componentSpecs"] = predictor.get("componentSpecs") or [{}]
            spec = components[0].setdefault("spec", {})
            spec["containers"] = [*(spec.get("containers") or []), container]
        image = SERVERS[server].images.get(protocol) if server in SERVERS else None
        if not container.get("image") and image:
            container["image"] = image


def _assign_ports(deployment: Manifest, predictor: Manifest) -> None:
    """Ports count up per container; the first entry of ``componentSpecs`` shares a pod with the engine."""
    grpc_only = dig(deployment, "spec", "transport") == "grpc"
    separate = has_separate_engine(deployment)
    for count, (index, container) in enumerate(containers_of(predictor)):
        container.setdefault("imagePullPolicy", "IfNotPresent")
        container.setdefault("terminationMessagePath", "/dev/termination-log")
        container.setdefault("terminationMessagePolicy", "File")
        _mount(container, PODINFO_VOLUME, "/etc/podinfo")
        unit = unit_of(predictor["graph"], container["name"])
        if unit is None:
            continue
        _port(container, "metrics", FIRST_METRICS_PORT + count)
        endpoint = unit["endpoint"]
        service = naming.container_service(deployment, predictor, container["name"])
        remote = f"{service}.{namespace_of(deployment)}.svc.cluster.local."
        endpoint["service_host"] = "localhost" if index == 0 and not separate else remote
        endpoint["httpPort"] = _port(container, "http", FIRST_HTTP_PORT + count)
        endpoint["grpcPort"] = _port(container, "grpc", FIRST_GRPC_PORT + count)
        wants_grpc = grpc_only or endpoint.get("type") == "GRPC"
        endpoint.setdefault("type", "GRPC" if wants_grpc else "REST")
        endpoint["service_port"] = endpoint["grpcPort"] if wants_grpc else endpoint["httpPort"]


def _mount(container: Manifest, volume: str, path: str) -> None:
    mounts = container["volumeMounts"] = list(container.get("volumeMounts") or [])
    if not any(mount.get("name") == volume for mount in mounts):
        mounts.append({"name": volume, "mountPath": path})


def _port(container: Manifest, name: str, number: int) -> int:
    """The container's port of that name, added if it names none."""
    ports = container["ports"] = list(container.get("ports") or [])
    for port in ports:
        if port.get("name") == name:
            return int(port["containerPort"])
    ports.append({"name": name, "containerPort": number, "protocol": "TCP"})
    return number
