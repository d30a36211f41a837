"""SeldonDeployments in a few words, for tests of what is wrong with them."""

from __future__ import annotations

import copy
from typing import Any

from airflow_provider_seldon.core.resource.seldon_deployment import API_VERSION, KIND, SeldonDeployment

SKLEARN = {"name": "classifier", "implementation": "SKLEARN_SERVER", "modelUri": "s3://m/1"}
PREDICTOR: dict[str, Any] = {"name": "default", "graph": SKLEARN}


def deployment(spec: Any, name: Any = "iris", **metadata: Any) -> SeldonDeployment:
    manifest = {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": name, **metadata}, "spec": spec}
    return SeldonDeployment.from_manifest(copy.deepcopy(manifest))


def spec(*predictors: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"predictors": list(predictors) or [PREDICTOR], **fields}


def changed(**fields: Any) -> dict[str, Any]:
    return {**PREDICTOR, **fields}


def graph(**fields: Any) -> dict[str, Any]:
    return spec({**PREDICTOR, "graph": {**SKLEARN, **fields}})


def custom(*containers: Any, **node: Any) -> dict[str, Any]:
    component = {"spec": {"containers": list(containers)}}
    return spec({"name": "default", "graph": node, "componentSpecs": [component]})
