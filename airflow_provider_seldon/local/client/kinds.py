"""The resource types of the Kubernetes API that the controllers, the kubelet and the gateway use. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Manifest = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One resource type of the API: its group version and its names."""

    api_version: str
    plural: str
    kind: str
    namespaced: bool = True

    def path(
        self, namespace: str | None = None, name: str | None = None, subresource: str | None = None
    ) -> str:
        """URL path of a collection (no name), an object or one of its subresources."""
        root = "/api" if "/" not in self.api_version else "/apis"
        parts = [root, self.api_version]
        if self.namespaced and namespace:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        parts += [part for part in (name, subresource) if part]
        return "/".join(parts)


SELDON_DEPLOYMENTS = Kind(
    api_version="machinelearning.seldon.io/v1", plural="seldondeployments", kind="SeldonDeployment"
)
DEPLOYMENTS = Kind(api_version="apps/v1", plural="deployments", kind="Deployment")
REPLICA_SETS = Kind(api_version="apps/v1", plural="replicasets", kind="ReplicaSet")
PODS = Kind(api_version="v1", plural="pods", kind="Pod")
SERVICES = Kind(api_version="v1", plural="services", kind="Service")
SECRETS = Kind(api_version="v1", plural="secrets", kind="Secret")
CONFIG_MAPS = Kind(api_version="v1", plural="configmaps", kind="ConfigMap")
EVENTS = Kind(api_version="v1", plural="events", kind="Event")
NAMESPACES = Kind(api_version="v1", plural="namespaces", kind="Namespace", namespaced=False)
NODES = Kind(api_version="v1", plural="nodes", kind="Node", namespaced=False)
CUSTOM_RESOURCE_DEFINITIONS = Kind(
    api_version="apiextensions.k8s.io/v1",
    plural="customresourcedefinitions",
    kind="CustomResourceDefinition",
    namespaced=False,
)
HORIZONTAL_POD_AUTOSCALERS = Kind(
    api_version="autoscaling/v2", plural="horizontalpodautoscalers", kind="HorizontalPodAutoscaler"
)
POD_DISRUPTION_BUDGETS = Kind(
    api_version="policy/v1", plural="poddisruptionbudgets", kind="PodDisruptionBudget"
)
VIRTUAL_SERVICES = Kind(
    api_version="networking.istio.io/v1alpha3", plural="virtualservices", kind="VirtualService"
)
SCALED_OBJECTS = Kind(api_version="keda.sh/v1alpha1", plural="scaledobjects", kind="ScaledObject")
