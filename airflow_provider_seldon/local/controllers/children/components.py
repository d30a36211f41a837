"""The children of a SeldonDeployment: Deployments, Services, autoscalers, budgets. Pure.

Rules and names: Seldon Core reference, sections 1.2, 2.2, 3.2 and 7. This module does not read the cluster;
:mod:`.seldon` handles existing objects.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from airflow_provider_seldon.local.client.kinds import Manifest
from airflow_provider_seldon.local.controllers.children import autoscalers, naming
from airflow_provider_seldon.local.controllers.children.containers import complete_unit_container
from airflow_provider_seldon.local.controllers.children.defaults import (
    has_no_engine,
    has_separate_engine,
    unit_of,
    walk,
    with_defaults,
)
from airflow_provider_seldon.local.controllers.children.engine import (
    ENGINE,
    ENGINE_GRPC_PORT,
    ENGINE_HTTP_PORT,
    engine_container,
    mount_certificate,
)
from airflow_provider_seldon.local.controllers.children.explainers import (
    LABEL_APP,
    explainer_deployment,
    is_explained,
    service_port,
)
from airflow_provider_seldon.local.controllers.children.frame import (
    LABEL_ID,
    MANAGED_BY,
    PROMETHEUS,
    add_labels,
    add_selector_labels,
    child_deployment,
    complete_pod,
    skeleton,
    unit_labels,
)
from airflow_provider_seldon.local.controllers.children.model_servers import TFSERVING, add_model_servers
from airflow_provider_seldon.local.controllers.children.servers import is_hardcoded, protocol_key
from airflow_provider_seldon.local.controllers.children.virtual_services import (
    explainer_virtual_service,
    predictors_virtual_service,
)
from airflow_provider_seldon.local.controllers.errors import ComponentError
from airflow_provider_seldon.local.controllers.manifests import dig, name_of, namespace_of

__all__ = ["LABEL_APP", "Components", "build", "replicas_of"]

LABEL_CONTAINER_SERVICE = "seldon-app-svc"
LABEL_ENGINE = "seldon-deployment-contains-svcorch"

_SERVICE_ACCOUNT = "default"
"""Service account of a separate engine, as set by the Helm chart."""


@dataclass(kw_only=True)
class Components:
    """The objects that should exist after one pass of the operator."""

    deployments: list[Manifest] = field(default_factory=list)
    services: list[Manifest] = field(default_factory=list)
    service_details: dict[str, Manifest] = field(default_factory=dict)
    horizontal_pod_autoscalers: list[Manifest] = field(default_factory=list)
    scaled_objects: list[Manifest] = field(default_factory=list)
    pod_disruption_budgets: list[Manifest] = field(default_factory=list)
    virtual_services: list[Manifest] = field(default_factory=list)
    autoscaled: set[str] = field(default_factory=set)
    address: str = ""
    default_deployment: str = ""


def build(deployment: Manifest) -> Components:
    """Compute the children of a stored SeldonDeployment.

    :raises ComponentError: the operator would report the state ``Failed`` (section 2.6, "permanent")
    """
    deployment = with_defaults(deployment)
    components = Components()
    for number, predictor in enumerate(dig(deployment, "spec", "predictors", default=[])):
        _Builder(deployment, predictor, components, first=number == 0).build()
    ports = _ports_of(deployment, components)
    components.virtual_services.append(predictors_virtual_service(deployment, ports))
    return components


def _ports_of(deployment: Manifest, components: Components) -> list[dict[str, int]]:
    """The ports of each predictor's Service."""
    services = {name_of(service): service for service in components.services}
    found = []
    for predictor in dig(deployment, "spec", "predictors", default=[]):
        service = services.get(naming.predictor_service(deployment, predictor))
        ports = dig(service, "spec", "ports", default=[])
        found.append({"http": 0, "grpc": 0} | {port["name"]: int(port["port"]) for port in ports})
    return found


def replicas_of(deployment: Manifest, predictor: Manifest, component: Manifest) -> int | None:
    """Desired replicas of one component; None if an autoscaler decides, or nothing does (section 1.2)."""
    if component.get("kedaSpec") or component.get("hpaSpec"):
        return None
    for owner in (component, predictor, deployment.get("spec") or {}):
        if owner.get("replicas") is not None:
            return int(owner["replicas"])
    return None


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
        certificate = dig(self.predictor, "ssl", "certSecretName")
        if separate:
            engine = self._engine_deployment()
            if certificate:
                mount_certificate(engine, certificate)
            self.components.deployments.append(engine)
        children: list[Manifest] = []
        for index, component in enumerate(self.predictor.get("componentSpecs") or []):
            if dig(component, "spec", "containers"):
                children.append(self._add_component(component, index))
        self.components.deployments += children
        add_model_servers(self.deployment, self.predictor, children)
        if not self.no_engine:
            if not separate:
                self._inject_engine(children)
            if certificate:
                mount_certificate(_child_of(children, self.predictor["graph"]["name"]), certificate)
            ports = {"http": ENGINE_HTTP_PORT, "grpc": ENGINE_GRPC_PORT}
            self._add_service(self.service, ports, selector={LABEL_APP: self.service})
            if self.first:
                self._set_address(ENGINE_HTTP_PORT)
        self._add_explainer()

    def _add_component(self, component: Manifest, index: int) -> Manifest:
        name = naming.component_deployment(self.deployment, self.predictor, component, index)
        if self.first and index == 0:
            self.components.default_deployment = name
        child = child_deployment(self.deployment, self.predictor, name, component)
        replicas = replicas_of(self.deployment, self.predictor, component)
        if replicas is not None:
            child["spec"]["replicas"] = replicas
        self._add_scaling(component, name)
        for container in child["spec"]["template"]["spec"]["containers"]:
            unit = unit_of(self.predictor["graph"], container["name"])
            add_labels(child, unit_labels(unit, self.predictor))
            if unit is not None and container["name"] not in (ENGINE, TFSERVING):
                self._add_unit(child, container, unit)
        return child

    def _add_unit(self, child: Manifest, container: Manifest, unit: Manifest) -> None:
        complete_unit_container(container, unit=unit, deployment=self.deployment, predictor=self.predictor)
        service = naming.container_service(self.deployment, self.predictor, container["name"])
        label = f"{LABEL_CONTAINER_SERVICE}-{container['name']}"
        add_selector_labels(child, {label: service})
        ports = {"http": unit["endpoint"]["httpPort"], "grpc": unit["endpoint"]["grpcPort"]}
        labels = unit_labels(unit, self.predictor)
        self._add_service(service, ports, selector={label: service}, labels=labels | {label: service})
        if self.no_engine:
            add_selector_labels(child, {LABEL_APP: self.service})
            self._add_service(self.service, ports, selector={LABEL_APP: self.service}, labels=labels)
            if self.first:
                self._set_address(ports["http"])

    def _inject_engine(self, children: list[Manifest]) -> None:
        """Add the engine to the pod of the first unit on localhost."""
        units = [unit for unit in walk(self.predictor["graph"]) if not is_hardcoded(unit["implementation"])]
        local = [unit for unit in units if unit["endpoint"].get("service_host") == "localhost"]
        if not local:
            raise ComponentError(
                "engine not separate and no pu with localhost service - not clear where to inject engine"
            )
        child = _child_of(children, local[0]["name"])
        containers = child["spec"]["template"]["spec"]["containers"]
        if ENGINE not in [container["name"] for container in containers]:
            containers.append(engine_container(self.deployment, self.predictor))
            # Once more, over those of the component.
            for holder in (child, child["spec"]["template"]):
                holder["metadata"]["annotations"] |= self.predictor.get("annotations") or {}
            child["metadata"]["labels"][LABEL_ENGINE] = "true"
            add_selector_labels(child, {LABEL_APP: self.service})

    def _engine_deployment(self) -> Manifest:
        """A separate engine: its id label has the *Service* name, and it only gets annotations of the spec."""
        name = naming.engine_deployment(self.deployment, self.predictor)
        labels = {LABEL_APP: self.service, LABEL_ID: self.service}
        child = skeleton(self.deployment, name)
        more = {"app": name} | self.predictor["labels"]
        child["metadata"]["labels"] = labels | {LABEL_ENGINE: "true", "fluentd": "true"} | more
        child["metadata"]["annotations"] = dict(dig(self.deployment, "spec", "annotations", default={}))
        template = child["spec"]["template"]
        template["metadata"] = {"labels": labels | more, "annotations": dict(PROMETHEUS)}
        template["spec"] = {
            "containers": [engine_container(self.deployment, self.predictor)],
            "serviceAccountName": _SERVICE_ACCOUNT,
        }
        complete_pod(template["spec"])
        child["spec"]["selector"]["matchLabels"] = labels
        owners = (self.predictor.get("svcOrchSpec"), self.predictor, self.deployment.get("spec"))
        given = (owner["replicas"] for owner in owners if owner and owner.get("replicas") is not None)
        replicas = next(given, None)
        if replicas is not None:
            child["spec"]["replicas"] = int(replicas)
        return child

    def _add_explainer(self) -> None:
        if not is_explained(self.predictor):
            return
        details = self.components.service_details[self.service]
        child = explainer_deployment(self.deployment, self.predictor, details)
        name = name_of(child)
        self.components.deployments.append(child)
        labels = unit_labels(None, self.predictor) | {LABEL_APP: self.service}
        ports = {"http": service_port(self.predictor)}
        self._add_service(name, ports, selector={LABEL_APP: name}, labels=labels)
        self.components.service_details[name]["explainerFor"] = self.service
        route = explainer_virtual_service(self.deployment, self.predictor, ports["http"])
        self.components.virtual_services.append(route)

    def _add_service(
        self,
        name: str,
        ports: dict[str, int],
        *,
        selector: dict[str, str],
        labels: dict[str, str] | None = None,
    ) -> None:
        endpoint = f"{name}.{self.namespace}"
        self.components.service_details[name] = {"svcName": name} | {
            f"{kind}Endpoint": f"{endpoint}:{port}" for kind, port in ports.items()
        }
        own = {LABEL_ID: naming.deployment_id(self.deployment), LABEL_APP: self.service}
        self.components.services.append(
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {
                    "name": name,
                    "namespace": self.namespace,
                    "labels": own | (labels or MANAGED_BY),
                    "annotations": dict(self.predictor.get("annotations") or {}),
                },
                "spec": {
                    "type": "ClusterIP",
                    "sessionAffinity": "None",
                    "selector": selector,
                    "ports": [
                        {"name": kind, "protocol": "TCP", "port": port, "targetPort": port}
                        for kind, port in ports.items()
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
        if component.get("hpaSpec") or component.get("kedaSpec"):
            self.components.autoscaled.add(name)
        scaler = autoscalers.horizontal_pod_autoscaler(component, name, self.namespace, seldon_id)
        keda = autoscalers.scaled_object(component, name, self.namespace, seldon_id)
        budget = autoscalers.pod_disruption_budget(component, name, self.namespace, seldon_id)
        self.components.horizontal_pod_autoscalers += [scaler] if scaler else []
        self.components.scaled_objects += [keda] if keda else []
        self.components.pod_disruption_budgets += [budget] if budget else []


def _child_of(children: list[Manifest], container: str) -> Manifest:
    """The Deployment whose pods have a container of that name."""
    for child in children:
        if any(one["name"] == container for one in child["spec"]["template"]["spec"]["containers"]):
            return child
    raise ComponentError(
        "engine not separate and no deployment for pu with localhost service"
        " - not clear where to inject engine"
    )
