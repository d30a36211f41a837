"""The events about a version that has become ready."""

from __future__ import annotations

import json

import pytest

from airflow_provider_seldon.core.rollout.lineage import (
    event_extra,
    lineage_name,
    model_uris,
    without_credentials,
)
from airflow_provider_seldon.core.rollout.model_server_info import ModelServerInfo

INFO = ModelServerInfo(
    name="iris",
    namespace="models",
    model_name="iris",
    model_uri="s3://store/iris/2",
    prediction_url="https://models.example.com/seldon/models/iris/api/v1.0/predictions",
    revision="0123456789",
    action="updated",
)


def proven(**fields: object) -> str:
    return json.dumps({"revision": "0123456789", "config": {}, **fields})


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("s3://bucket/iris", "s3://bucket/iris"),
        ("s3://key:secret@bucket/iris", "s3://bucket/iris"),
        ("https://token@example.com/models/iris?sig=abc#part", "https://example.com/models/iris"),
        (
            "https://account.blob.core.windows.net/c/iris?sv=1&sig=abc",
            "https://account.blob.core.windows.net/c/iris",
        ),
        (
            "abfss://container@account.dfs.core.windows.net/iris",
            "abfss://container@account.dfs.core.windows.net/iris",
        ),
        ("/mnt/models/iris", "/mnt/models/iris"),
        ("", ""),
    ],
)
def test_a_uri_is_shown_without_credentials(given: str, shown: str) -> None:
    assert without_credentials(given) == shown


@pytest.mark.parametrize(
    ("uri", "namespace", "name"),
    [
        ("s3://bucket/models/iris/", "s3://bucket", "models/iris"),
        ("gs://bucket", "gs://bucket", "/"),
        ("pvc://claim/iris", "pvc://claim", "iris"),
        ("file:///mnt/models/iris", "file", "/mnt/models/iris"),
        ("/mnt/models/iris", "file", "/mnt/models/iris"),
    ],
)
def test_openlineage_knows_a_model_by_authority_and_path(uri: str, namespace: str, name: str) -> None:
    assert lineage_name(uri) == (namespace, name)


def test_an_event_has_the_running_version_its_url_and_its_metrics() -> None:
    recorded = json.dumps({"at": "2026-01-05T00:00:00+00:00", "values": {"accuracy": 0.93}})
    assert event_extra(INFO, proven(metrics=recorded)) == {
        "namespace": "models",
        "name": "iris",
        "model_name": "iris",
        "revision": "0123456789",
        "model_uri": "s3://store/iris/2",
        "prediction_url": "https://models.example.com/seldon/models/iris/api/v1.0/predictions",
        "action": "updated",
        "metrics": {"accuracy": 0.93},
    }


def test_an_event_of_what_has_no_record_has_no_metrics() -> None:
    assert event_extra(INFO, "")["metrics"] == {}


def test_every_model_of_a_graph_is_named_once() -> None:
    graph = {"modelUri": "s3://store/iris/2", "children": [{"modelUri": "gs://u:p@other/flowers"}]}
    config = {"model_name": "iris", "manifest": {"spec": {"predictors": [{"graph": graph}]}}}
    assert model_uris(INFO, proven(config=config)) == ["s3://store/iris/2", "gs://other/flowers"]
