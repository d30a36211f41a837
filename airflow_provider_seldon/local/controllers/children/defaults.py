"""The defaults that the operator sets in memory before each pass (Seldon Core reference, section 3.2). Pure.

They are never written to the stored resource: Seldon Core has not done so since 1.6.0.
"""

from __future__ import annotations

from collections.abc import Iterator

from airflow_provider_seldon.local.client.kinds import Manifest
from airflow_provider_seldon.local.controllers.children import naming
from airflow_provider_seldon.local.controllers.children.servers import SERVERS, is_prepackaged, protocol_key
from airflow_provider_seldon.local.controllers.manifests import clone, dig, namespace_of

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
    """Whether the engine runs in separate pods."""
    return str(dig(deployment, "spec", "annotations", ANNOTATION_SEPARATE_ENGINE)).lower() == "true"


def has_no_engine(predictor: Manifest) -> bool:
    """Whether a predictor's only container receives requests directly, without an engine."""
    return str(dig(predictor, "annotations", ANNOTATION_NO_ENGINE)).lower() == "true"


def with_defaults(deployment: Manifest) -> Manifest:
    """A copy of the SeldonDeployment with all defaults that the operator needs."""
    deployment = clone(deployment)
    numbers = _Numbers()
    protocol = protocol_key(dig(deployment, "spec", "protocol"))
    for predictor in dig(deployment, "spec", "predictors", default=[]):
        predictor["labels"] = {"version": predictor["name"]} | (predictor.get("labels") or {})
        for unit in walk(predictor["graph"]):
            _default_unit(unit)
        given = {box["name"] for _, box in containers_of(predictor)}
        _add_server_containers(predictor, protocol)
        boxes = list(containers_of(predictor))
        # What the user lists is numbered first; then come the servers that the operator adds.
        for index, container in [box for box in boxes if box[1]["name"] in given] + [
            box for box in boxes if box[1]["name"] not in given
        ]:
            _default_container(deployment, predictor, index, container, numbers)
    return deployment


class _Numbers:
    """
    Ports in the order of a deployment's containers, across all its predictors.

    Containers of one name share their HTTP and gRPC ports; each container with metrics has its own port, so
    that the removal of an earlier predictor changes the later ones.
    """

    def __init__(self) -> None:
        self._places: dict[str, int] = {}
        self.metrics = FIRST_METRICS_PORT

    def place(self, name: str) -> int:
        """The number of earlier names."""
        return self._places.setdefault(name, len(self._places))


def _default_unit(unit: Manifest) -> None:
    if not (unit.get("type") or unit.get("methods") or unit.get("implementation")):
        unit["type"] = "MODEL"
    if not unit.get("implementation"):
        unit["implementation"] = "UNKNOWN_IMPLEMENTATION"
    elif is_prepackaged(unit["implementation"]):
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
        if not container.get("image") and image and protocol != "tensorflow":
            container["image"] = image


def _default_container(
    deployment: Manifest, predictor: Manifest, index: int, container: Manifest, numbers: _Numbers
) -> None:
    """The first entry of ``componentSpecs`` shares a pod with the engine; only units are changed."""
    place = numbers.place(container["name"])
    unit = unit_of(predictor["graph"], container["name"])
    if unit is None:
        return
    container["imagePullPolicy"] = container.get("imagePullPolicy") or "IfNotPresent"
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    _mount(container, PODINFO_VOLUME, "/etc/podinfo")
    if _port(container, "metrics") is None:
        port = {"name": "metrics", "containerPort": numbers.metrics, "protocol": "TCP"}
        container["ports"] = [*(container.get("ports") or []), port]
        numbers.metrics += 1
    endpoint = unit["endpoint"]
    service = naming.container_service(deployment, predictor, container["name"])
    separate = has_separate_engine(deployment)
    remote = f"{service}.{namespace_of(deployment)}.svc.cluster.local"
    endpoint["service_host"] = "localhost" if index == 0 and not separate else remote
    endpoint["httpPort"] = _port(container, "http") or FIRST_HTTP_PORT + place
    endpoint["grpcPort"] = _port(container, "grpc") or FIRST_GRPC_PORT + place
    wants_grpc = dig(deployment, "spec", "transport") == "grpc" or endpoint.get("type") == "GRPC"
    endpoint["service_port"] = endpoint["grpcPort"] if wants_grpc else endpoint["httpPort"]


def _mount(container: Manifest, volume: str, path: str) -> None:
    mounts = container["volumeMounts"] = list(container.get("volumeMounts") or [])
    if not any(mount.get("name") == volume for mount in mounts):
        mounts.append({"name": volume, "mountPath": path})


def _port(container: Manifest, name: str) -> int | None:
    """The container's port of that name, if it has one."""
    found = (port["containerPort"] for port in container.get("ports") or [] if port.get("name") == name)
    number = next(found, None)
    return None if number is None else int(number)
