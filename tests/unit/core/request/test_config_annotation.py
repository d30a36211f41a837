from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_seldon.core.identity.annotations import ANNOTATION_CONFIG
from airflow_provider_seldon.core.identity.identity import Identity
from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.request.model_server import MAX_CONFIG_BYTES, ModelServer
from airflow_provider_seldon.core.resource.seldon_deployment import KIND, SeldonDeployment

IRIS = Identity(dag_id="train", task_id="deploy", model_name="iris", run_id="manual__1")
SKLEARN = {"model_name": "iris", "implementation": "SKLEARN_SERVER", "model_uri": "s3://models/iris/1"}
CUSTOM = {"model_name": "iris", "image": "example/iris:1"}


@pytest.mark.parametrize(
    "arguments",
    [
        SKLEARN,
        CUSTOM,
        {
            **SKLEARN,
            "protocol": "v2",
            "replicas": 0,
            "secret_name": "s",
            "service_account": "sa",
            "parameters": {"a": 1, "b": 1.0, "c": True, "d": "true"},
            "model_metadata": {"x": [1, None, {"y": 2.5}]},
            "extra_args": {"kedaSpec": {"triggers": []}, "traffic": 100},
            "resources": {"limits": {"cpu": 1}},
            "env": {"A": 1, "B": True, "C": "x"},
            "image": "i",
            "command": [],
            "args": ["a"],
            "image_pull_secrets": ["p"],
            "labels": {"l": "1"},
            "annotations": {"a": "1"},
            "name": "n",
            "predictor_name": "p",
            "node_name": "c",
        }
        | {"replicas": None},
        {**CUSTOM, "env": [{"name": "A", "value": "1"}]},
        {
            "model_name": "iris",
            "manifest": {"implementation": "SKLEARN_SERVER", "modelUri": "s3://m", "name": "c"},
        },
    ],
)
def test_a_deployment_gives_back_the_model_server_that_made_it(arguments: dict[str, Any]) -> None:
    server = ModelServer.create(**arguments)
    manifest = json.loads(json.dumps(server.to_deployment(identity=IRIS, secret_name="other").to_manifest()))
    found = ModelServer.from_deployment(SeldonDeployment.from_manifest(manifest))
    assert found == server
    assert found.to_deployment(identity=IRIS, secret_name="other").to_manifest() == manifest


scalars = st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()


@given(
    parameters=st.dictionaries(st.text(), scalars, max_size=4),
    metadata=st.dictionaries(st.text(), st.lists(scalars | st.none()), max_size=3),
    replicas=st.none() | st.integers(0, 9),
    env=st.dictionaries(st.from_regex(r"\A[A-D]{1,3}[XYZ_]\Z"), scalars, max_size=3),
)
def test_any_request_round_trips(
    parameters: dict[str, Any], metadata: dict[str, Any], replicas: int | None, env: dict[str, Any]
) -> None:
    server = ModelServer.create(
        **SKLEARN, parameters=parameters, model_metadata=metadata, replicas=replicas, env=env
    )
    deployment = server.to_deployment(identity=IRIS)
    assert ModelServer.from_deployment(deployment) == server
    assert ModelServer.parse(json.loads(json.dumps(server.to_config()))) == server
    types = [
        parameter["type"]
        for parameter in deployment.to_manifest()["spec"]["predictors"][0]["graph"].get("parameters", [])
    ]
    assert types == [
        {bool: "BOOL", int: "INT", float: "FLOAT", str: "STRING"}[type(v)] for v in parameters.values()
    ]


@pytest.mark.parametrize(
    ("annotations", "message"),
    [
        ({}, "has no config"),
        ({ANNOTATION_CONFIG: "{"}, "is not JSON"),
        ({ANNOTATION_CONFIG: "[]"}, "is a list"),
        (
            {ANNOTATION_CONFIG: '{"model_name":"a","from_the_future":1}'},
            "unknown argument 'from_the_future'",
        ),
    ],
)
def test_a_deployment_without_a_readable_config_is_reported(
    annotations: dict[str, str], message: str
) -> None:
    deployment = SeldonDeployment.from_manifest({"kind": KIND, "metadata": {"annotations": annotations}})
    with pytest.raises(InvalidRequestError, match=message):
        ModelServer.from_deployment(deployment)


def test_a_request_too_large_for_an_annotation_is_refused() -> None:
    server = ModelServer.create(**SKLEARN, model_metadata={"x": "y" * MAX_CONFIG_BYTES})
    with pytest.raises(InvalidRequestError, match="fit into the resource's annotations"):
        server.to_deployment(identity=IRIS)
