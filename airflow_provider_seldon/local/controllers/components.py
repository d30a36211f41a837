"""The children that a SeldonDeployment asks for: Deployments, Services, autoscalers, budgets. Pure.

Rules and names: Seldon Core reference, sections 1.2, 2.2, 3.2 and 7. Nothing here looks at the cluster; what
exists already is the business of :mod:`.seldon`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from airflow_provider_seldon.local.api import Manifest

from . import naming, scaling
from .children import LABEL_ID, MANAGED_BY, add_selector_labels, child_deployment, complete_pod, skeleton
from .containers import (
    ANNOTATION_NO_STORAGE_INITIALIZER,
    ENGINE,
    ENGINE_GRPC_PORT,
    ENGINE_HTTP_PORT,
    add_initializer,
    add_tensorflow_serving,
    complete_unit_container,
    engine_container,
)
from .defaults import has_no_engine, has_separate_engine, unit_of, walk, with_defaults
from .errors import ComponentError
from .explainers import EXPLAINER_GRPC_PORT, EXPLAINER_PORT, explainer_deployment
from .manifests import dig, name_of, namespace_of
from .servers import SERVERS, is_hardcoded, is_prepackaged, protocol_key

LABEL_APP = "seldon-app"
LABEL_CONTAINER_SERVICE = "seldon-app-svc"
LABEL_ENGINE = "seldon-deployment-contains-svcorch"

_UNIT_LABELS = {
    "MODEL": "seldon.io/model",
    "ROUTER": "seldon.io/router",
    "COMBINER": "seldon.io/combiner",
    "TRANSFORMER": "seldon.io/transformer",
    "OUTPUT_TRANSFORMER": "seldon.io/output-transformer",
}


@dataclass(kw_only=True)
class Components:
    """What one pass of the operator wants to exist."""

    deployments: list[Manifest] = field(default_factory=list)
    services: list[Manifest] = field(default_factory=list)
    service_details: dict[str, Manifest] = field(default_factory=dict)
    horizontal_pod_autoscalers: list[Manifest] = field(default_factory=list)
    scaled_objects: list[Manifest] = field(default_factory=list)
    pod_disruption_budgets: list[Manifest] = field(default_factory=list)
    address: str = ""
    default_deployment: str = ""


def build(deployment: Manifest) -> Components:
    """Work out the children of a SeldonDeployment as it is stored.

    :raises ComponentError: what the operator would report as state ``Failed`` (section 2.6, "permanent")
    """
    deployment = with_defaults(deployment)
    components = Components()
    for number, predictor in enumerate(dig(deployment, "spec", "predictors", default=[])):
        _Builder(deployment, predictor, components, first=number == 0).build()
    return components


def replicas_of(deployment: Manifest, predictor: Manifest, component: Manifest) -> int | None:
    """Wanted replicas of one component; None where an autoscaler decides (section 1.2)."""
    if component.get("kedaSpec") or component.get("hpaSpec"):
        return None
    for owner in (component, predictor, deployment.get("spec") or {}):
        if owner.get("replicas") is not None:
            return int(owner["replicas"])
    return 1


class _Builder:
    """Adds one predictor's children to the components."""

    def __init__(
        self, deployment: Manifest, predictor: Manifest, components: Components, *, first: bool
    ) -> None:
        self.deployment = deployment
        self.predictor = predictor
        self.components = components
        self.first = first
        self.namespace = namespace_of(deployment)
        self.service = naming.predictor_service(deployment, predictor)
        self.protocol = protocol_key(dig(deployment, "spec", "protocol"))
        self.no_engine = has_no_engine(predictor)

    def build(self) -> None:
        separate = has_separate_engine(self.deployment) and not self.no_engine
        if separate:
            self.components.deployments.append(self._engine_deployment())
        for index, component in enumerate(self.predictor.get("componentSpecs") or []):
            if dig(component, "spec", "containers"):
                self._add_component(component, index)
        if not self.no_engine:
            if not separate:
                self._inject_engine()
            ports = ENGINE_HTTP_PORT, ENGINE_GRPC_PORT
            self._add_service(self.service, ports, selector={LABEL_APP: self.service})
            if self.first:
                self._set_address(ENGINE_HTTP_PORT)
        self._add_explainer()

    def _add_component(self, component: Manifest, index: int) -> None:
        name = naming.component_deployment(self.deployment, self.predictor, component, index)
        if self.first and index == 0:
            self.components.default_deployment = name
        child = child_deployment(self.deployment, self.predictor, name, component)
        replicas = replicas_of(self.deployment, self.predictor, component)
        if replicas is not None:
            child["spec"]["replicas"] = replicas
        self.components.deployments.append(child)
        self._add_scaling(component, name)
        for container in child["spec"]["template"]["spec"]["containers"]:
            unit = unit_of(self.predictor["graph"], container["name"])
            if unit is None or "httpPort" not in unit["endpoint"]:
                continue  # not every container is a graph unit
            self._add_unit(child, container, unit)

    def _add_unit(self, child: Manifest, container: Manifest, unit: Manifest) -> None:
        if is_prepackaged(unit["implementation"]) and not container.get("image"):
            reason = "Failed to get server config for"
            if unit["implementation"] in SERVERS:
                reason = f"no image compatible with {self.protocol} protocol for"
            raise ComponentError(f"{reason} {unit['implementation']}")
        pod = child["spec"]["template"]["spec"]
        complete_unit_container(container, unit=unit, deployment=self.deployment, predictor=self.predictor)
        if ANNOTATION_NO_STORAGE_INITIALIZER not in dig(self.deployment, "spec", "annotations", default={}):
            add_initializer(pod, container, unit)
        if unit["implementation"] == "TENSORFLOW_SERVER" and self.protocol == "seldon":
            add_tensorflow_serving(pod, container, unit)
        if unit.get("serviceAccountName"):
            pod["serviceAccountName"] = unit["serviceAccountName"]
        service = naming.container_service(self.deployment, self.predictor, container["name"])
        label = f"{LABEL_CONTAINER_SERVICE}-{container['name']}"
        add_selector_labels(child, {label: service})
        kind = _UNIT_LABELS.get(unit.get("type") or "")
        if kind:
            for labels in (child["metadata"]["labels"], child["spec"]["template"]["metadata"]["labels"]):
                labels[kind] = "true"
        ports = unit["endpoint"]["httpPort"], unit["endpoint"]["grpcPort"]
        self._add_service(service, ports, selector={label: service}, labels={label: service})
        if self.no_engine:
            add_selector_labels(child, {LABEL_APP: self.service})
            self._add_service(self.service, ports, selector={LABEL_APP: self.service})
            if self.first:
                self._set_address(ports[0])

    def _inject_engine(self) -> None:
        """The engine joins the pod of the first unit that is reached through localhost."""
        units = [unit for unit in walk(self.predictor["graph"]) if not is_hardcoded(unit["implementation"])]
        local = [unit for unit in units if unit["endpoint"].get("service_host") == "localhost"]
        if not local:
            raise ComponentError(
                "engine not separate and no pu with localhost service - not clear where to inject engine"
            )
        for child in self.components.deployments:
            pod = child["spec"]["template"]["spec"]
            names = [container["name"] for container in pod["containers"]]
            mine = dig(child, "metadata", "labels", LABEL_CONTAINER_SERVICE + "-" + local[0]["name"])
            own = naming.container_service(self.deployment, self.predictor, local[0]["name"])
            if local[0]["name"] in names and mine == own:
                if ENGINE not in names:
                    pod["containers"].append(engine_container(self.deployment, self.predictor))
                child["metadata"]["labels"][LABEL_ENGINE] = "true"
                add_selector_labels(child, {LABEL_APP: self.service})
                return
        raise ComponentError(
            "engine not separate and no deployment for pu with localhost service"
            " - not clear where to inject engine"
        )

    def _engine_deployment(self) -> Manifest:
        """A separate engine: its id label holds the *Service* name, and only spec annotations reach it."""
        name = naming.engine_deployment(self.deployment, self.predictor)
        labels = {LABEL_APP: self.service, LABEL_ID: self.service}
        child = skeleton(self.deployment, name)
        child["metadata"]["labels"] = {
            **labels,
            LABEL_ENGINE: "true",
            "app": name,
            "version": "v1",
            "fluentd": "true",
        }
        child["metadata"]["annotations"] = dict(dig(self.deployment, "spec", "annotations", default={}))
        template = child["spec"]["template"]
        template["metadata"]["labels"] = {**labels, "app": name}
        template["spec"] = {"containers": [engine_container(self.deployment, self.predictor)]}
        complete_pod(template["spec"])
        child["spec"]["selector"]["matchLabels"] = labels
        child["spec"]["replicas"] = int(dig(self.predictor, "svcOrchSpec", "replicas", default=1))
        return child

    def _add_explainer(self) -> None:
        child = explainer_deployment(self.deployment, self.predictor)
        if child is None:
            return
        name = name_of(child)
        add_selector_labels(child, {LABEL_APP: name})
        self.components.deployments.append(child)
        self._add_service(name, (EXPLAINER_PORT, EXPLAINER_GRPC_PORT), selector={LABEL_APP: name})
        self.components.service_details[name]["explainerFor"] = self.service

    def _add_service(
        self,
        name: str,
        ports: tuple[int, int],
        *,
        selector: dict[str, str],
        labels: dict[str, str] | None = None,
    ) -> None:
        endpoint = f"{name}.{self.namespace}"
        self.components.service_details[name] = {
            "svcName": name,
            "httpEndpoint": f"{endpoint}:{ports[0]}",
            "grpcEndpoint": f"{endpoint}:{ports[1]}",
        }
        app = self.service if labels else name
        self.components.services.append(
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {
                    "name": name,
                    "namespace": self.namespace,
                    "labels": {LABEL_ID: naming.deployment_id(self.deployment), LABEL_APP: app}
                    | (labels or MANAGED_BY),
                    "annotations": dict(self.predictor.get("annotations") or {}),
                },
                "spec": {
                    "type": "ClusterIP",
                    "sessionAffinity": "None",
                    "selector": selector,
                    "ports": [
                        {"name": "http", "protocol": "TCP", "port": ports[0], "targetPort": ports[0]},
                        {"name": "grpc", "protocol": "TCP", "port": ports[1], "targetPort": ports[1]},
                    ],
                },
            }
        )

    def _set_address(self, port: int) -> None:
        """``status.address.url``: always HTTP and REST, of the first predictor (section 6)."""
        root = self.predictor["graph"]["name"]
        path = {
            "v2": f"/v2/models/{root}/infer",
            "tensorflow": f"/v1/models/{root}:predict",
        }.get(self.protocol, "/api/v1.0/predictions")
        self.components.address = f"http://{self.service}.{self.namespace}.svc.cluster.local:{port}{path}"

    def _add_scaling(self, component: Manifest, name: str) -> None:
        seldon_id = naming.deployment_id(self.deployment)
        scaler = scaling.horizontal_pod_autoscaler(component, name, self.namespace, seldon_id)
        keda = scaling.scaled_object(component, name, self.namespace, seldon_id)
        budget = scaling.pod_disruption_budget(component, name, self.namespace, seldon_id)
        self.components.horizontal_pod_autoscalers += [scaler] if scaler else []
        self.components.scaled_objects += [keda] if keda else []
        self.components.pod_disruption_budgets += [budget] if budget else []
