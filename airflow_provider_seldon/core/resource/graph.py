"""
The inference graph of a predictor: its nodes ("predictive units") and their parts.

Field names are the CRD's own, which mix camel and snake case (``service_host`` next to ``httpPort``).
Source: Seldon Core reference, the v1 CRD.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from airflow_provider_seldon.core.resource.manifest_model import Int, Lenient, ManifestModel, Text

#: Prepackaged servers that do not need a model URI.
MODEL_URI_OPTIONAL = frozenset({"HUGGINGFACE_SERVER"})


class Parameter(ManifestModel):
    """
    A parameter of a graph node; all three fields are required by the CRD.

    ``value`` is text even for numbers and booleans; ``type`` is one of INT, FLOAT, DOUBLE, STRING, BOOL.
    """

    name: Text = None
    value: Text = None
    type: Text = None


class Endpoint(ManifestModel):
    """Where the engine reaches a graph node; ``type`` is REST or GRPC. Seldon sets missing fields."""

    service_host: Text = None
    service_port: Int = None
    type: Text = None
    http_port: Int = Field(None, alias="httpPort")
    grpc_port: Int = Field(None, alias="grpcPort")


class Logger(ManifestModel):
    """Payload logging of a graph node; ``mode`` is all, request or response, and required."""

    url: Text = None
    mode: Text = None


class PredictiveUnit(ManifestModel):
    """
    A node of the inference graph.

    Its name must be that of a container in ``componentSpecs`` unless ``implementation`` names a server that
    has its own. ``type`` is one of UNKNOWN_TYPE, ROUTER, COMBINER, MODEL, TRANSFORMER, OUTPUT_TRANSFORMER.
    """

    name: Text = None
    children: Annotated[list[Annotated[PredictiveUnit, Lenient]] | None, Lenient] = None
    type: Text = None
    implementation: Text = None
    methods: Annotated[list[str] | None, Lenient] = None
    endpoint: Annotated[Endpoint | None, Lenient] = None
    parameters: Annotated[list[Annotated[Parameter, Lenient]] | None, Lenient] = None
    model_uri: Text = Field(None, alias="modelUri")
    service_account_name: Text = Field(None, alias="serviceAccountName")
    env_secret_ref_name: Text = Field(None, alias="envSecretRefName")
    storage_initializer_image: Text = Field(None, alias="storageInitializerImage")
    logger: Annotated[Logger | None, Lenient] = None

    def walk(self) -> Iterator[PredictiveUnit]:
        """Yield this node and all nodes below it, parents before children."""
        yield self
        for child in self.children if isinstance(self.children, list) else ():
            if isinstance(child, PredictiveUnit):
                yield from child.walk()
