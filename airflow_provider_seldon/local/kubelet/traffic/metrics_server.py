"""The server that Prometheus scrapes: one address for all pods, a path for each, and a list for discovery.

In a cluster each pod has its own address, with a port named ``metrics``; here
``/pods/<namespace>/<pod>/prometheus`` replaces it, and ``/targets`` (Prometheus' HTTP service discovery) adds
the labels that a PodMonitor adds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from aiohttp import web

from airflow_provider_seldon.local.client.kinds import Manifest
from airflow_provider_seldon.local.controllers.children.engine import PROMETHEUS_PATH
from airflow_provider_seldon.local.controllers.manifests import name_of, namespace_of
from airflow_provider_seldon.local.kubelet.traffic.request_metrics import RequestMetrics

_TEXT = "text/plain; version=0.0.4; charset=utf-8"


class MetricsServer:
    """Serves the metrics of all pods.

    :param pods: the running pods, with their metrics
    :param host: address to listen on
    """

    def __init__(self, *, pods: Callable[[], Iterable[tuple[Manifest, RequestMetrics]]], host: str) -> None:
        self._pods = pods
        self._host = host
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self) -> None:
        """Start listening; sets :attr:`url`."""
        app = web.Application()
        app.router.add_get("/targets", self._targets)
        app.router.add_get(f"/pods/{{namespace}}/{{pod}}{PROMETHEUS_PATH}", self._exposition)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, 0).start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _targets(self, _: web.Request) -> web.Response:
        return web.json_response([self._target(pod) for pod, metrics in self._pods() if metrics.counts])

    def _target(self, pod: Manifest) -> dict[str, Any]:
        namespace, name = namespace_of(pod), name_of(pod)
        labels = {
            "__metrics_path__": f"/pods/{namespace}/{name}{PROMETHEUS_PATH}",
            "instance": f"{name}:8000",
            "namespace": namespace,
            "pod": name,
            "endpoint": "metrics",
        }
        return {"targets": [self.url.removeprefix("http://")], "labels": labels}

    async def _exposition(self, request: web.Request) -> web.Response:
        wanted = request.match_info["namespace"], request.match_info["pod"]
        for pod, metrics in self._pods():
            if (namespace_of(pod), name_of(pod)) == wanted and metrics.counts:
                return web.Response(body=metrics.exposition().encode(), headers={"Content-Type": _TEXT})
        return web.Response(status=404, text="no such pod")
