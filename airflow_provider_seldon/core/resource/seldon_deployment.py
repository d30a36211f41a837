"""
The SeldonDeployment custom resource, as pydantic models of the whole v1 CRD, without loss.

``SeldonDeployment.from_manifest`` reads and ``to_manifest`` writes, and ``from_manifest(m).to_manifest() ==
m`` for every manifest that is JSON: unknown fields are kept, absent ones stay absent, nulls stay, and a value
of a type that the CRD does not allow is kept unchanged. So the content of a SeldonDeployment never makes
reading fail; ``validation`` reports what is wrong with it. This module neither builds requests
(``model_server``) nor evaluates a status (``readiness``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import Field

from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.resource.graph import Endpoint, Logger, Parameter, PredictiveUnit
from airflow_provider_seldon.core.resource.manifest import json_copy, parse_yaml
from airflow_provider_seldon.core.resource.manifest_model import (
    Int,
    Items,
    Lenient,
    ManifestModel,
    StringMap,
    Text,
)
from airflow_provider_seldon.core.resource.predictor import (
    Explainer,
    HpaSpec,
    KedaSpec,
    PdbSpec,
    Predictor,
    SeldonPodSpec,
    SslSpec,
    SvcOrchSpec,
)
from airflow_provider_seldon.core.resource.status import (
    Address,
    Condition,
    DeploymentState,
    DeploymentStatus,
    SeldonDeploymentStatus,
    ServiceStatus,
)

__all__ = [
    "API_VERSION",
    "GROUP",
    "KIND",
    "PLURAL",
    "SERVED_VERSIONS",
    "VERSION",
    "Address",
    "Condition",
    "DeploymentState",
    "DeploymentStatus",
    "Endpoint",
    "Explainer",
    "HpaSpec",
    "KedaSpec",
    "Logger",
    "ObjectMeta",
    "Parameter",
    "PdbSpec",
    "PredictiveUnit",
    "Predictor",
    "SeldonDeployment",
    "SeldonDeploymentSpec",
    "SeldonDeploymentStatus",
    "SeldonPodSpec",
    "ServiceStatus",
    "SslSpec",
    "SvcOrchSpec",
]

GROUP = "machinelearning.seldon.io"
VERSION = "v1"
#: Three names for the same types; there is no conversion, so a manifest has the same meaning under each.
SERVED_VERSIONS = ("v1", "v1alpha2", "v1alpha3")
PLURAL = "seldondeployments"
KIND = "SeldonDeployment"
API_VERSION = f"{GROUP}/{VERSION}"


class ObjectMeta(ManifestModel):
    """Kubernetes object metadata: the fields that this provider uses; the rest is kept."""

    name: Text = None
    namespace: Text = None
    uid: Text = None
    generation: Int = None
    resource_version: Text = Field(None, alias="resourceVersion")
    labels: StringMap = None
    annotations: StringMap = None
    creation_timestamp: Text = Field(None, alias="creationTimestamp")
    deletion_timestamp: Text = Field(None, alias="deletionTimestamp")
    owner_references: Items = Field(None, alias="ownerReferences")
    managed_fields: Items = Field(None, alias="managedFields")


class SeldonDeploymentSpec(ManifestModel):
    """
    ``spec`` of a SeldonDeployment; ``predictors`` is required by the CRD.

    ``name``, ``oauth_key`` and ``oauth_secret`` are obsolete: the operator does not use them.
    """

    name: Text = None
    predictors: Annotated[list[Annotated[Predictor, Lenient]] | None, Lenient] = None
    annotations: StringMap = None
    protocol: Text = None
    transport: Text = None
    server_type: Text = Field(None, alias="serverType")
    replicas: Int = None
    oauth_key: Text = None
    oauth_secret: Text = None


class SeldonDeployment(ManifestModel):
    """A SeldonDeployment, read with ``from_manifest`` and written with ``to_manifest``."""

    api_version: Text = Field(None, alias="apiVersion")
    kind: Text = None
    metadata: Annotated[ObjectMeta | None, Lenient] = None
    spec: Annotated[SeldonDeploymentSpec | None, Lenient] = None
    status: Annotated[SeldonDeploymentStatus | None, Lenient] = None

    @classmethod
    def from_manifest(cls, manifest: Mapping[str, Any] | str) -> Self:
        """
        Read a manifest.

        :param manifest: a mapping of JSON data, or YAML or JSON text with exactly one document.
        :raises InvalidRequestError: it is unreadable, not JSON data, or not a SeldonDeployment. Names the
            field and the fix. ``kind`` and ``apiVersion`` may be absent, but must not be those of another
            resource.
        """
        data = parse_yaml(manifest) if isinstance(manifest, str) else manifest
        if not isinstance(data, Mapping):
            raise InvalidRequestError.of(
                "manifest", f"is a {type(data).__name__}, not a mapping", "give one SeldonDeployment"
            )
        data = json_copy(data)
        _refuse_other_kinds(data)
        return cls.model_validate(data, by_alias=True, by_name=False)

    def annotated(self, annotations: Mapping[str, str]) -> Self:
        """Return a copy with further annotations, which override existing ones."""
        manifest = self.to_manifest()
        metadata = manifest.get("metadata") or {}
        merged = {**(metadata.get("annotations") or {}), **annotations}
        return type(self).from_manifest({**manifest, "metadata": {**metadata, "annotations": merged}})

    @property
    def name(self) -> str:
        """``metadata.name``, or an empty text."""
        return _text(self._metadata.name)

    @property
    def namespace(self) -> str:
        """``metadata.namespace``, or an empty text."""
        return _text(self._metadata.namespace)

    @property
    def uid(self) -> str:
        """``metadata.uid``, or an empty text."""
        return _text(self._metadata.uid)

    @property
    def resource_version(self) -> str | None:
        """``metadata.resourceVersion``, or None."""
        return _text(self._metadata.resource_version) or None

    @property
    def labels(self) -> dict[str, str]:
        """``metadata.labels``; empty when absent. Not for writing."""
        return self._metadata.labels if isinstance(self._metadata.labels, dict) else {}

    @property
    def annotations(self) -> dict[str, str]:
        """``metadata.annotations``; empty when absent. Not for writing."""
        return self._metadata.annotations if isinstance(self._metadata.annotations, dict) else {}

    @property
    def predictors(self) -> list[Predictor]:
        """The readable entries of ``spec.predictors``; empty when absent."""
        given = self.spec.predictors if isinstance(self.spec, SeldonDeploymentSpec) else None
        return [one for one in given if isinstance(one, Predictor)] if isinstance(given, list) else []

    @property
    def state(self) -> DeploymentState:
        """``status.state`` in any case; UNKNOWN when absent or not one of Seldon's."""
        return DeploymentState.of(self._status.state)

    @property
    def description(self) -> str:
        """``status.description``: why the operator reports Failed; empty otherwise."""
        return _text(self._status.description)

    @property
    def _metadata(self) -> ObjectMeta:
        return self.metadata if isinstance(self.metadata, ObjectMeta) else ObjectMeta()

    @property
    def _status(self) -> SeldonDeploymentStatus:
        return self.status if isinstance(self.status, SeldonDeploymentStatus) else SeldonDeploymentStatus()


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _refuse_other_kinds(manifest: Mapping[str, Any]) -> None:
    kind = manifest.get("kind", KIND)
    if kind != KIND:
        raise InvalidRequestError.of(
            "kind", f"is not {KIND}", f"give a manifest of kind {KIND}", value=str(kind)
        )
    version = manifest.get("apiVersion", API_VERSION)
    served = [f"{GROUP}/{name}" for name in SERVED_VERSIONS]
    if version not in served:
        raise InvalidRequestError.of(
            "apiVersion",
            "is not one of Seldon Core v1",
            f"use {API_VERSION} (also served: {served[1]}, {served[2]})",
            value=str(version),
        )
    if not {"kind", "apiVersion", "spec"} & manifest.keys():
        raise InvalidRequestError.of(
            "manifest", "has neither kind, apiVersion nor spec", "give a whole SeldonDeployment"
        )
