"""
The cluster of ``waits.py``: an API server in its own process, which obeys lines of JSON on its input.

``{"populate": N}`` makes N deployments just after an update: their status is the Available of the previous version.
``{"release": SECONDS, "drop": BOOL}`` lets all of them serve, at random times within that span, and answers with the
time of each; with ``drop`` all streams are cut at its beginning and cannot be resumed. ``{"count": true}`` answers with
the numbers of requests since ``{"forget": true}``.
"""

from __future__ import annotations

import asyncio
import base64
import collections
import copy
import json
import random
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from airflow_provider_seldon.core.identity.annotations import ANNOTATION_REVISION
from airflow_provider_seldon.core.identity.revision import stamped
from airflow_provider_seldon.local.apiserver.http.server import ApiServer
from airflow_provider_seldon.local.apiserver.protocol.resources import RESOURCES
from airflow_provider_seldon.local.faults import Fault

SELDON = next(one for one in RESOURCES if one.plural == "seldondeployments")
CHILDREN = next(one for one in RESOURCES if one.plural == "deployments")
NAMESPACE = "models"
#: About what a real object carries besides its content.
MANAGED = [
    {
        "manager": f"manager-{number}",
        "operation": "Update",
        "fieldsV1": {f"f:field-{n}": {} for n in range(40)},
    }
    for number in range(2)
]


def deployment(name: str) -> dict[str, Any]:
    """A SeldonDeployment of generation 2 that still shows the status of generation 1."""
    server = {
        "name": "classifier",
        "implementation": "SKLEARN_SERVER",
        "modelUri": f"s3://models/{name}/7",
        "envSecretRefName": "storage",
        "parameters": [{"name": "method", "value": "predict", "type": "STRING"}],
    }
    predictor = stamped({"name": "default", "graph": server, "replicas": 1})
    conditions = [
        {
            "type": kind,
            "status": "True",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
            "reason": "all is well",
        }
        for kind in ("DeploymentsReady", "HpasReady", "KedaReady", "PdbsReady", "Ready", "ServicesReady")
    ]
    child = f"{name}-default-0-classifier"
    return {
        "apiVersion": "machinelearning.seldon.io/v1",
        "kind": "SeldonDeployment",
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "uid": f"uid-{name}",
            "generation": 2,
            "annotations": {
                "airflow-provider-seldon/config": json.dumps({"model_name": name, "padding": "x" * 300})
            },
            "managedFields": MANAGED,
        },
        "spec": {"protocol": "seldon", "predictors": [predictor]},
        "status": {
            "state": "Available",
            "conditions": conditions,
            "deploymentStatus": {child: {"replicas": 1, "availableReplicas": 1}},
        },
    }


def child_of(owner: dict[str, Any], *, new: bool) -> dict[str, Any]:
    """Its Kubernetes Deployment, of this version or the one before; completely rolled out in either case."""
    name = owner["metadata"]["name"]
    predictor = copy.deepcopy(owner["spec"]["predictors"][0])
    if not new:
        predictor["annotations"][ANNOTATION_REVISION] = "0" * 10
    encoded = base64.b64encode(json.dumps(predictor).encode()).decode()
    probe = {"httpGet": {"path": "/ready", "port": 8000}, "initialDelaySeconds": 20, "periodSeconds": 5}
    common = {
        "readinessProbe": probe,
        "livenessProbe": probe,
        "resources": {"limits": {"cpu": "1", "memory": "1Gi"}},
    }
    environment = [{"name": f"PREDICTIVE_UNIT_SETTING_{number}", "value": "9000"} for number in range(12)]
    containers = [
        {"name": "classifier", "image": "server:1", "env": environment, **common},
        {
            "name": "seldon-container-engine",
            "image": "engine:1",
            "env": [{"name": "ENGINE_PREDICTOR", "value": encoded}],
        },
    ]
    labels = {"seldon-deployment-id": name, "app": f"{name}-default-0-classifier"}
    counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), 1)
    generation = 2 if new else 1
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": f"{name}-default-0-classifier",
            "namespace": NAMESPACE,
            "uid": f"uid-child-{name}",
            "generation": generation,
            "labels": labels,
            "managedFields": MANAGED,
            "ownerReferences": [
                {"kind": "SeldonDeployment", "name": name, "uid": f"uid-{name}", "controller": True}
            ],
        },
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels, "annotations": predictor["annotations"]},
                "spec": {"containers": containers},
            },
        },
        "status": {"observedGeneration": generation, **counts},
    }


class Commands:
    """Carries the commands out."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        self._names: list[str] = []

    async def obey(self, command: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to a command."""
        if "populate" in command:
            return self._populate(command["populate"])
        if "release" in command:
            return {"released": await self._release(command["release"], drop=command.get("drop", False))}
        if "forget" in command:
            self._server.requests.clear()
            return {"forgotten": True}
        return {"counts": self._counts()}

    def _populate(self, number: int) -> dict[str, Any]:
        store = self._server.store
        for resource in (SELDON, CHILDREN):
            for stored in list(store.list(resource, NAMESPACE)):
                store.remove(stored)
        self._names = [f"model-{index:05d}" for index in range(number)]
        for name in self._names:
            manifest = deployment(name)
            store.put(SELDON, manifest)
            store.put(CHILDREN, child_of(manifest, new=False))
        return {"populated": number}

    async def _release(self, seconds: float, *, drop: bool) -> dict[str, float]:
        if drop:
            self._server.requests.clear()
            for resource in (SELDON, CHILDREN):
                self._server.faults.add(Fault(verb="watch", resource=resource.plural, status=410))
            self._server.close_watches()
        began = time.monotonic()
        times = sorted((random.uniform(0.0, seconds), name) for name in self._names)
        released: dict[str, float] = {}
        for after, name in times:
            await asyncio.sleep(max(0.0, began + after - time.monotonic()))
            self._serve(name)
            released[name] = time.time()
        return released

    def _serve(self, name: str) -> None:
        """First the child is done, then the operator says so."""
        store = self._server.store
        stored = store.get(SELDON, NAMESPACE, name)
        assert stored is not None
        manifest = copy.deepcopy(stored.manifest)
        store.put(CHILDREN, child_of(manifest, new=True))
        manifest["status"]["replicas"] = 1
        store.put(SELDON, manifest)

    def _counts(self) -> dict[str, int]:
        entries = self._server.requests.entries()
        return dict(collections.Counter(f"{one.verb} {one.resource}" for one in entries if one.resource))


async def main() -> None:
    """Serve until the input ends."""
    server = ApiServer(namespaces=[NAMESPACE], garbage_collection=False, history_limit=100_000)
    await server.start()
    print(json.dumps({"url": server.url}), flush=True)
    commands = Commands(server)
    while line := await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps(await commands.obey(json.loads(line))), flush=True)
    await server.stop()


if __name__ == "__main__":
    asyncio.run(main())
