"""Credentials in plain text are refused wherever they stand, and are not in the refusal."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_seldon.core.credentials.model_uri import problems, served_uri
from airflow_provider_seldon.core.credentials.words import holds_password
from airflow_provider_seldon.core.identity.annotations import ANNOTATION_CONFIG
from airflow_provider_seldon.core.identity.identity import Identity
from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.request.model_server import ModelServer

SECRET = "S3cr3t-0123"
IDENTITY = Identity(dag_id="d", task_id="t", model_name="m")


def refused(**arguments: Any) -> str:
    given = {"model_name": "m", "model_uri": "s3://m/1", "implementation": "SKLEARN_SERVER", **arguments}
    with pytest.raises(InvalidRequestError) as caught:
        ModelServer.create(**{key: value for key, value in given.items() if value is not None})
    assert SECRET not in str(caught.value)
    assert SECRET not in repr(caught.value)
    return str(caught.value)


def manifest(**node: Any) -> dict[str, Any]:
    graph = {"name": "classifier", "implementation": "SKLEARN_SERVER", "modelUri": "s3://m/1", **node}
    return {"metadata": {"name": "x"}, "spec": {"predictors": [{"name": "default", "graph": graph}]}}


def of_manifest(given: dict[str, Any]) -> dict[str, Any]:
    return {"model_uri": None, "implementation": None, "manifest": given}


@pytest.mark.parametrize(
    "uri",
    [
        f"https://user:{SECRET}@host/m",
        f"https://{SECRET}@github.com/m",
        f"http://{SECRET}@host/m",
        f"https://a.blob.core.windows.net/c/m?sv=2022&sig={SECRET}",
        f"https://b.s3.amazonaws.com/m?X-Amz-Signature={SECRET}&X-Amz-Expires=60",
        f"https://storage.googleapis.com/b/m?X-Goog-Signature={SECRET}",
        f"https://host/m?access_token={SECRET}",
        f"https://host/m#token={SECRET}",
        f"s3://key:{SECRET}@bucket/m",
        f"s3://{SECRET}@bucket/m",
        f"https://user:{SECRET}@host/m ",
        f"https://[{SECRET}@host/m",
    ],
)
def test_a_model_uri_with_a_credential_is_refused_alone_and_in_a_manifest(uri: str) -> None:
    assert "model_uri" in refused(model_uri=uri)
    assert "graph.modelUri" in refused(**of_manifest(manifest(modelUri=uri)))
    child = {"name": "b", "implementation": "SKLEARN_SERVER", "modelUri": uri}
    assert "children[0].modelUri" in refused(**of_manifest(manifest(children=[child])))
    explainer = manifest()
    explainer["spec"]["predictors"][0]["explainer"] = {"type": "AnchorTabular", "modelUri": uri}
    assert "explainer.modelUri" in refused(**of_manifest(explainer))


@pytest.mark.parametrize(
    "arguments",
    [
        {"extra_args": {"svcOrchSpec": {"env": [{"name": "API_TOKEN", "value": SECRET}]}}},
        {"extra_args": {"explainer": {"type": "x", "env": [{"name": "PASSWORD", "value": SECRET}]}}},
        {"parameters": {"password": SECRET}},
        {"parameters": {"openai_api_key": SECRET}},
        {"parameters": {"token": SECRET}},
        {"parameters": {"database": f"postgres://u:{SECRET}@db/x"}},
        {"env": {"PGPASSWORD": SECRET}},
        {"env": {"DATABASE_URL": f"postgres://u:{SECRET}@db/x"}},
        {"args": [f"--password={SECRET}"], "image": "x:1"},
        {"args": ["--api-key", SECRET], "image": "x:1"},
        {"command": ["serve", f"https://u:{SECRET}@host"], "image": "x:1"},
        {"annotations": {"api-token": SECRET}},
        of_manifest(manifest(parameters=[{"name": "password", "value": SECRET, "type": "STRING"}])),
    ],
)
def test_a_literal_credential_is_refused_wherever_it_stands(arguments: dict[str, Any]) -> None:
    assert "in plain text" in refused(**arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        {"parameters": {"pad_token": "<pad>", "sort_key": "x", "max_tokens": 100, "password_file": "/x"}},
        {"annotations": {"vault.hashicorp.com/agent-inject-secret-db": "secret/data/db"}},
        {"args": ["--password=$(PASSWORD)", "--tokenizer=bert", "--key-file", "/x"], "image": "x:1"},
        {"args": ["--token", "--verbose"], "image": "x:1"},
        {"env": [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}]},
        {"model_uri": "https://host/m?version=3"},
    ],
)
def test_what_only_sounds_like_one_is_taken(arguments: dict[str, Any]) -> None:
    given = {"model_name": "m", "model_uri": "s3://m/1", "implementation": "SKLEARN_SERVER", **arguments}
    assert ModelServer.create(**given)


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("wasbs://models@acct.blob.core.windows.net/iris/1", "wasbs://models/iris/1"),
        ("wasb://models@acct.blob.core.windows.net/", "wasb://models/"),
        ("abfss://models@acct.dfs.core.windows.net/iris", "abfss://models/iris"),
        ("abfs://models@acct.dfs.core.chinacloudapi.cn/iris", "abfs://models/iris"),
        ("s3://bucket/iris", "s3://bucket/iris"),
        ("wasbs://models/iris", "wasbs://models/iris"),
    ],
)
def test_azures_own_uris_are_sent_as_rclone_reads_them(given: str, sent: str) -> None:
    server = ModelServer.create(model_name="m", model_uri=given, implementation="SKLEARN_SERVER")
    assert server.model_uri == sent
    whole = ModelServer.create(model_name="m", manifest=manifest(modelUri=given))
    for one in (server, whole):
        assert one.to_deployment(identity=IDENTITY).predictors[0].graph.model_uri == sent  # type: ignore[union-attr]


def test_a_connection_id_before_the_bucket_is_refused_with_what_to_write() -> None:
    text = refused(model_uri="s3://minio_conn@models/iris/1")
    assert "s3://models/iris/1" in text
    assert "storage_conn_id" in text
    assert "minio_conn" not in text
    assert "scheme://container/path" in refused(model_uri="wasbs://models@elsewhere.example.com/iris")


def test_what_an_earlier_release_deployed_can_still_be_read() -> None:
    server = ModelServer.create(model_name="m", model_uri="s3://m/1", implementation="SKLEARN_SERVER")
    deployment = server.to_deployment(identity=IDENTITY)
    text = deployment.annotations[ANNOTATION_CONFIG]
    old = text.replace('"model_name":"m"', '"model_name":"m","parameters":{"password":"x1x2"}')
    assert old != text
    given = deployment.to_manifest()
    given["metadata"]["annotations"][ANNOTATION_CONFIG] = old
    assert ModelServer.from_deployment(type(deployment).from_manifest(given)).parameters == {
        "password": "x1x2"
    }


@given(
    scheme=st.sampled_from(["s3", "https", "wasbs", "gs", "file", "pvc", ""]),
    rest=st.text(st.sampled_from("ab@:/?#[]&=%._- é"), max_size=25),
)
def test_whatever_is_given_as_a_uri_is_judged_and_no_user_info_is_quoted(scheme: str, rest: str) -> None:
    uri = f"{scheme}://{SECRET}@{rest}"
    served_uri(uri)
    for problem in problems(uri, "model_uri"):
        assert SECRET not in str(problem)


@pytest.mark.parametrize("text", ["None", " None", "nan"])
def test_a_model_uri_that_a_template_made_of_nothing_is_refused_in_a_manifest_too(text: str) -> None:
    assert "graph.modelUri: is the text" in refused(**of_manifest(manifest(modelUri=text)))
    child = {"name": "b", "implementation": "SKLEARN_SERVER", "modelUri": text}
    assert "children[0].modelUri" in refused(**of_manifest(manifest(children=[child])))


def test_a_long_text_is_searched_in_the_time_that_reading_it_takes() -> None:
    """Twenty times the text takes twenty times as long, not four hundred: 2 MB would take hours otherwise."""
    for text in ("a" * 2_000_000, "://" * 700_000, "a://b:" * 350_000, ":" * 2_000_000):
        assert not holds_password(text)
    assert holds_password("a" * 2_000_000 + "://b:c@d")
