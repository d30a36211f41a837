"""A second door to the local API server, for the controllers and the kubelet.

What tests order (faults, denied rights, counted requests) is meant for clients; the cluster's own components come
in here, over the same protocol, so that a dropped watch or a refused write strikes the client under test. Faults
for the controllers themselves can be ordered as well: :attr:`Entrance.faults`. Besides, the scheduler finds here what
no client needs: the ``binding`` subresource of pods.
"""

from __future__ import annotations

from aiohttp import web

from .apiserver import ApiServer
from .apiserver.authorization import Authorizer
from .apiserver.pipeline import Pipeline
from .apiserver.requestlog import RequestLog
from .apiserver.resources import RESOURCES
from .faults import Faults

_PODS = next(resource for resource in RESOURCES if resource.plural == "pods")


class Entrance:
    """Serves the same objects on another port.

    :param server: the API server whose objects these are
    :param host: address to listen on
    """

    def __init__(self, *, server: ApiServer, host: str) -> None:
        self.faults = Faults()
        self.requests = RequestLog()
        self._host = host
        self._store = server.store
        self._pipeline = Pipeline(
            dispatcher=server._dispatcher,
            authorizer=Authorizer(tokens=(), deny=()),
            faults=self.faults,
            requests=self.requests,
        )
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self) -> None:
        """Begin to serve; :attr:`url` is known afterwards."""
        app = web.Application()
        app.router.add_post("/api/v1/namespaces/{namespace}/pods/{name}/binding", self._bind)
        app.router.add_route("*", "/{path:.*}", self._pipeline.handle)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"

    async def stop(self) -> None:
        """Stop serving."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _bind(self, request: web.Request) -> web.Response:
        """Give a pod its node, which no update may change (Kubernetes API, ``Binding``)."""
        namespace, name = request.match_info["namespace"], request.match_info["name"]
        target = (await request.json())["target"]["name"]
        pod = self._store.get(_PODS, namespace, name)
        if pod is None:
            return _status(404, "NotFound", f'pods "{name}" not found')
        spec = pod.manifest.get("spec") or {}
        if spec.get("nodeName"):
            message = (
                f'Operation cannot be fulfilled on pods/binding "{name}": pod {name} is already assigned'
            )
            return _status(409, "Conflict", message)
        metadata = dict(pod.manifest["metadata"])
        bound = pod.manifest | {"metadata": metadata, "spec": spec | {"nodeName": target}}
        self._store.put(_PODS, bound)
        return _status(201, "", "")


def _status(code: int, reason: str, message: str) -> web.Response:
    kind = {"kind": "Status", "apiVersion": "v1", "metadata": {}}
    body = kind | {"status": "Success" if code < 400 else "Failure", "code": code}
    body |= {"reason": reason, "message": message} if message else {}
    return web.json_response(body, status=code)
