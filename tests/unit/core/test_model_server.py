from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_seldon.core import identity as ids
from airflow_provider_seldon.core.errors import InvalidRequestError, Problem
from airflow_provider_seldon.core.identity import Identity, is_managed
from airflow_provider_seldon.core.model_server import MAX_CONFIG_BYTES, ModelServer
from airflow_provider_seldon.core.resource import API_VERSION, KIND, SeldonDeployment
from airflow_provider_seldon.core.validation import validate

IRIS = Identity(dag_id="train", task_id="deploy", model_name="iris", run_id="manual__1")
SKLEARN = {"model_name": "iris", "implementation": "SKLEARN_SERVER", "model_uri": "s3://models/iris/1"}
CUSTOM = {"model_name": "iris", "image": "example/iris:1"}


def built(**arguments: Any) -> dict[str, Any]:
    return ModelServer.create(**arguments).to_deployment(identity=IRIS).to_manifest()


def predictor(**arguments: Any) -> dict[str, Any]:
    (only,) = built(**arguments)["spec"]["predictors"]
    del only["annotations"][ids.ANNOTATION_REVISION]
    if not only["annotations"]:
        del only["annotations"]
    return only


def refused(**arguments: Any) -> list[Problem]:
    with pytest.raises(InvalidRequestError) as raised:
        ModelServer.create(**arguments)
    return list(raised.value.problems)


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


def test_replicas_are_sent_only_when_given() -> None:
    assert "replicas" not in predictor(**SKLEARN)
    assert "replicas" not in built(**SKLEARN)["spec"]
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
        ids.ANNOTATION_MODEL_URI: "s3://models/iris/1",
        ids.ANNOTATION_IMPLEMENTATION: "SKLEARN_SERVER",
    }
    assert expected.items() <= metadata["annotations"].items()
    assert is_managed(SeldonDeployment.from_manifest(made))
    assert IRIS.matches(SeldonDeployment.from_manifest(made))
    assert validate(SeldonDeployment.from_manifest(made)) == []


def test_each_predictor_and_the_whole_carry_their_revision() -> None:
    made = built(**SKLEARN)
    (only,) = made["spec"]["predictors"]
    assert only["annotations"][ids.ANNOTATION_REVISION] == ids.revision(only)
    assert made["metadata"]["annotations"][ids.ANNOTATION_REVISION] == ids.deployment_revision(made)


def test_the_revision_does_not_depend_on_the_run() -> None:
    server = ModelServer.create(**SKLEARN)
    later = Identity(dag_id="train", task_id="deploy", model_name="iris", run_id="manual__2")
    one = server.to_deployment(identity=IRIS)
    two = server.to_deployment(identity=later, annotations={ids.ANNOTATION_ORDER: "2"})
    assert one.spec == two.spec
    assert one.annotations[ids.ANNOTATION_REVISION] == two.annotations[ids.ANNOTATION_REVISION]


def test_another_secret_is_another_revision() -> None:
    server = ModelServer.create(**SKLEARN)
    one = server.to_deployment(identity=IRIS, secret_name="storage-1")
    two = server.to_deployment(identity=IRIS, secret_name="storage-2")
    assert one.annotations[ids.ANNOTATION_REVISION] != two.annotations[ids.ANNOTATION_REVISION]


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
    env=st.dictionaries(st.from_regex(r"\A[A-Z]{1,3}[XYZ_]\Z"), scalars, max_size=3),
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
        ({}, "carries no config"),
        ({ids.ANNOTATION_CONFIG: "{"}, "is not JSON"),
        ({ids.ANNOTATION_CONFIG: "[]"}, "is a list"),
        (
            {ids.ANNOTATION_CONFIG: '{"model_name":"a","from_the_future":1}'},
            "unknown argument 'from_the_future'",
        ),
    ],
)
def test_a_deployment_without_a_readable_config_is_told(annotations: dict[str, str], message: str) -> None:
    deployment = SeldonDeployment.from_manifest({"kind": KIND, "metadata": {"annotations": annotations}})
    with pytest.raises(InvalidRequestError, match=message):
        ModelServer.from_deployment(deployment)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("modelUri", "model_uri"),
        ("model_url", "model_uri"),
        ("replica", "replicas"),
        ("implementaton", "implementation"),
        ("secret", "secret_name"),
        ("serviceAccount", "service_account"),
        ("params", "parameters"),
        ("container_image", "image"),
    ],
)
def test_an_unknown_argument_is_refused_with_the_nearest_one(name: str, nearest: str) -> None:
    (problem,) = refused(**SKLEARN, **{name: "x"})
    assert problem.field == name
    assert problem.message == f"unknown argument {name!r}"
    assert problem.fix == f"did you mean {nearest!r}"


def test_an_argument_like_no_other_gets_the_list_of_valid_ones() -> None:
    (problem,) = refused(**SKLEARN, zzz=1)
    assert "model_uri" in problem.fix


@pytest.mark.parametrize(
    ("arguments", "field", "wanted"),
    [
        ({"replicas": "many"}, "replicas", "a whole number of 0 or more"),
        ({"replicas": -1}, "replicas", "a whole number of 0 or more"),
        ({"protocol": "grpc"}, "protocol", "one of seldon, v2"),
        ({"args": "--flag"}, "args", "a list of text"),
        ({"env": 1}, "env", "a dict of name to text"),
        ({"env": {"A": None}}, "env", "a dict of name to text"),
        ({"parameters": {"a": [1]}}, "parameters", "a dict of name to text"),
        ({"labels": {"a": 1}}, "labels", "a dict of text to text"),
        ({"model_uri": ""}, "model_uri", "where the model's files are"),
        ({"resources": "1Gi"}, "resources", "a dict"),
        ({"image_pull_secrets": [{}]}, "image_pull_secrets", "a list of names"),
    ],
)
def test_a_wrong_type_is_told_by_field_and_fix(arguments: dict[str, Any], field: str, wanted: str) -> None:
    (problem,) = refused(**{**SKLEARN, **arguments})
    assert problem.field == field
    assert wanted in problem.fix


def test_text_from_a_template_is_taken_for_the_number_it_is() -> None:
    assert ModelServer.create(**SKLEARN, replicas="3").replicas == 3


@pytest.mark.parametrize(
    ("arguments", "field", "message"),
    [
        ({"model_name": "m"}, "implementation", "nothing says what serves"),
        ({"model_name": "m", "implementation": "SKLEARN_SERVER"}, "model_uri", "modelUri required"),
        ({**SKLEARN, "model_uri": "None"}, "model_uri", "is not usable"),
        ({**SKLEARN, "model_uri": "s3://a "}, "model_uri", "is not usable"),
        ({**SKLEARN, "model_uri": "https://user:pass@host/x"}, "model_uri", "contains a password"),
        ({**CUSTOM, "secret_name": "s"}, "secret_name", "has no use without model_uri"),
        ({**SKLEARN, "extra_args": {"graph": {}}}, "extra_args.graph", "is not an extra argument"),
        ({**SKLEARN, "extra_args": {"engineResources": {}}}, "extra_args.engineResources", "is not an extra"),
        (
            {**SKLEARN, "extra_args": {"progressDeadline": 1}},
            "extra_args.progressDeadline",
            "unknown predictor",
        ),
        ({**SKLEARN, "resources": {"limit": {}}}, "resources.limit", "unknown field"),
        ({**SKLEARN, "replicas": 1, "extra_args": {"hpaSpec": {}}}, "replicas", "no effect beside hpaSpec"),
        ({**SKLEARN, "env": {"A B": "1"}}, "env[0].name", "is not the name of a variable"),
        ({**SKLEARN, "env": [{}]}, "env[0].name", "is not the name of a variable"),
        (
            {**SKLEARN, "env": {"MODEL_METADATA": "{}"}, "model_metadata": {"a": 1}},
            "env.MODEL_METADATA",
            "is what model_metadata becomes",
        ),
        (
            {**SKLEARN, "labels": {ids.LABEL_DAG_ID: "x"}},
            f"labels.{ids.LABEL_DAG_ID}",
            "is set by this provider",
        ),
        (
            {**SKLEARN, "annotations": {ids.ANNOTATION_METRICS: "x"}},
            f"annotations.{ids.ANNOTATION_METRICS}",
            "is set by this provider",
        ),
        ({**SKLEARN, "parameters": {"a": float("inf")}}, "parameters.a", "type float"),
    ],
)
def test_a_request_that_cannot_work_is_refused(arguments: dict[str, Any], field: str, message: str) -> None:
    (problem,) = refused(**arguments)
    assert problem.field == field
    assert message in problem.message
    assert problem.fix


def test_all_problems_are_told_at_once() -> None:
    fields = {problem.field for problem in refused(modelname="x", replicas="two", args="-x")}
    assert fields == {"model_name", "modelname", "replicas", "args"}
    fields = {problem.field for problem in refused(model_name="m", secret_name="s", extra_args={"x": 1})}
    assert fields == {"implementation", "secret_name", "extra_args.x"}


@pytest.mark.parametrize(
    "name",
    [
        "DB_PASSWORD",
        "API_KEY",
        "AWS_SECRET_ACCESS_KEY",
        "token",
        "githubToken",
        "ACCESSKEY",
        "MY_CREDENTIALS",
    ],
)
def test_credentials_in_plain_text_are_refused(name: str) -> None:
    for env in ({name: "x"}, [{"name": name, "value": "x"}]):
        (problem,) = refused(**SKLEARN, env=env)
        assert problem.field == f"env.{name}"
        assert "secretKeyRef" in problem.fix
        assert problem.value is None


@pytest.mark.parametrize(
    "env",
    [
        {"TOKENIZERS_PARALLELISM": "1", "MONKEY": "x", "KEYSPACE": "y", "MAX_TOKENS": "5"},
        {"SECRET_NAME": "s", "TOKEN_FILE": "/t", "KEY_PATH": "/k", "API_KEY": ""},
        [{"name": "API_KEY", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
    ],
)
def test_what_only_sounds_like_a_credential_is_not_refused(env: Any) -> None:
    assert ModelServer.create(**SKLEARN, env=env).env == env


def test_the_callers_objects_are_neither_changed_nor_kept() -> None:
    env, extra = {"A": 1}, {"svcOrchSpec": {"env": []}}
    server = ModelServer.create(**SKLEARN, env=env, extra_args=extra)
    extra["svcOrchSpec"]["env"].append("changed")
    assert env == {"A": 1}
    assert server.extra_args == {"svcOrchSpec": {"env": []}}


def test_a_request_too_large_for_an_annotation_is_refused() -> None:
    server = ModelServer.create(**SKLEARN, model_metadata={"x": "y" * MAX_CONFIG_BYTES})
    with pytest.raises(InvalidRequestError, match="fit into the resource's annotations"):
        server.to_deployment(identity=IRIS)


def test_arguments_must_be_a_mapping() -> None:
    with pytest.raises(InvalidRequestError, match="give a mapping of arguments"):
        ModelServer.parse([])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "env", [{"X": b"hunter2"}, {"X": ["hunter2"]}, "X=hunter2", [{"name": "X", "value": b"hunter2"}]]
)
def test_a_refusal_does_not_repeat_what_may_be_secret(env: Any) -> None:
    assert all("hunter2" not in str(problem) for problem in refused(**SKLEARN, env=env))


def test_a_refusal_shows_a_plain_wrong_value() -> None:
    (problem,) = refused(**SKLEARN, replicas="two")
    assert str(problem) == (
        "replicas: is not a whole number of 0 or more (got 'two'). Fix: give a whole number of 0 or more."
    )
