"""
A predictor: one version of a model with its graph, its pods and its share of the traffic.

Source: Seldon Core reference, the v1 CRD. Pod specs, metrics and containers are types of Kubernetes and stay
plain mappings.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from airflow_provider_seldon.core.resource.graph import Endpoint, PredictiveUnit
from airflow_provider_seldon.core.resource.manifest_model import (
    Bool,
    Int,
    Items,
    Lenient,
    ManifestModel,
    Object,
    StringMap,
    Text,
)


class HpaSpec(ManifestModel):
    """
    Horizontal autoscaling of one component; ``maxReplicas`` is required. Disables all ``replicas`` fields.
    """

    min_replicas: Int = Field(None, alias="minReplicas")
    max_replicas: Int = Field(None, alias="maxReplicas")
    metrics: Items = None
    metricsv2: Items = None


class KedaSpec(ManifestModel):
    """KEDA autoscaling of one component; ``triggers`` is required. Takes precedence over ``hpaSpec``."""

    polling_interval: Int = Field(None, alias="pollingInterval")
    cooldown_period: Int = Field(None, alias="cooldownPeriod")
    idle_replica_count: Int = Field(None, alias="idleReplicaCount")
    min_replica_count: Int = Field(None, alias="minReplicaCount")
    max_replica_count: Int = Field(None, alias="maxReplicaCount")
    advanced: Object = None
    triggers: Items = None
    fallback: Object = None


class PdbSpec(ManifestModel):
    """Pod disruption budget of one component: a number of pods, or a percentage as text."""

    min_available: Any = Field(None, alias="minAvailable")
    max_unavailable: Any = Field(None, alias="maxUnavailable")


class SeldonPodSpec(ManifestModel):
    """
    An entry of ``componentSpecs``: the pods of one Kubernetes Deployment.

    ``metadata.name`` changes the name of that Deployment; ``replicas`` takes precedence over the predictor's.
    """

    metadata: Object = None
    spec: Object = None
    replicas: Int = None
    hpa_spec: Annotated[HpaSpec | None, Lenient] = Field(None, alias="hpaSpec")
    keda_spec: Annotated[KedaSpec | None, Lenient] = Field(None, alias="kedaSpec")
    pdb_spec: Annotated[PdbSpec | None, Lenient] = Field(None, alias="pdbSpec")

    @property
    def containers(self) -> list[dict[str, Any]]:
        """The containers of the pod spec; empty when there are none."""
        containers = self.spec.get("containers") if isinstance(self.spec, dict) else None
        return [c for c in containers if isinstance(c, dict)] if isinstance(containers, list) else []


#: Explainer types that Seldon's operator knows; with protocol v2 it accepts no other.
EXPLAINER_TYPES = (
    "AnchorTabular",
    "AnchorImages",
    "AnchorText",
    "Counterfactuals",
    "Contrastive",
    "KernelShap",
    "IntegratedGradients",
    "ALE",
    "TreeShap",
)


class Explainer(ManifestModel):
    """
    A model explainer in addition to the predictor; without ``type`` there is none.

    The operator passes the type to the explainer's image, and only the image knows the valid types; with
    protocol v2 the operator accepts only those above.
    """

    type: Text = None
    model_uri: Text = Field(None, alias="modelUri")
    service_account_name: Text = Field(None, alias="serviceAccountName")
    container_spec: Object = Field(None, alias="containerSpec")
    config: StringMap = None
    endpoint: Annotated[Endpoint | None, Lenient] = None
    env_secret_ref_name: Text = Field(None, alias="envSecretRefName")
    storage_initializer_image: Text = Field(None, alias="storageInitializerImage")
    replicas: Int = None
    init_parameters: Text = Field(None, alias="initParameters")


class SvcOrchSpec(ManifestModel):
    """The service orchestrator ("engine"). ``replicas`` matters only with a separate engine pod."""

    resources: Object = None
    env: Items = None
    replicas: Int = None


class SslSpec(ManifestModel):
    """TLS between the engine and its clients."""

    cert_secret_name: Text = Field(None, alias="certSecretName")


class Predictor(ManifestModel):
    """
    An entry of ``spec.predictors``. ``name`` and ``graph`` are required by the CRD.

    ``engine_resources`` has no effect in any v1 release; ``svc_orch_spec.resources`` has.
    """

    name: Text = None
    graph: Annotated[PredictiveUnit | None, Lenient] = None
    component_specs: Annotated[list[Annotated[SeldonPodSpec, Lenient]] | None, Lenient] = Field(
        None, alias="componentSpecs"
    )
    replicas: Int = None
    annotations: StringMap = None
    labels: StringMap = None
    traffic: Int = None
    shadow: Bool = None
    explainer: Annotated[Explainer | None, Lenient] = None
    svc_orch_spec: Annotated[SvcOrchSpec | None, Lenient] = Field(None, alias="svcOrchSpec")
    engine_resources: Object = Field(None, alias="engineResources")
    ssl: Annotated[SslSpec | None, Lenient] = None
    progress_deadline_seconds: Int = Field(None, alias="progressDeadlineSeconds")

    @property
    def nodes(self) -> list[PredictiveUnit]:
        """All nodes of the graph, parents before children; empty without a readable graph."""
        return list(self.graph.walk()) if isinstance(self.graph, PredictiveUnit) else []

    @property
    def components(self) -> list[SeldonPodSpec]:
        """The readable entries of ``componentSpecs``; empty when there are none."""
        specs = self.component_specs if isinstance(self.component_specs, list) else []
        return [spec for spec in specs if isinstance(spec, SeldonPodSpec)]

    def container(self, name: str | None) -> dict[str, Any] | None:
        """Return the first container of that name in any component."""
        containers = (container for component in self.components for container in component.containers)
        return next((container for container in containers if container.get("name") == name), None)
