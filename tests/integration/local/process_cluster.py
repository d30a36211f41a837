"""Custom containers for tests whose pods are processes."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.integration.local.cluster_client import Cluster, Manifest, seldon_deployment

SERVER = str(Path(__file__).with_name("model_server.py"))


def box(*arguments: str, name: str = "model", **more: object) -> Manifest:
    """A custom container that runs the tests' model server."""
    return {
        "name": name,
        "image": "any/image:1",
        "command": [sys.executable, SERVER],
        "args": list(arguments),
    } | more


def custom(name: str, *boxes: Manifest, graph: Manifest | None = None, **predictor: object) -> Manifest:
    """A SeldonDeployment of custom containers in one pod."""
    component = {"spec": {"containers": list(boxes)}}
    graph = graph or {"name": "model", "type": "MODEL"}
    return seldon_deployment(name, graph=graph, componentSpecs=[component], **predictor)


def ask(cluster: Cluster, name: str, *values: float) -> Manifest:
    answer: Manifest = cluster.predict(name, {"data": {"ndarray": [list(values)]}})
    return answer


def waiting_of(cluster: Cluster, name: str = "model") -> Manifest:
    """Why a container of the newest pod waits."""
    for pod in cluster.list("pods"):
        status = pod.get("status") or {}
        for one in [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]:
            if one["name"] == name:
                return dict(one["state"].get("waiting") or {}) | {"last": one["lastState"]}
    return {}
