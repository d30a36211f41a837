from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.prediction import endpoint

BASE = "https://models.example.com"


@pytest.mark.parametrize(
    ("protocol", "path"),
    [
        ("seldon", "api/v1.0/predictions"),
        ("v2", "v2/models/classifier/infer"),
        ("kfserving", "v2/models/classifier/infer"),
        ("tensorflow", "v1/models/classifier:predict"),
    ],
)
def test_predictions_go_to_the_path_of_the_protocol(protocol: str, path: str) -> None:
    url = endpoint.prediction_url(BASE, "prod", "iris", protocol=protocol)
    assert url == f"{BASE}/seldon/prod/iris/{path}"


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (
            endpoint.feedback_url,
            {"seldon": "/api/v1.0/feedback", "v2": None, "tensorflow": "/api/v1.0/feedback"},
        ),
        (
            endpoint.metadata_url,
            {
                "seldon": "/api/v1.0/metadata",
                "v2": "/v2/models/classifier",
                "tensorflow": "/v1/models/classifier/metadata",
            },
        ),
        (
            endpoint.health_url,
            {
                "seldon": "/api/v1.0/health/status",
                "v2": "/v2/health/ready",
                "tensorflow": "/v1/models/classifier",
            },
        ),
        (endpoint.docs_url, {"seldon": "/api/v1.0/doc/", "v2": "/v2/docs/", "tensorflow": None}),
    ],
)
def test_other_endpoints_exist_where_the_protocol_has_them(
    function: Callable[..., str], expected: dict[str, str | None]
) -> None:
    for protocol, path in expected.items():
        if path is None:
            with pytest.raises(InvalidRequestError, match="has no"):
                function(BASE, "prod", "iris", protocol=protocol)
        else:
            assert function(BASE, "prod", "iris", protocol=protocol) == f"{BASE}/seldon/prod/iris{path}"


def test_explainers_have_a_deployment_path_of_their_own() -> None:
    prefix = f"{BASE}/seldon/prod/iris-explainer/main"
    urls: dict[str, Any] = {
        protocol: endpoint.explain_url(BASE, "prod", "iris", predictor_name="main", protocol=protocol)
        for protocol in ("seldon", "v2")
    }
    assert urls == {
        "seldon": f"{prefix}/api/v1.0/explain",
        "v2": f"{prefix}/v2/models/iris-main-explainer/infer",
    }
    named = endpoint.explain_url(BASE, "prod", "iris", protocol="tensorflow", node_name="m")
    assert named == f"{BASE}/seldon/prod/iris-explainer/default/v1/models/m:explain"


def test_readiness_is_the_same_in_all_protocols() -> None:
    assert endpoint.ready_url(BASE, "prod", "iris") == f"{BASE}/seldon/prod/iris/ready"


def test_inside_the_cluster_a_predictor_answers_by_its_service() -> None:
    assert endpoint.in_cluster_url("prod", "iris", protocol="v2", node_name="m") == (
        "http://iris-default.prod.svc.cluster.local:8000/v2/models/m/infer"
    )
    assert endpoint.in_cluster_url("prod", "iris", predictor_name="b", port=9000).startswith(
        "http://iris-b.prod.svc.cluster.local:9000/api"
    )


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ("http://gateway:8004/", "http://gateway:8004/seldon/"),
        (" https://host/prefix ", "https://host/prefix/seldon/"),
        ("http://[::1]:8004", "http://[::1]:8004/seldon/"),
    ],
)
def test_the_base_url_may_have_a_port_a_path_and_slashes(base: str, expected: str) -> None:
    assert endpoint.prediction_url(base, "prod", "iris").startswith(expected)


@pytest.mark.parametrize(
    "base", ["", "gateway:8004", "ftp://host", "https://", "http://host?x=1", "http://host/#x"]
)
def test_what_is_no_base_url_is_refused(base: str) -> None:
    with pytest.raises(InvalidRequestError) as raised:
        endpoint.prediction_url(base, "prod", "iris")
    assert raised.value.problems[0].field == "ingress_url"


def test_an_unknown_protocol_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidRequestError, match="seldon, v2, kfserving, tensorflow"):
        endpoint.prediction_url(BASE, "prod", "iris", protocol="grpc")


def test_names_are_escaped_and_a_missing_node_uses_the_engines_alias() -> None:
    assert endpoint.prediction_path("v2", "a/b").endswith("/a%2Fb/infer")
    assert endpoint.prediction_path("v2", "") == "/v2/models/infer"
    assert endpoint.prediction_path("tensorflow", "") == "/v1/models/:predict"


def test_no_url_shows_the_credentials_of_the_ingress() -> None:
    url = endpoint.prediction_url("https://alice:p%40ss@models.example.com:8443/x", "prod", "iris")
    assert url == "https://models.example.com:8443/x/seldon/prod/iris/api/v1.0/predictions"
    with pytest.raises(InvalidRequestError) as caught:
        endpoint.prediction_url("ftp://alice:p%40ss@models.example.com", "prod", "iris")
    assert "p%40ss" not in str(caught.value)
