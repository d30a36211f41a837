"""
The arguments of a ``ModelServer`` with their types, without behaviour.

The modules that check them and build a spec use this class, so that ``ModelServer`` can use those modules.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from airflow_provider_seldon.core.resource.parameters import Scalar


class ModelServerFields(BaseModel):
    """What a user may specify for a model server; ``ModelServer`` describes each field."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=(), defer_build=True)

    model_name: str = Field(min_length=1)
    model_uri: str | None = Field(None, min_length=1)
    implementation: str | None = Field(None, min_length=1)
    protocol: Literal["seldon", "v2", "kfserving", "tensorflow"] | None = None
    replicas: int | None = Field(None, ge=0)
    secret_name: str | None = Field(None, min_length=1)
    service_account: str | None = Field(None, min_length=1)
    parameters: dict[str, Scalar] = {}
    model_metadata: dict[str, Any] = {}
    extra_args: dict[str, Any] = {}
    resources: dict[str, Any] = {}
    env: dict[str, str] | list[dict[str, Any]] = {}
    image: str | None = Field(None, min_length=1)
    command: list[str] | None = None
    args: list[str] | None = None
    image_pull_secrets: list[str] = []
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    name: str | None = Field(None, min_length=1)
    manifest: dict[str, Any] | None = None
    predictor_name: str = Field("default", min_length=1)
    node_name: str = Field("classifier", min_length=1)
