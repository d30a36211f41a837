"""Requests through the API server to the pods behind a Service."""

from __future__ import annotations

import json

import pytest

from airflow_provider_seldon.local.apiserver import Deny
from airflow_provider_seldon.local.cluster import LocalSeldon
from tests.integration.local.cluster_client import Cluster, RefusedError, seldon_deployment

ROW = {"data": {"ndarray": [[1, 2]]}}
PREDICT = "proxy/api/v1.0/predictions"


def through(cluster: Cluster, service: str, below: str = PREDICT) -> dict[str, object]:
    return cluster.call("POST", cluster.path("services", f"{service}/{below}"), ROW)


def test_a_predictor_is_asked_through_the_api_server_whatever_its_part_of_the_traffic(
    cluster: Cluster,
) -> None:
    manifest = seldon_deployment("split", traffic=100)
    manifest["spec"]["predictors"].append(
        manifest["spec"]["predictors"][0] | {"name": "canary", "traffic": 0, "shadow": True}
    )
    cluster.create(manifest)
    cluster.wait_available("split")
    for service in ("split-canary:8000", "split-canary:http", "http:split-canary:8000"):
        assert through(cluster, service)["meta"]["tags"]["predictor"] == "canary"  # type: ignore[index]
    assert through(cluster, "split-default:http")["meta"]["tags"]["predictor"] == "default"  # type: ignore[index]
    # What the pod says of a request is handed on as it is.
    with pytest.raises(RefusedError) as refused:
        through(cluster, "split-canary:8000", "proxy/nowhere")
    assert json.loads(refused.value.body)["status"]["status"] == "FAILURE"


def test_what_cannot_be_reached_is_reported_as_by_a_real_api_server(
    cluster: Cluster, local_seldon: LocalSeldon
) -> None:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "empty"},
        "spec": {"selector": {"app": "none"}, "ports": [{"name": "http", "port": 8000}]},
    }
    cluster.create(service, "services")
    for name, code, told in (
        ("empty:8000", 503, "no endpoints available"),
        ("empty:1", 503, "no service port 1 found"),
        ("empty:grpc", 503, "no endpoints available"),
        ("none:8000", 404, "not found"),
        ("a:b:c:d", 400, "invalid service request"),
    ):
        with pytest.raises(RefusedError) as refused:
            through(cluster, name)
        assert (refused.value.code, told in refused.value.body) == (code, True), refused.value.body
        assert json.loads(refused.value.body)["kind"] == "Status"
    rule = Deny(verb="create", resource="services/proxy")
    local_seldon.server.authorizer.deny.append(rule)
    try:
        with pytest.raises(RefusedError) as refused:
            through(cluster, "empty:8000")
    finally:
        local_seldon.server.authorizer.deny.remove(rule)
    assert refused.value.code == 403
    assert 'cannot create resource "services/proxy"' in json.loads(refused.value.body)["message"]
