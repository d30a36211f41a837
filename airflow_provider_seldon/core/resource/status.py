"""
The status that the operator reports for a SeldonDeployment.

Only its structure: ``readiness`` decides what a status proves. Source: Seldon Core reference, status.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from airflow_provider_seldon.core.resource.manifest_model import Int, Lenient, ManifestModel, StringMap, Text


class DeploymentState(StrEnum):
    """``status.state``: the operator writes the first three; UNKNOWN stands for none or any other."""

    AVAILABLE = "Available"
    CREATING = "Creating"
    FAILED = "Failed"
    UNKNOWN = "Unknown"

    @classmethod
    def of(cls, text: object) -> DeploymentState:
        """Return the state that ``text`` names, in any case; anything else is UNKNOWN."""
        wanted = text.strip().lower() if isinstance(text, str) else ""
        return next((state for state in cls if state.value.lower() == wanted), cls.UNKNOWN)


class Condition(ManifestModel):
    """A knative-style condition; ``status`` is the text True, False or Unknown, ``reason`` a sentence."""

    type: Text = None
    status: Text = None
    reason: Text = None
    message: Text = None
    severity: Text = None
    last_transition_time: Text = Field(None, alias="lastTransitionTime")


class DeploymentStatus(ManifestModel):
    """Replica counts of one child Deployment. The operator leaves zeroes out."""

    name: Text = None
    status: Text = None
    description: Text = None
    replicas: Int = None
    available_replicas: Int = Field(None, alias="availableReplicas")
    explainer_for: Text = Field(None, alias="explainerFor")


class ServiceStatus(ManifestModel):
    """One Service; the endpoints are ``service.namespace:port``."""

    svc_name: Text = Field(None, alias="svcName")
    http_endpoint: Text = Field(None, alias="httpEndpoint")
    grpc_endpoint: Text = Field(None, alias="grpcEndpoint")
    explainer_for: Text = Field(None, alias="explainerFor")


class Address(ManifestModel):
    """The in-cluster REST URL of the first predictor."""

    url: Text = None


class SeldonDeploymentStatus(ManifestModel):
    """
    ``status`` of a SeldonDeployment.

    ``observed_generation`` and ``annotations`` are in the schema, but no release ever sets them.
    """

    state: Text = None
    description: Text = None
    deployment_status: Annotated[dict[str, Annotated[DeploymentStatus, Lenient]] | None, Lenient] = Field(
        None, alias="deploymentStatus"
    )
    service_status: Annotated[dict[str, Annotated[ServiceStatus, Lenient]] | None, Lenient] = Field(
        None, alias="serviceStatus"
    )
    replicas: Int = None
    address: Annotated[Address | None, Lenient] = None
    conditions: Annotated[list[Annotated[Condition, Lenient]] | None, Lenient] = None
    observed_generation: Int = Field(None, alias="observedGeneration")
    annotations: StringMap = None

    def condition(self, type: str) -> Condition | None:
        """Return the condition of that type, e.g. ``Ready``."""
        conditions = self.conditions if isinstance(self.conditions, list) else []
        readable = (condition for condition in conditions if isinstance(condition, Condition))
        return next((condition for condition in readable if condition.type == type), None)
