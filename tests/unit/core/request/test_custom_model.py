from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_seldon.core.identity.identity import Identity
from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.request.custom_model import custom_container
from airflow_provider_seldon.core.request.model_server import ModelServer
from airflow_provider_seldon.core.request.validation import validate


def deployment(**arguments: Any) -> dict[str, Any]:
    server = {
        "model_name": "iris",
        "image": "models/iris:1",
        **{key: arguments[key] for key in ("model_uri", "protocol") if key in arguments},
    }
    made = custom_container(predict_function="iris:predict", **arguments)
    built = ModelServer.create(**server, **made).to_deployment(
        identity=Identity(dag_id="d", task_id="t"), namespace="default"
    )
    assert validate(built) == []
    return built.to_manifest()["spec"]["predictors"][0]


def container(predictor: dict[str, Any]) -> dict[str, Any]:
    return dict(predictor["componentSpecs"][0]["spec"]["containers"][0])


def test_the_container_runs_the_serving_package() -> None:
    made = container(deployment(load_function="iris:load", model_uri="s3://models/iris/1"))
    assert made["image"] == "models/iris:1"
    assert made["command"] == [
        *("python", "-m", "airflow_provider_seldon.serving", "--protocol", "seldon"),
        *("--predict", "iris:predict", "--load", "iris:load", "--model-dir", "/mnt/models"),
    ]


def test_seldon_injects_the_initializer_so_none_is_made_here() -> None:
    predictor = deployment(model_uri="s3://models/iris/1")
    assert predictor["graph"]["modelUri"] == "s3://models/iris/1"
    assert "initContainers" not in predictor["componentSpecs"][0]["spec"]
    assert "volumes" not in predictor["componentSpecs"][0]["spec"]


def test_a_model_without_files_needs_no_folder() -> None:
    assert "--model-dir" not in container(deployment())["command"]


def test_the_pod_may_load_for_as_long_as_it_is_given() -> None:
    probe = container(deployment(startup_timeout=900))["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] == 900
    assert probe["httpGet"] == {"path": "/ready", "port": "http"}


@pytest.mark.parametrize("protocol", ["v2", "kfserving"])
def test_in_the_open_inference_protocol_the_probes_ask_mlserver(protocol: str) -> None:
    made = container(deployment(protocol=protocol))
    assert made["command"][4] == "v2"
    assert made["readinessProbe"]["httpGet"]["path"] == "/v2/health/ready"
    assert made["livenessProbe"]["httpGet"]["path"] == "/v2/health/live"


def test_what_the_user_says_about_the_container_wins() -> None:
    probe = {"exec": {"command": ["true"]}}
    ports = [{"name": "http", "containerPort": 8080}]
    made = container(deployment(container={"livenessProbe": probe, "ports": ports}))
    assert (made["livenessProbe"], made["ports"]) == (probe, ports)
    assert made["readinessProbe"]["httpGet"]["path"] == "/ready"


def test_a_path_that_is_none_is_refused_by_field() -> None:
    with pytest.raises(InvalidRequestError, match="load_function"):
        custom_container(predict_function="iris:predict", load_function="iris.load")


@pytest.mark.parametrize(
    ("container", "told"),
    [
        ({"image": "x"}, r"container\.image.*use the argument image"),
        ({"name": "x"}, "node_name"),
        ({"env": []}, "argument env"),
        ({"readynessProbe": {}}, "readinessProbe"),
        ([], "not a dict"),
    ],
)
def test_container_fields_with_a_place_of_their_own_or_none_are_refused(container: Any, told: str) -> None:
    with pytest.raises(InvalidRequestError, match=told):
        ModelServer.create(model_name="m", image="models/iris:1", extra_args={"container": container})
