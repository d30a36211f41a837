"""The ingress: ``/seldon/<namespace>/<name>/...`` to the ready pods of a SeldonDeployment.

Like an ingress in a cluster it splits requests by the predictors' ``traffic``, copies them to shadow
predictors and knows nothing about models. The operator passes it the routes while all Deployments are ready,
before it removes obsolete objects (Seldon Core reference, section 8); of an operator outside of this process
it only sees the state ``Available``. Requests go to ready pods only, so the old ones receive them during a
rollout. Explainers are below ``/seldon/<namespace>/<name>-explainer/<predictor>``. With Istio enabled, the
operator's VirtualServices define all that instead. Only HTTP, no gRPC.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import logging
import random
from collections.abc import Coroutine, Iterator
from typing import Any

import aiohttp
from aiohttp import web

from airflow_provider_seldon.local.apiserver.protocol.pod_http import Request, Response
from airflow_provider_seldon.local.client.kinds import PODS, SELDON_DEPLOYMENTS, VIRTUAL_SERVICES, Manifest
from airflow_provider_seldon.local.controllers.caches import Caches
from airflow_provider_seldon.local.controllers.children import naming
from airflow_provider_seldon.local.controllers.children.components import LABEL_APP
from airflow_provider_seldon.local.controllers.informer import Informer
from airflow_provider_seldon.local.controllers.manifests import dig, key_of, name_of, namespace_of
from airflow_provider_seldon.local.controllers.workloads.replica_set import is_ready
from airflow_provider_seldon.local.host_check import refusal
from airflow_provider_seldon.local.kubelet.pods.kubelet import Kubelet
from airflow_provider_seldon.local.mesh import Path, Target, routes_of
from airflow_provider_seldon.local.options import LocalOptions

log = logging.getLogger(__name__)

_HOP_HEADERS = {"connection", "keep-alive", "transfer-encoding", "content-length", "host", "content-encoding"}
_MAX_BODY = 64 * 1024 * 1024
_ATTEMPTS = 3


class Gateway:
    """Serves the ingress.

    :param caches: caches of SeldonDeployments and pods
    :param kubelet: knows the addresses of pods
    :param options: address, credentials and the mesh's delay
    """

    def __init__(self, *, caches: Caches, kubelet: Kubelet, options: LocalOptions) -> None:
        self._kubelet = kubelet
        self._options = options
        self._random = random.Random(options.seed)
        self._caches = caches
        self._deployments: Informer
        self._routes: dict[Path, list[Target]] = {}
        self._by_service: dict[tuple[str, str], dict[str, Manifest]] = {}
        self._wanted: dict[tuple[str, str], list[Target]] = {}
        self._told: set[tuple[str, str]] = set()
        self._unrouted: set[tuple[str, str]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self) -> None:
        """Start listening; sets :attr:`url`."""
        self._deployments = await self._caches.of(SELDON_DEPLOYMENTS)
        (await self._caches.of(PODS)).subscribe(self._on_pod)
        if self._options.istio:
            (await self._caches.of(VIRTUAL_SERVICES)).subscribe(self._on_virtual_service)
        else:
            self._deployments.subscribe(self._on_deployment)
        app = web.Application(client_max_size=_MAX_BODY)
        app.router.add_route("*", "/seldon/{namespace}/{name}{path:(?:/.*)?}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._options.host, self._options.gateway_port)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"

    async def stop(self) -> None:
        """Stop listening."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._runner is not None:
            await self._runner.cleanup()

    def route(self, deployment: Manifest) -> None:
        """
        Set the routes of a deployment; its operator calls this in every pass.

        They are the routes of this moment, even if they take effect later.
        """
        key = key_of(deployment)
        known = self._deployments.get(*key)
        if not self._options.istio and known and known["metadata"]["uid"] == deployment["metadata"]["uid"]:
            self._told.add(key)
            self._want(key, list(_targets(deployment)))

    def _on_deployment(self, old: Manifest | None, new: Manifest | None) -> None:
        if new is None:
            if old is not None:
                key = key_of(old)
                self._routes.pop(key, None)
                self._wanted.pop(key, None)
                self._told.discard(key)
                self._unrouted.discard(key)
        elif key_of(new) not in self._told and dig(new, "status", "state") == "Available":
            self._want(key_of(new), list(_targets(new)))

    def _want(self, key: tuple[str, str], targets: list[Target]) -> None:
        if self._wanted.get(key) != targets:
            self._wanted[key] = targets
            delay = self._options.operator_faults.mesh_delay
            asyncio.get_running_loop().call_later(delay, self._publish, key, targets)

    def _publish(self, key: tuple[str, str], targets: list[Target]) -> None:
        """Use a deployment's routes for requests, once all their targets are ready."""
        if self._wanted.get(key) != targets:
            return
        self._unrouted.discard(key)
        if all(self._by_service.get((key[0], target.service)) for target in targets):
            self._routes[key] = targets
        else:
            self._unrouted.add(key)

    def _on_virtual_service(self, old: Manifest | None, new: Manifest | None) -> None:
        """Use Istio's own routes unchanged, whatever their targets."""
        before = routes_of(old) if old is not None else {}
        routes = routes_of(new) if new is not None else {}

        def take_over() -> None:
            for path in before.keys() - routes.keys():
                self._routes.pop(path, None)
            self._routes.update(routes)

        asyncio.get_running_loop().call_later(self._options.operator_faults.mesh_delay, take_over)

    def _on_pod(self, old: Manifest | None, new: Manifest | None) -> None:
        manifest = new or old
        service = dig(manifest, "metadata", "labels", LABEL_APP)
        if manifest is None or not service:
            return
        pods = self._by_service.setdefault((namespace_of(manifest), service), {})
        if new is not None and "deletionTimestamp" not in new["metadata"] and is_ready(new):
            pods[name_of(manifest)] = new
            for key in [key for key in self._unrouted if key[0] == namespace_of(new)]:
                self._publish(key, self._wanted[key])
        elif new is None or "deletionTimestamp" in new["metadata"]:
            # An ingress receives endpoints no earlier than the routes that were written before them.
            delay = self._options.operator_faults.mesh_delay
            asyncio.get_running_loop().call_later(delay, pods.pop, name_of(manifest), None)
        else:
            pods.pop(name_of(manifest), None)

    async def _handle(self, request: web.Request) -> web.Response:
        page = refusal(request, any_host=True)
        refused = _refusal(403, page) if page else self._refuse(request)
        if refused is not None:
            return refused
        namespace, name = request.match_info["namespace"], request.match_info["name"]
        path = request.match_info["path"] or "/"
        targets = self._routes.get((namespace, name))
        if targets is None:
            explained = self._explainer(namespace, name, path)
            if explained is None:
                known = self._deployments.get(namespace, name) is not None
                return _refusal(503 if known else 404, "no healthy upstream" if known else "no route")
            targets, path = explained
        inner = Request(
            method=request.method,
            path=path,
            query=request.query_string,
            headers=request.headers,
            body=await request.read(),
        )
        for target in targets:
            if target.shadow and (not target.weight or self._random.uniform(0, 100) < target.weight):
                self._background(self._mirror(namespace, target, inner))
        answer = await self._forward(namespace, self._choose(targets), inner)
        if answer is None:
            return _refusal(503, "no healthy upstream")
        headers = {key: value for key, value in answer.headers.items() if key.lower() not in _HOP_HEADERS}
        return web.Response(status=answer.status, body=answer.body, headers=headers)

    def _refuse(self, request: web.Request) -> web.Response | None:
        """Require credentials if the options do."""
        wanted = []
        if self._options.gateway_user is not None:
            pair = ":".join(self._options.gateway_user).encode()
            wanted.append("Basic " + base64.b64encode(pair).decode())
        if self._options.gateway_token is not None:
            wanted.append(f"Bearer {self._options.gateway_token}")
        given = request.headers.get("Authorization", "")
        if not wanted or any(hmac.compare_digest(given.encode(), one.encode()) for one in wanted):
            return None
        answer = _refusal(401, "credentials required")
        answer.headers["WWW-Authenticate"] = 'Basic realm="seldon"'
        return answer

    def _explainer(self, namespace: str, name: str, path: str) -> tuple[list[Target], str] | None:
        """The target of ``<name>-explainer/<predictor>/...``: that predictor's explainer."""
        deployment = self._deployments.get(namespace, name.removesuffix("-explainer"))
        _, _, rest = path.partition("/")
        predictor_name, _, tail = rest.partition("/")
        if self._options.istio:
            targets = self._routes.get((namespace, name, predictor_name))
            return (targets, "/" + tail) if targets else None
        for predictor in dig(deployment, "spec", "predictors", default=[]):
            if deployment is not None and name.endswith("-explainer") and predictor["name"] == predictor_name:
                service = naming.explainer(deployment, predictor)
                return [Target(service=service, weight=100, shadow=False)], "/" + tail
        return None

    def _choose(self, targets: list[Target]) -> Target:
        live = [target for target in targets if not target.shadow]
        if len(live) == 1 or not any(target.weight for target in live):
            return live[0]
        return self._random.choices(live, weights=[target.weight for target in live])[0]

    async def _forward(self, namespace: str, target: Target, request: Request) -> Response | None:
        """Forward to a ready pod, or to another one if that pod is gone; None if there is none."""
        tried: set[str] = set()
        for _ in range(_ATTEMPTS):
            pods = self._by_service.get((namespace, target.service)) or {}
            left = [name for name in pods if name not in tried]
            names = [name for name in left if self._kubelet.is_ready(namespace, name)] or [
                name for name in left if self._kubelet.is_draining(namespace, name)
            ]
            if not names:
                return None
            name = self._random.choice(names)
            tried.add(name)
            try:
                return await self._kubelet.handle(namespace, name, request)
            except (aiohttp.ClientError, ConnectionError) as error:
                log.debug("pod %s did not respond: %s", name, error)
        return None

    async def _mirror(self, namespace: str, target: Target, request: Request) -> None:
        """Send a copy to a shadow, and drop its response."""
        try:
            await self._forward(namespace, target, request)
        except Exception as error:
            log.debug("shadow %s: %s", target.service, error)

    def _background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _targets(deployment: Manifest) -> Iterator[Target]:
    for predictor in dig(deployment, "spec", "predictors", default=[]):
        yield Target(
            service=naming.predictor_service(deployment, predictor),
            weight=int(predictor.get("traffic") or 0),
            shadow=bool(predictor.get("shadow")),
        )


def _refusal(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=text)
