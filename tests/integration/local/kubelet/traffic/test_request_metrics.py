"""What a real Prometheus reads of the requests that local's pods answer, and how badly they answer when told to."""

from __future__ import annotations

import asyncio
import math
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_seldon.core.analysis.metrics import ErrorRatio, Latency, TrafficMetric
from airflow_provider_seldon.core.analysis.queries import Sides
from airflow_provider_seldon.core.analysis.samples import Histogram, Requests, Sample
from airflow_provider_seldon.delivery.analysis.measure import measure
from airflow_provider_seldon.delivery.analysis.prometheus import PrometheusAccess, PrometheusClient
from airflow_provider_seldon.local.cluster import LocalOptions, LocalSeldon, Misbehaviour
from tests.integration.local.cluster_client import (
    Cluster,
    Manifest,
    RefusedError,
    condition,
    seldon_deployment,
)
from tests.prometheus import INTERVAL, Prometheus, needs_prometheus, prometheus, until

SERVER = "seldon_api_executor_server_requests_seconds"
CLIENT = "seldon_api_executor_client_requests_seconds"
BODY = {"data": {"ndarray": [[1, 2]]}}


@pytest.fixture(scope="module")
def local() -> Iterator[LocalSeldon]:
    options = LocalOptions(token=None, kubelet="simulated", pod_startup=(0.02, 0.1), istio=True, seed=7)
    with LocalSeldon(options) as found:
        yield found


@pytest.fixture
def cluster(local: LocalSeldon) -> Iterator[Cluster]:
    yield Cluster(api_url=local.api_url, gateway_url=local.gateway_url)
    local.misbehaviours.clear()


@pytest.fixture(scope="module")
def server(local: LocalSeldon, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    with prometheus(tmp_path_factory.mktemp("scraping"), [local.scrape_config(interval=INTERVAL)]) as found:
        yield found


def predictor(name: str, traffic: int, **annotations: str) -> Manifest:
    found: Manifest = seldon_deployment(name)["spec"]["predictors"][0]
    return found | {"name": name, "replicas": 1, "traffic": traffic, "annotations": annotations}


def deploy(cluster: Cluster, name: str, *predictors: Manifest) -> None:
    manifest = seldon_deployment(name)
    manifest["spec"]["predictors"] = list(predictors)
    cluster.create(manifest)
    cluster.wait_available(name)
    cluster.wait(name, lambda one: condition(one, "istioVirtualServicesReady") == "True")


def ask(cluster: Cluster, name: str, times: int) -> int:
    """Send predictions; how many of them failed."""
    failed = 0
    for _ in range(times):
        try:
            cluster.predict(name, BODY)
        except RefusedError:
            failed += 1
    return failed


def read(url: str) -> str:
    """GET a page."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        return str(answer.read().decode())


def exposed(local: LocalSeldon, predictor: str) -> str:
    """What the pods of a predictor tell, without any Prometheus."""
    found = [one.exposition() for _, one in local.kubelet.metrics() if one.predictor == predictor]
    return "\n".join(found)


def test_a_pod_tells_names_labels_and_bounds_of_the_executor(local: LocalSeldon, cluster: Cluster) -> None:
    deploy(cluster, "told", predictor("told", 100, version="v7"))
    ask(cluster, "told", 3)
    read(f"{local.gateway_url}/seldon/default/told/api/v1.0/metadata")
    text = exposed(local, "told")
    labels = 'code="200",deployment_name="told",method="post",predictor_name="told",predictor_version="v7"'
    assert f'{SERVER}_count{{{labels},service="predictions"}} 3' in text
    assert f'{SERVER}_bucket{{{labels},service="predictions",le="0.005"}}' in text
    assert f'{SERVER}_bucket{{{labels},service="predictions",le="+Inf"}} 3' in text
    assert text.count(f"{SERVER}_bucket{{{labels}") == 15
    assert 'service="metadata"} 1' in text
    client = next(line for line in text.splitlines() if line.startswith(f"{CLIENT}_count"))
    assert 'model_name="classifier"' in client
    assert 'model_image="seldonio/sklearnserver"' in client
    assert 'service="/predict"' in client
    answer = read(f"{local.gateway_url}/seldon/default/told/prometheus")
    assert f"{SERVER}_count" in answer


@needs_prometheus
def test_a_canary_with_errors_is_distinguished_from_the_running_version(
    local: LocalSeldon, cluster: Cluster, server: Prometheus
) -> None:
    deploy(cluster, "iris", predictor("main", 50), predictor("canary", 50))
    local.misbehaviours.order(
        Misbehaviour(error_rate=0.5, latency=0.03), deployment="iris", predictor="canary"
    )
    up = 'count(up{job="seldon",pod=~"iris-.*"} == 1)'
    assert until(lambda: server.number(up) == 2)
    begun = time.time()
    failed = ask(cluster, "iris", 60)
    assert failed > 5
    total = f'sum({SERVER}_count{{deployment_name="iris",namespace="default"}})'
    assert until(lambda: server.number(total) == 60)
    time.sleep(2 * INTERVAL)  # a counter is extrapolated from two scrapes
    rate = measured(server, ErrorRatio(at_most=0.01), time.time() - begun)
    candidate, baseline = rate.candidate, rate.baseline
    assert isinstance(candidate, Requests)
    assert isinstance(baseline, Requests)
    assert baseline.errors == 0
    assert candidate.ratio == pytest.approx(0.5, abs=0.35)
    assert candidate.errors == pytest.approx(failed, rel=0.4, abs=2)
    assert candidate.total + baseline.total == pytest.approx(60, rel=0.4)
    slow = measured(server, Latency(at_most_ratio=2), time.time() - begun)
    assert isinstance(slow.candidate, Histogram)
    assert isinstance(slow.baseline, Histogram)
    assert len(slow.candidate.bounds) == 15
    assert slow.candidate.quantile(0.5) > slow.baseline.quantile(0.5)


def measured(server: Prometheus, metric: TrafficMetric, window: float) -> Sample:
    """One metric of ``iris``."""
    sides = Sides(deployment="iris", candidate="canary", baseline="main", namespace="default")
    query = PrometheusClient(PrometheusAccess(url=server.url)).query
    found = asyncio.run(measure([metric], sides=sides, window=math.ceil(window) + 1, query=query))
    return found[metric.name]


def test_a_shadow_is_counted_and_no_client_sees_its_errors(local: LocalSeldon, cluster: Cluster) -> None:
    bad = {"local.seldon/error-rate": "1"}
    deploy(cluster, "shaded", predictor("lit", 100), predictor("shade", 100, **bad) | {"shadow": True})
    assert ask(cluster, "shaded", 5) == 0
    assert until(lambda: 'code="500"' in exposed(local, "shade"))
    assert 'code="500"' not in exposed(local, "lit")


def test_wrong_answers_are_ordered_by_annotation(cluster: Cluster) -> None:
    deploy(cluster, "wrong", predictor("wrong", 100, **{"local.seldon/wrong-answers": "1"}))
    answer: dict[str, Any] = cluster.predict("wrong", BODY)
    assert answer["data"]["ndarray"] == [[1.25, 1.75]]


def test_an_order_is_lifted_without_a_rollout(local: LocalSeldon, cluster: Cluster) -> None:
    deploy(cluster, "moody", predictor("moody", 100))
    local.misbehaviours.order(Misbehaviour(error_rate=1), predictor="moody")
    assert ask(cluster, "moody", 4) == 4
    local.misbehaviours.clear()
    assert ask(cluster, "moody", 4) == 0
