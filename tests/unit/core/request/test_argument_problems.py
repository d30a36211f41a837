from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_seldon.core.identity.annotations import ANNOTATION_METRICS, LABEL_DAG_ID
from airflow_provider_seldon.core.invalid_request import InvalidRequestError, Problem
from airflow_provider_seldon.core.request.model_server import ModelServer

SKLEARN = {"model_name": "iris", "implementation": "SKLEARN_SERVER", "model_uri": "s3://models/iris/1"}
CUSTOM = {"model_name": "iris", "image": "example/iris:1"}


def refused(**arguments: Any) -> list[Problem]:
    with pytest.raises(InvalidRequestError) as raised:
        ModelServer.create(**arguments)
    return list(raised.value.problems)


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
        ({"model_uri": ""}, "model_uri", "the URI of the model's files"),
        ({"resources": "1Gi"}, "resources", "a dict"),
        ({"image_pull_secrets": [{}]}, "image_pull_secrets", "a list of names"),
    ],
)
def test_a_wrong_type_is_reported_by_field_and_fix(
    arguments: dict[str, Any], field: str, wanted: str
) -> None:
    (problem,) = refused(**{**SKLEARN, **arguments})
    assert problem.field == field
    assert wanted in problem.fix


def test_text_from_a_template_is_taken_for_the_number_it_is() -> None:
    assert ModelServer.create(**SKLEARN, replicas="3").replicas == 3


@pytest.mark.parametrize(
    ("arguments", "field", "message"),
    [
        ({"model_name": "m"}, "implementation", "no model server is given"),
        ({"model_name": "m", "implementation": "SKLEARN_SERVER"}, "model_uri", "modelUri required"),
        ({**SKLEARN, "model_uri": "None"}, "model_uri", "is not usable"),
        ({**SKLEARN, "model_uri": "s3://a "}, "model_uri", "is not usable"),
        ({**SKLEARN, "model_uri": "https://user:pass@host/x"}, "model_uri", "contains a password"),
        ({**CUSTOM, "secret_name": "s"}, "secret_name", "has no effect without model_uri"),
        ({**SKLEARN, "extra_args": {"graph": {}}}, "extra_args.graph", "is not an extra argument"),
        ({**SKLEARN, "extra_args": {"engineResources": {}}}, "extra_args.engineResources", "is not an extra"),
        (
            {**SKLEARN, "extra_args": {"progressDeadline": 1}},
            "extra_args.progressDeadline",
            "unknown predictor",
        ),
        ({**SKLEARN, "resources": {"limit": {}}}, "resources.limit", "unknown field"),
        (
            {**SKLEARN, "replicas": 1, "extra_args": {"hpaSpec": {}}},
            "replicas",
            "no effect together with hpaSpec",
        ),
        ({**SKLEARN, "env": {"A B": "1"}}, "env[0].name", "is not the name of a variable"),
        ({**SKLEARN, "env": [{}]}, "env[0].name", "is not the name of a variable"),
        (
            {**SKLEARN, "env": {"MODEL_METADATA": "{}"}, "model_metadata": {"a": 1}},
            "env.MODEL_METADATA",
            "is the variable that model_metadata sets",
        ),
        (
            {**SKLEARN, "labels": {LABEL_DAG_ID: "x"}},
            f"labels.{LABEL_DAG_ID}",
            "is set by this provider",
        ),
        (
            {**SKLEARN, "annotations": {ANNOTATION_METRICS: "x"}},
            f"annotations.{ANNOTATION_METRICS}",
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


def test_all_problems_are_reported_at_once() -> None:
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
