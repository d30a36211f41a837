"""The part of a kubelet's own API that an API server needs: the logs of containers, over HTTPS.

``GET /containerLogs/<namespace>/<pod>/<container>``, the request of a kube-apiserver for ``kubectl logs``.
The certificate is the kubelet's own, and no authentication is required: it is for an API server on this
machine.
"""

from __future__ import annotations

from aiohttp import web

from airflow_provider_seldon.local.apiserver import StatusError
from airflow_provider_seldon.local.apiserver.objects.store import Stored
from airflow_provider_seldon.local.apiserver.protocol.request import RequestInfo
from airflow_provider_seldon.local.apiserver.protocol.resources import BY_PLURAL
from airflow_provider_seldon.local.apiserver.reads import logs
from airflow_provider_seldon.local.certificates import make_certificates
from airflow_provider_seldon.local.kubelet.pods.kubelet import NODE, Kubelet
from airflow_provider_seldon.local.kubelet.pods.log_source import KubeletLogs


class LogServer:
    """Serves the logs of one kubelet.

    :param kubelet: runs the containers
    :param host: address to listen on
    """

    def __init__(self, *, kubelet: Kubelet, host: str) -> None:
        self._kubelet = kubelet
        self._host = host
        self._runner: web.AppRunner | None = None
        self.port = 0

    async def start(self) -> None:
        """Start serving; sets :attr:`port`."""
        app = web.Application()
        app.router.add_get("/containerLogs/{namespace}/{pod}/{container}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.5)
        await self._runner.setup()
        tls = make_certificates(self._host).server
        await web.TCPSite(self._runner, self._host, 0, ssl_context=tls).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Stop serving."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        asked = request.match_info
        manifest = self._kubelet.manifest(asked["namespace"], asked["pod"])
        if manifest is None:
            return web.Response(status=404, text=f'pod "{asked["pod"]}" not found\n')
        info = RequestInfo(
            resource=BY_PLURAL["pods"],
            version="v1",
            verb="get",
            namespace=asked["namespace"],
            name=asked["pod"],
            subresource="log",
            query={**request.query, "container": asked["container"]},
        )
        # The cache may lag: the API server already knows that the pod runs here.
        pod = Stored(info.resource, manifest | {"spec": manifest["spec"] | {"nodeName": NODE}}, 0)
        try:
            return await logs.respond(request, KubeletLogs(self._kubelet), pod, info)
        except StatusError as error:
            return web.Response(status=error.code, text=error.message)
