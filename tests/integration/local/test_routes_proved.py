"""A change of traffic counts when the VirtualService has it; without the right to read it, less is known."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from airflow_provider_seldon.core.readiness.expectation import Expectation
from airflow_provider_seldon.core.readiness.judge import Verdict
from airflow_provider_seldon.core.readiness.outcome import Ending, Outcome
from airflow_provider_seldon.kube.access.access import ClusterAccess
from airflow_provider_seldon.kube.access.configuration import ClusterSettings
from airflow_provider_seldon.kube.watch.wait import wait
from airflow_provider_seldon.local.apiserver.access.authorization import Deny
from airflow_provider_seldon.local.cluster import LocalOptions, LocalSeldon
from tests.integration.local.cluster_client import Cluster, Manifest, condition, seldon_deployment
from tests.prometheus import until

#: A write whose status was followed by another one: the operator has acknowledged it, or so it seems.
ACKNOWLEDGED = Expectation(routes=True, status="another")


@pytest.fixture
def local() -> Iterator[LocalSeldon]:
    options = LocalOptions(token=None, kubelet="simulated", pod_startup=(0.02, 0.1), istio=True)
    with LocalSeldon(options) as found:
        yield found


def predictor(name: str, traffic: int) -> Manifest:
    found: Manifest = seldon_deployment(name)["spec"]["predictors"][0]
    return found | {"name": name, "replicas": 1, "traffic": traffic}


@pytest.fixture
def cluster(local: LocalSeldon) -> Cluster:
    """A deployment whose routes say 95 and 5 while 50 and 50 are requested, and an operator that is down."""
    found = Cluster(api_url=local.api_url, gateway_url=local.gateway_url)
    manifest = seldon_deployment("split")
    manifest["spec"]["predictors"] = [predictor("main", 95), predictor("canary", 5)]
    found.create(manifest)
    found.wait_available("split")
    found.wait("split", lambda one: condition(one, "istioVirtualServicesReady") == "True")
    local.pause_operator()
    found.update(
        "split", lambda spec: spec.update(predictors=[predictor("main", 50), predictor("canary", 50)])
    )
    return found


def waiting(local: LocalSeldon, told: list[Verdict], **more: Any) -> Future[Outcome]:
    """Wait in another thread."""
    access = ClusterAccess.of(ClusterSettings(kube_config_path=str(local.kubeconfig_path)))
    more = {"expected": ACKNOWLEDGED, "deadline": time.time() + 60, "on_progress": told.append} | more
    executor = ThreadPoolExecutor(max_workers=1)
    return executor.submit(lambda: asyncio.run(wait(access, "default", "split", **more)))


def test_weights_count_when_the_routes_have_them(local: LocalSeldon, cluster: Cluster) -> None:
    told: list[Verdict] = []
    ended = waiting(local, told)
    # Nor does who knows of no write, as a sensor: not when it looks once, and not when it waits.
    assert waiting(local, [], expected=None, deadline=0.0).result(timeout=60).reason == "RoutesDiffer"
    sensor = waiting(local, [], expected=None)
    assert until(lambda: [one for one in told if one.reason == "RoutesDiffer"])
    assert "main 95 %, canary 5 % instead of main 50 %, canary 50 %" in told[-1].message
    assert not ended.done()
    assert not sensor.done()
    local.resume_operator()
    outcome = ended.result(timeout=60)
    assert (outcome.ending, outcome.weaker) == (Ending.READY, "")
    assert sensor.result(timeout=60).ending is Ending.READY


def test_without_the_right_to_read_them_the_wait_ends_and_reports_that_it_is_weaker(
    local: LocalSeldon, cluster: Cluster
) -> None:
    local.server.authorizer.deny = (Deny(verb="get", resource="virtualservices"),)  # type: ignore[union-attr]
    told: list[Verdict] = []
    outcome = waiting(local, told).result(timeout=60)
    assert outcome.ending is Ending.READY
    assert "routes could not be read" in outcome.weaker
    assert "weaker" in told[-1].progress
