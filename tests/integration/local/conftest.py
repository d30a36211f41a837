"""Clusters for the tests of the local operator, kubelet and gateway."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_seldon.local.cluster import LocalOptions, LocalSeldon
from airflow_provider_seldon.local.options import ObjectStore
from tests.integration.local.cluster_client import Cluster
from tests.integration.local.process_cluster import SERVER


@pytest.fixture
def cluster(local_seldon: LocalSeldon, fresh_namespace: str) -> Iterator[Cluster]:
    """A namespace of its own in Seldon Core with simulated pods; no hot loop in it outlives the test."""
    cluster = Cluster(
        api_url=local_seldon.api_url, gateway_url=local_seldon.gateway_url, namespace=fresh_namespace
    )
    yield cluster
    cluster.call("DELETE", cluster.path("seldondeployments"), {"propagationPolicy": "Background"})


@pytest.fixture(scope="session")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What stands for an object store and for a claim."""
    folder = tmp_path_factory.mktemp("stores")
    (folder / "bucket" / "iris").mkdir(parents=True)
    (folder / "bucket" / "iris" / "weights.txt").write_text("42")
    return folder


@pytest.fixture(scope="session")
def local_commands(stores: Path) -> Iterator[LocalSeldon]:
    """Seldon Core that runs commands; MLServer is not needed."""
    options = LocalOptions(
        token=None,
        mlserver_python=None,
        images={"example/model": [sys.executable, SERVER, "--answer", "7"]},
        object_stores={"s3": ObjectStore(folder=stores, credentials=("key", "secret"))},
        volumes={"claim": stores},
        probe_period=0.05,
        grace=1.0,
        capacity={"cpu": "100", "memory": "100Gi"},
    )
    with LocalSeldon(options) as running:
        yield running


@pytest.fixture
def machine(local_commands: LocalSeldon) -> Iterator[Cluster]:
    """A cluster whose pods are processes; what a test deploys is gone afterwards."""
    cluster = Cluster(api_url=local_commands.api_url, gateway_url=local_commands.gateway_url)
    yield cluster
    for one in cluster.list("seldondeployments"):
        cluster.delete(one["metadata"]["name"], propagation="Foreground")
    cluster.wait_for(
        lambda: [*cluster.list("seldondeployments"), *cluster.list("pods")], lambda seen: not seen
    )
