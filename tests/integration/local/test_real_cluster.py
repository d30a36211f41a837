"""What only a kube-apiserver can show (``KUBEBUILDER_ASSETS``): kubectl against everything together."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from typing import Any

import pytest

from airflow_provider_seldon.local.client.api_client import ApiClient
from airflow_provider_seldon.local.external.bootstrap import Bootstrap
from tests.clusters import ASSETS
from tests.integration.local.apiserver.rest import CORE, Rest
from tests.integration.local.cluster_client import Cluster, seldon_deployment

pytestmark = pytest.mark.skipif(not os.environ.get(ASSETS), reason=f"{ASSETS} is not set")


def kubectl(local_seldon: Any, *arguments: str) -> str:
    """Run kubectl; return what it prints."""
    command = shutil.which("kubectl") or os.path.join(os.environ[ASSETS], "kubectl")
    if not os.path.exists(command):
        pytest.skip("there is no kubectl")
    result = subprocess.run(
        [command, "--kubeconfig", local_seldon.kubeconfig_path, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return result.stdout


def test_the_api_server_asks_the_local_kubelet_for_logs(cluster: Cluster, local_seldon: Any) -> None:
    cluster.create(seldon_deployment("iris"))
    cluster.wait_available("iris")
    selector = ["-n", cluster.namespace, "-l", "seldon-deployment-id=iris", "-c", "classifier"]
    assert "simulated container classifier" in kubectl(local_seldon, "logs", *selector)
    assert "Ready" in kubectl(local_seldon, "get", "nodes")


def test_a_foreground_deletion_waits_for_the_pods(cluster: Cluster, local_seldon: Any) -> None:
    cluster.create(seldon_deployment("iris"))
    cluster.wait_available("iris")
    kubectl(local_seldon, "delete", "-n", cluster.namespace, "sdep", "iris", "--cascade=foreground")
    for plural in ("deployments", "replicasets", "pods"):
        assert cluster.list(plural) == []


def test_a_cluster_with_nodes_of_its_own_is_refused(local_api: Any) -> None:
    rest = Rest(local_api.url)
    rest.post(f"{CORE}/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "theirs"}}).ok()

    async def prepare() -> None:
        async with ApiClient(url=local_api.url) as api:
            await Bootstrap(api=api, host="127.0.0.1", namespace="default").prepare()

    try:
        with pytest.raises(ValueError, match=r"its own nodes \(theirs"):
            asyncio.run(prepare())
    finally:
        rest.delete(f"{CORE}/nodes/theirs").ok()
