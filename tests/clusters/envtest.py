"""
A kube-apiserver and etcd for the session, from ``KUBEBUILDER_ASSETS``.

One has the local operator, kubelet and gateway, and Seldon's webhook; another one, for tests without an operator, has
the webhook only. Clients come in by a proxy, where faults are ordered and requests are counted.
"""

from __future__ import annotations

from typing import Any

import pytest
import requests

from airflow_provider_seldon.local.apiserver.http.external_api_server import ExternalApiServer
from airflow_provider_seldon.local.apiserver.http.proxy import ApiProxy
from airflow_provider_seldon.local.client.api_client import ApiClient
from airflow_provider_seldon.local.cluster import LocalSeldon
from airflow_provider_seldon.local.external.bootstrap import Bootstrap
from airflow_provider_seldon.local.loop_thread import LoopThread
from tests.clusters.kube_apiserver import KubeApiserver
from tests.clusters.local import LocalClusters, simulated

#: What tests leave behind; in this order nothing is made anew.
_LEFT_BEHIND = (
    "/apis/machinelearning.seldon.io/v1/seldondeployments",
    "/apis/apps/v1/deployments",
    "/apis/apps/v1/replicasets",
    "/api/v1/pods",
    "/api/v1/secrets",
    "/api/v1/configmaps",
)


class EnvtestClusters(LocalClusters):
    """
    Real API servers; each is started when it is first needed.

    :param assets: the directory of the executables.
    """

    def __init__(self, assets: str) -> None:
        super().__init__()
        self._assets = assets
        self._servers: list[KubeApiserver] = []
        self._bare: KubeApiserver | None = None
        self._webhook: Bootstrap | None = None
        self._thread = LoopThread(name="webhook")
        self._thread.start()

    def seldon(self) -> LocalSeldon:
        """Seldon's operator and simulated pods on a kube-apiserver."""
        return LocalSeldon(simulated(cluster=self._start().kubeconfig))

    def api_server(self, **options: Any) -> ApiProxy:
        """The kube-apiserver without an operator, emptied."""
        options.pop("garbage_collection", None)
        if "bookmark_seconds" in options:
            pytest.skip("a kube-apiserver sends bookmarks once a minute")
        if self._bare is None:
            self._bare = self._start()
            self._thread.run(self._admit(self._bare), timeout=90)
        else:
            _empty(self._bare)
        return ApiProxy(external=ExternalApiServer.of_kubeconfig(self._bare.kubeconfig), **options)

    def stop(self) -> None:
        """End all servers."""
        for server in self._servers:
            server.stop()

    def _start(self) -> KubeApiserver:
        server = KubeApiserver(self._assets)
        self._servers.append(server)
        server.start()
        return server

    async def _admit(self, server: KubeApiserver) -> None:
        """Register the webhook; it is served until the process ends."""
        external = ExternalApiServer.of_kubeconfig(server.kubeconfig)
        api = ApiClient(url=external.url, token=external.token, ssl_context=external.ssl_context)
        self._webhook = Bootstrap(api=api, host="127.0.0.1", namespace="default")
        await self._webhook.prepare()


def _empty(server: KubeApiserver) -> None:
    """Delete what earlier tests left behind; nobody else would let go of what has a finalizer."""
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {server.token}"
        session.verify = str(server.authority)
        session.trust_env = False
        for collection in _LEFT_BEHIND:
            for item in session.get(server.url + collection, timeout=30).json()["items"]:
                metadata = item["metadata"]
                root, _, plural = collection.rpartition("/")
                path = f"{root}/namespaces/{metadata['namespace']}/{plural}/{metadata['name']}"
                if metadata.get("finalizers"):
                    session.patch(
                        server.url + path,
                        json={"metadata": {"finalizers": None}},
                        headers={"Content-Type": "application/merge-patch+json"},
                        timeout=30,
                    )
                options = {"gracePeriodSeconds": 0, "propagationPolicy": "Background"}
                session.delete(server.url + path, json=options, timeout=30)
