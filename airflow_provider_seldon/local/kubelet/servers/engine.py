"""The service orchestrator of a pod: it handles a predictor's requests with calls to its graph's units.

It replaces ``seldon-container-engine``: the predictor comes from the pod's own ``ENGINE_PREDICTOR``, so that
an old pod serves the old version. In Seldon's protocol it walks the graph; in the others it passes the
request to the named unit (graphs of several units work there as chains). Ready means that every unit accepts
TCP connections, as in Seldon Core (SeldonIO/seldon-core #5150); no gRPC.
"""

from __future__ import annotations

import asyncio
import json
import random
import secrets
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from airflow_provider_seldon.local.apiserver.protocol.pod_http import Request, Response
from airflow_provider_seldon.local.client.kinds import Manifest
from airflow_provider_seldon.local.controllers.children.defaults import containers_of, unit_of, walk
from airflow_provider_seldon.local.controllers.children.servers import is_hardcoded
from airflow_provider_seldon.local.kubelet.containers.logs import ContainerLog
from airflow_provider_seldon.local.kubelet.servers.graph_walk import GraphRun
from airflow_provider_seldon.local.kubelet.servers.page import docs_page
from airflow_provider_seldon.local.kubelet.servers.routes import Operation, Route, refusal, route
from airflow_provider_seldon.local.kubelet.servers.unit_calls import Component, ComponentCallError

Locate = Callable[[Manifest], Component | None]
"""Returns the address of a graph unit; None if it is not running (yet)."""

_HOP_HEADERS = {"host", "content-length", "transfer-encoding", "connection", "authorization"}
_JSON = {"Content-Type": "application/json"}


class Engine:
    """Handles the requests of one predictor.

    :param predictor: the predictor, from its pod
    :param locate: returns the address of a unit
    :param session: HTTP session for the calls
    :param log: log of failures
    """

    def __init__(
        self,
        *,
        predictor: Manifest,
        locate: Locate,
        session: aiohttp.ClientSession,
        log: ContainerLog,
    ) -> None:
        self._graph: Manifest = predictor.get("graph") or {}
        self._predictor = predictor
        self._name = str(predictor.get("name", ""))
        self._locate = locate
        self._session = session
        self._log = log
        self._random = random.Random()
        self._images = {box["name"]: str(box.get("image", "")) for _, box in containers_of(predictor)}

    async def probe(self) -> str | None:
        """None when every unit accepts connections."""
        for unit in walk(self._graph):
            if is_hardcoded(unit.get("implementation")):
                continue
            component = self._locate(unit)
            if component is None or not await accepts_connections(component.url):
                return f'Get "/ready": {unit["name"]} does not accept connections'
        return None

    async def handle(self, request: Request) -> Response:
        """Handle a request to the predictor's service."""
        target = route(request.method, request.path)
        puid = request.headers.get("Seldon-Puid") or secrets.token_hex(13)
        try:
            response = await self._answer(request, target, puid)
        except ComponentCallError as error:
            self._log.write(f"{request.method} {request.path}: {error}")
            response = _failure(error.status, str(error))
        return Response(
            status=response.status, body=response.body, headers={**response.headers, "Seldon-Puid": puid}
        )

    async def _answer(self, request: Request, target: Route, puid: str) -> Response:
        operation = target.operation
        if operation is Operation.PREDICT:
            return await self._predict(request, puid)
        if operation is Operation.FEEDBACK:
            return await self._feedback(request)
        if operation is Operation.INFER:
            return await self._infer(request, target.unit)
        if operation in (Operation.MODEL, Operation.MODEL_READY):
            return await self._proxy(request, self._unit(target.unit))
        if operation is Operation.METADATA:
            return await self._metadata(target.unit)
        if operation is Operation.DOCS:
            return Response(
                status=200, body=docs_page(self._predictor).encode(), headers={"Content-Type": "text/html"}
            )
        if operation in (Operation.STATUS, Operation.HEALTH, Operation.LIVE):
            problem = await self.probe()
            return _json({"status": "ok"}) if problem is None else _failure(503, problem)
        return _failure(*refusal(target, request.method, request.path))

    async def _predict(self, request: Request, puid: str) -> Response:
        try:
            message = json.loads(request.body)
        except ValueError:
            return _failure(400, "the request is not JSON")
        if not isinstance(message, dict):
            return _failure(400, "the request is not a Seldon message")
        run = GraphRun(call=self._call, images=self._images, chance=self._random)
        answer = await run.predict(self._graph, message)
        answer["meta"] = run.meta(message.get("meta") or {}, puid)
        return _json(answer)

    async def _feedback(self, request: Request) -> Response:
        try:
            body = json.loads(request.body)
        except ValueError:
            return _failure(400, "the request is not JSON")
        units = [unit for unit in walk(self._graph) if not is_hardcoded(unit.get("implementation"))]
        results = await asyncio.gather(
            *(self._call(unit, "send-feedback", body) for unit in units), return_exceptions=True
        )
        for result in results:  # feedback is optional for a component
            if isinstance(result, BaseException) and not isinstance(result, ComponentCallError):
                raise result
        return _json({"data": {"tensor": {"shape": [0], "values": []}}, "meta": {}})

    async def _infer(self, request: Request, name: str) -> Response:
        """Call the named unit, then its first child with the response, and so on."""
        unit = self._unit(name)
        response = await self._proxy(request, unit)
        while unit.get("children") and response.status == 200:
            unit = unit["children"][0]
            answer = json.loads(response.body)
            body = json.dumps({"id": answer.get("id"), "inputs": answer.get("outputs") or []}).encode()
            path = f"/v2/models/{unit['name']}/infer"
            next_request = Request(method="POST", path=path, query="", headers=_JSON, body=body)
            response = await self._proxy(next_request, unit)
        return response

    async def _metadata(self, name: str) -> Response:
        models: dict[str, Any] = {}
        for unit in walk(self._graph):
            if name in ("", unit["name"]):
                models[unit["name"]] = await self._unit_metadata(unit)
        if name:
            return _json(models[name]) if name in models else _failure(404, f"no such unit: {name}")
        return _json({"name": self._name, "models": models, "graphinputs": [], "graphoutputs": []})

    async def _unit_metadata(self, unit: Manifest) -> Any:
        component = self._locate(unit)
        if component is None:
            return {"name": unit["name"]}
        path = f"/v2/models/{unit['name']}" if component.mlserver else "/metadata"
        try:
            async with self._session.get(component.url + path) as response:
                return (
                    await response.json(content_type=None)
                    if response.status == 200
                    else {"name": unit["name"]}
                )
        except (aiohttp.ClientError, ValueError):
            return {"name": unit["name"]}

    async def _call(self, unit: Manifest, verb: str, body: Any) -> Manifest:
        component = self._locate(unit)
        if component is None:
            raise ComponentCallError(unit=unit["name"], status=503, body="it does not run")
        return await component.call(self._session, verb, body, unit)

    async def _proxy(self, request: Request, unit: Manifest) -> Response:
        component = self._locate(unit)
        if component is None:
            return _failure(503, f"{unit['name']} does not run")
        path = request.path
        if path.startswith("/v2/models/infer"):  # the engine's short form
            path = path.replace("/v2/models/infer", f"/v2/models/{unit['name']}/infer")
        return await proxy(self._session, component.url, request, path=path)

    def _unit(self, name: str) -> Manifest:
        unit = unit_of(self._graph, name) if name else self._graph
        if unit is None:
            raise ComponentCallError(unit=name, status=404, body="no such unit in the graph")
        return unit


async def proxy(
    session: aiohttp.ClientSession, url: str, request: Request, *, path: str | None = None
) -> Response:
    """Forward a request unchanged."""
    headers = {key: value for key, value in request.headers.items() if key.lower() not in _HOP_HEADERS}
    target = url + (path or request.path) + (f"?{request.query}" if request.query else "")
    async with session.request(request.method, target, data=request.body, headers=headers) as response:
        kept = {"Content-Type": response.headers.get("Content-Type", "application/json")}
        return Response(status=response.status, body=await response.read(), headers=kept)


async def accepts_connections(url: str) -> bool:
    """Whether a server listens at a URL."""
    parts = urlsplit(url)
    try:
        async with asyncio.timeout(1.0):
            _, writer = await asyncio.open_connection(parts.hostname, parts.port)
    except (OSError, ValueError):  # no listener, or an invalid port
        return False
    writer.close()
    return True


def _json(value: Any) -> Response:
    return Response(status=200, body=json.dumps(value).encode(), headers=_JSON)


def _failure(status: int, info: str) -> Response:
    body = {
        "status": {"code": status, "info": info, "reason": "MICROSERVICE_INTERNAL_ERROR", "status": "FAILURE"}
    }
    return Response(status=status, body=json.dumps(body).encode(), headers=_JSON)
