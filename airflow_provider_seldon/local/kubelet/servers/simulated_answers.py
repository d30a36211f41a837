"""Responses of a simulated pod: plausible bodies with the pod's own revision as a version marker. Pure."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_seldon.core.identity.annotations import ANNOTATION_REVISION
from airflow_provider_seldon.local.apiserver.protocol.pod_http import Request
from airflow_provider_seldon.local.client.kinds import Manifest
from airflow_provider_seldon.local.controllers.children.defaults import walk
from airflow_provider_seldon.local.controllers.children.engine import ENGINE
from airflow_provider_seldon.local.controllers.manifests import dig, name_of
from airflow_provider_seldon.local.kubelet.servers.routes import Operation, refusal, route


def answer(pod: Manifest, request: Request) -> tuple[int, Any]:
    """Status and body of the response to a request to this pod's service."""
    target = route(request.method, request.path)
    predictor = predictor_of(pod)
    if target.operation is Operation.PREDICT:
        return _predict(pod, predictor, request)
    if target.operation is Operation.INFER:
        return _infer(pod, predictor, request, target.unit)
    tags = marker(pod, predictor)
    unit = target.unit or dig(predictor, "graph", "name", default="")
    bodies: dict[Operation, Any] = {
        Operation.FEEDBACK: {"data": {"tensor": {"shape": [0], "values": []}}, "meta": {}},
        Operation.METADATA: _metadata(predictor, tags),
        Operation.STATUS: {"data": {"names": [], "tensor": {"shape": [0], "values": []}}, "meta": {}},
        Operation.HEALTH: {"data": {"names": [], "tensor": {"shape": [0], "values": []}}, "meta": {}},
        Operation.MODEL: {
            "name": unit,
            "versions": [tags["revision"]],
            "platform": "",
            "inputs": [],
            "outputs": [],
        },
        Operation.MODEL_READY: {"name": unit, "ready": True},
        Operation.LIVE: {"live": True},
    }
    if target.operation in bodies:
        return 200, bodies[target.operation]
    status, reason = refusal(target, request.method, request.path)
    return status, {"status": {"code": status, "info": reason, "status": "FAILURE"}}


def predictor_of(pod: Manifest) -> Manifest:
    """The predictor of this pod, from its engine; empty for a pod without an engine."""
    for container in dig(pod, "spec", "containers", default=[]):
        if container["name"] == ENGINE:
            for entry in container.get("env") or []:
                if entry["name"] == "ENGINE_PREDICTOR":
                    decoded: Manifest = json.loads(base64.b64decode(entry["value"]))
                    return decoded
    return {}


def marker(pod: Manifest, predictor: Manifest) -> dict[str, Any]:
    """The data that identifies a version: revision stamp, model URIs, pod."""
    revision = dig(predictor, "annotations", ANNOTATION_REVISION) or dig(
        pod, "metadata", "annotations", ANNOTATION_REVISION, default=""
    )
    uris = [unit["modelUri"] for unit in walk(predictor.get("graph") or {}) if unit.get("modelUri")]
    inits = dig(pod, "spec", "initContainers", default=[])
    uris = uris or [one["args"][0] for one in inits if one.get("args")]
    return {
        "revision": revision,
        "modelUri": uris[0] if uris else "",
        "predictor": predictor.get("name", ""),
        "pod": name_of(pod),
    }


def _predict(pod: Manifest, predictor: Manifest, request: Request) -> tuple[int, Any]:
    try:
        body = json.loads(request.body or b"{}")
    except ValueError:
        return 400, {"status": {"code": 400, "info": "not JSON", "status": "FAILURE"}}
    rows = dig(body, "data", "ndarray")
    count = (
        len(rows) if isinstance(rows, Sequence) else int(dig(body, "data", "tensor", "shape", 0, default=1))
    )
    units = {unit["name"]: unit for unit in walk(predictor.get("graph") or {}) if unit.get("name")}
    images = {
        box["name"]: box.get("image", "")
        for component in predictor.get("componentSpecs") or []
        for box in dig(component, "spec", "containers", default=[])
    }
    meta = {
        "puid": _puid(request.headers),
        "tags": marker(pod, predictor),
        "requestPath": {name: images.get(name, "") for name in units},
    }
    return 200, {"data": {"names": ["t:0", "t:1"], "ndarray": [[0.25, 0.75]] * count}, "meta": meta}


def _infer(pod: Manifest, predictor: Manifest, request: Request, unit: str) -> tuple[int, Any]:
    try:
        body = json.loads(request.body or b"{}")
    except ValueError:
        return 400, {"error": "not JSON"}
    count = int(dig(body, "inputs", 0, "shape", 0, default=1))
    tags = marker(pod, predictor)
    return 200, {
        "id": body.get("id") or _puid(request.headers),
        "model_name": unit or dig(predictor, "graph", "name", default=""),
        "model_version": tags["revision"],
        "parameters": tags,
        "outputs": [{"name": "predict", "shape": [count, 1], "datatype": "FP64", "data": [0.75] * count}],
    }


def _metadata(predictor: Manifest, tags: Mapping[str, Any]) -> Any:
    units = [unit["name"] for unit in walk(predictor.get("graph") or {}) if unit.get("name")]
    models = {
        name: {"name": name, "platform": "simulated", "versions": [tags["revision"]], "custom": dict(tags)}
        for name in units
    }
    return {"name": predictor.get("name", ""), "models": models, "graphinputs": [], "graphoutputs": []}


def _puid(headers: Mapping[str, str]) -> str:
    return headers.get("Seldon-Puid") or secrets.token_hex(13)
