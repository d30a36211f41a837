from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_seldon.core.identity import revision as revisions
from airflow_provider_seldon.core.identity.annotations import (
    ANNOTATION_IMPLEMENTATION,
    ANNOTATION_MODEL_URI,
    ANNOTATION_ORDER,
    ANNOTATION_REVISION,
)
from airflow_provider_seldon.core.identity.identity import Identity, is_managed
from airflow_provider_seldon.core.identity.revision import deployment_revision
from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.request.model_server import ModelServer
from airflow_provider_seldon.core.request.validation import validate
from airflow_provider_seldon.core.resource.seldon_deployment import API_VERSION, KIND, SeldonDeployment

IRIS = Identity(dag_id="train", task_id="deploy", model_name="iris", run_id="manual__1")
SKLEARN = {"model_name": "iris", "implementation": "SKLEARN_SERVER", "model_uri": "s3://models/iris/1"}
CUSTOM = {"model_name": "iris", "image": "example/iris:1"}


def built(**arguments: Any) -> dict[str, Any]:
    return ModelServer.create(**arguments).to_deployment(identity=IRIS).to_manifest()


def predictor(**arguments: Any) -> dict[str, Any]:
    (only,) = built(**arguments)["spec"]["predictors"]
    del only["annotations"][ANNOTATION_REVISION]
    if not only["annotations"]:
        del only["annotations"]
    return only


def test_a_prepackaged_server_becomes_one_node_and_nothing_else() -> None:
    assert predictor(**SKLEARN) == {
        "name": "default",
        "graph": {
            "name": "classifier",
            "type": "MODEL",
            "implementation": "SKLEARN_SERVER",
            "modelUri": "s3://models/iris/1",
        },
    }


def test_credentials_service_account_and_parameters_reach_the_node() -> None:
    node = predictor(
        **SKLEARN,
        secret_name="storage",
        service_account="reader",
        parameters={"method": "predict", "batch": 32, "threshold": 0.5, "verbose": True},
    )["graph"]
    assert node["envSecretRefName"] == "storage"
    assert node["serviceAccountName"] == "reader"
    assert node["parameters"] == [
        {"name": "method", "value": "predict", "type": "STRING"},
        {"name": "batch", "value": "32", "type": "INT"},
        {"name": "threshold", "value": "0.5", "type": "FLOAT"},
        {"name": "verbose", "value": "true", "type": "BOOL"},
    ]


def test_env_resources_and_metadata_of_a_prepackaged_server_get_a_container_without_image() -> None:
    assert predictor(
        **SKLEARN,
        env={"LEVEL": "debug", "WORKERS": 2},
        resources={"requests": {"cpu": "100m"}, "limits": {"memory": "1Gi"}},
        model_metadata={"versions": ["v1"]},
    )["componentSpecs"] == [
        {
            "spec": {
                "containers": [
                    {
                        "name": "classifier",
                        "env": [
                            {"name": "LEVEL", "value": "debug"},
                            {"name": "WORKERS", "value": "2"},
                            {"name": "MODEL_METADATA", "value": '{"versions":["v1"]}'},
                        ],
                        "resources": {"requests": {"cpu": "100m"}, "limits": {"memory": "1Gi"}},
                    }
                ]
            }
        }
    ]


def test_a_custom_container_gets_a_node_of_its_name() -> None:
    assert predictor(
        **CUSTOM,
        command=["python"],
        args=["-m", "serve"],
        env=[{"name": "API_TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
        image_pull_secrets=["registry"],
        service_account="runner",
        node_name="iris",
        predictor_name="main",
    ) == {
        "name": "main",
        "graph": {"name": "iris", "type": "MODEL", "serviceAccountName": "runner"},
        "componentSpecs": [
            {
                "spec": {
                    "containers": [
                        {
                            "name": "iris",
                            "image": "example/iris:1",
                            "command": ["python"],
                            "args": ["-m", "serve"],
                            "env": [
                                {
                                    "name": "API_TOKEN",
                                    "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}},
                                }
                            ],
                        }
                    ],
                    "imagePullSecrets": [{"name": "registry"}],
                    "serviceAccountName": "runner",
                }
            }
        ],
    }


def test_a_custom_container_with_a_model_uri_leaves_the_download_to_seldon() -> None:
    made = predictor(**CUSTOM, model_uri="s3://models/iris", secret_name="storage")
    assert made["graph"]["modelUri"] == "s3://models/iris"
    assert made["graph"]["envSecretRefName"] == "storage"
    assert made["componentSpecs"] == [
        {"spec": {"containers": [{"name": "classifier", "image": "example/iris:1"}]}}
    ]


def test_an_image_can_replace_that_of_a_prepackaged_server() -> None:
    made = predictor(**SKLEARN, image="example/sklearn:2")
    assert made["graph"]["implementation"] == "SKLEARN_SERVER"
    assert made["componentSpecs"][0]["spec"]["containers"] == [
        {"name": "classifier", "image": "example/sklearn:2"}
    ]


def test_without_replicas_the_number_of_pods_is_one_that_can_be_scaled() -> None:
    assert "replicas" not in predictor(**SKLEARN)
    assert built(**SKLEARN)["spec"]["replicas"] == 1
    assert "replicas" not in built(**SKLEARN, replicas=2)["spec"]
    assert predictor(**SKLEARN, replicas=2)["replicas"] == 2
    assert predictor(**SKLEARN, replicas=0)["replicas"] == 0


def test_no_nulls_no_empty_lists_and_no_nameless_references_are_sent() -> None:
    empty = {"env": {}, "resources": {}, "parameters": {}, "image_pull_secrets": [], "labels": {}, "args": []}
    text = json.dumps(built(**SKLEARN, **empty)["spec"])
    for unwanted in ("null", "[]", "{}", "imagePullSecrets", "SecretRef", "componentSpecs"):
        assert unwanted not in text


def test_extra_arguments_reach_the_resource() -> None:
    made = predictor(
        **SKLEARN,
        extra_args={
            "progressDeadlineSeconds": 60,
            "traffic": 100,
            "labels": {"version": "7"},
            "annotations": {"seldon.io/no-engine": "true"},
            "svcOrchSpec": {"env": [{"name": "A", "value": "1"}]},
            "hpaSpec": {"maxReplicas": 3},
        },
    )
    assert made["progressDeadlineSeconds"] == 60
    assert made["traffic"] == 100
    assert made["labels"] == {"version": "7"}
    assert made["annotations"] == {"seldon.io/no-engine": "true"}
    assert made["svcOrchSpec"] == {"env": [{"name": "A", "value": "1"}]}
    assert made["componentSpecs"] == [
        {"spec": {"containers": [{"name": "classifier"}]}, "hpaSpec": {"maxReplicas": 3}}
    ]


def test_the_protocol_goes_to_the_spec() -> None:
    assert built(**SKLEARN, protocol="v2")["spec"]["protocol"] == "v2"
    assert "protocol" not in built(**SKLEARN)["spec"]


def test_the_resource_says_who_made_it_and_from_what() -> None:
    made = built(**SKLEARN, labels={"team": "a"}, annotations={"seldon.io/istio-retries": "3"})
    assert (made["apiVersion"], made["kind"]) == (API_VERSION, KIND)
    metadata = made["metadata"]
    assert metadata["name"] == IRIS.deployment_name(replace=True)
    assert metadata["labels"] == {"team": "a", **IRIS.labels()}
    expected = {
        "seldon.io/istio-retries": "3",
        **IRIS.annotations(),
        ANNOTATION_MODEL_URI: "s3://models/iris/1",
        ANNOTATION_IMPLEMENTATION: "SKLEARN_SERVER",
    }
    assert expected.items() <= metadata["annotations"].items()
    assert is_managed(SeldonDeployment.from_manifest(made))
    assert IRIS.matches(SeldonDeployment.from_manifest(made))
    assert validate(SeldonDeployment.from_manifest(made)) == []


def test_each_predictor_and_the_whole_carry_their_revision() -> None:
    made = built(**SKLEARN)
    (only,) = made["spec"]["predictors"]
    assert only["annotations"][ANNOTATION_REVISION] == revisions.revision(only)
    bare = {**made, "spec": {"predictors": made["spec"]["predictors"]}}
    assert made["metadata"]["annotations"][ANNOTATION_REVISION] == deployment_revision(bare)


def test_the_revision_does_not_depend_on_the_run() -> None:
    server = ModelServer.create(**SKLEARN)
    later = Identity(dag_id="train", task_id="deploy", model_name="iris", run_id="manual__2")
    one = server.to_deployment(identity=IRIS)
    two = server.to_deployment(identity=later, annotations={ANNOTATION_ORDER: "2"})
    assert one.spec == two.spec
    assert one.annotations[ANNOTATION_REVISION] == two.annotations[ANNOTATION_REVISION]


def test_another_secret_is_another_revision() -> None:
    server = ModelServer.create(**SKLEARN)
    one = server.to_deployment(identity=IRIS, secret_name="storage-1")
    two = server.to_deployment(identity=IRIS, secret_name="storage-2")
    assert one.annotations[ANNOTATION_REVISION] != two.annotations[ANNOTATION_REVISION]


def test_the_users_secret_wins_over_the_connections() -> None:
    server = ModelServer.create(**SKLEARN, secret_name="mine")
    node = server.to_deployment(identity=IRIS, secret_name="connections").predictors[0].nodes[0]
    assert node.env_secret_ref_name == "mine"


def test_a_server_without_files_gets_no_storage_secret() -> None:
    server = ModelServer.create(**CUSTOM)
    manifest = server.to_deployment(identity=IRIS, secret_name="connections").to_manifest()
    assert "connections" not in json.dumps(manifest)


def test_the_name_is_the_users_or_follows_from_the_identity() -> None:
    server = ModelServer.create(**SKLEARN)
    assert ModelServer.create(**SKLEARN, name="mine").to_deployment(identity=IRIS).name == "mine"
    assert server.to_deployment(identity=IRIS, replace=False).name == IRIS.deployment_name(replace=False)
    assert server.to_deployment(identity=IRIS, namespace="models").namespace == "models"
    assert server.to_deployment(identity=IRIS).namespace == ""


def test_the_model_name_completes_the_identity_and_may_not_contradict_it() -> None:
    server = ModelServer.create(**SKLEARN)
    anonymous = Identity(dag_id="train", task_id="deploy", run_id="manual__1")
    assert server.to_deployment(identity=anonymous).labels == IRIS.labels()
    with pytest.raises(InvalidRequestError, match="identity says 'wine'"):
        server.to_deployment(identity=Identity(model_name="wine"))


def test_the_callers_objects_are_neither_changed_nor_kept() -> None:
    env, extra = {"A": 1}, {"svcOrchSpec": {"env": []}}
    server = ModelServer.create(**SKLEARN, env=env, extra_args=extra)
    extra["svcOrchSpec"]["env"].append("changed")
    assert env == {"A": 1}
    assert server.extra_args == {"svcOrchSpec": {"env": []}}
