"""A client for the namespace of one test."""

from __future__ import annotations

import pytest

from airflow_provider_seldon.local.cluster import LocalSeldon

from .cluster_client import Cluster


@pytest.fixture
def cluster(local_seldon: LocalSeldon, fresh_namespace: str) -> Cluster:
    """A namespace of its own in Seldon Core with simulated pods."""
    return Cluster(
        api_url=local_seldon.api_url, gateway_url=local_seldon.gateway_url, namespace=fresh_namespace
    )
