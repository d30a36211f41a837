"""An API server without an operator, whose objects a test writes itself; everything in one event loop."""

from __future__ import annotations

import asyncio
import copy
import functools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from kubernetes.client import Configuration

from airflow_provider_seldon.core.readiness.expectation import Expectation
from airflow_provider_seldon.core.readiness.outcome import Outcome
from airflow_provider_seldon.kube.access.access import ClusterAccess
from airflow_provider_seldon.kube.watch.reflector import Tuning
from airflow_provider_seldon.kube.watch.wait import wait
from airflow_provider_seldon.local.apiserver.http.listener import Listener
from tests.clusters import clusters
from tests.unit.core.cluster_objects import SPEC, complete_children, sdep

#: Everything a hundred times as fast as in earnest.
#: A busy machine may be silent for seconds, so an idle watch counts as dead only where a test says so.
QUICK = Tuning(idle=15.0, poll=0.05, first_pause=0.02, longest_pause=0.1, refused=0.1, unauthorized=0.1)
TIMEOUT = 20.0


def in_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run an asynchronous test in an event loop of its own."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        async def limited() -> None:
            async with asyncio.timeout(TIMEOUT * 2):
                await test(*args, **kwargs)

        asyncio.run(limited())

    del run.__wrapped__  # else pytest looks for fixtures among a coroutine's arguments only
    return run


class Cluster:
    """The server, and hands to write with."""

    def __init__(self, server: Listener, http: aiohttp.ClientSession, *, url: str = "") -> None:
        self.server = server
        self._url = url or server.url
        self.faults = server.faults
        self.requests = server.requests
        self._http = http
        self.token = ""

    @property
    def access(self) -> ClusterAccess:
        """A way in; the token is read again each time the configuration is."""

        def resolve() -> Configuration:
            configuration = Configuration(host=self._url)
            configuration.proxy = None
            if self.token:
                configuration.api_key["authorization"] = f"Bearer {self.token}"
            return configuration

        return ClusterAccess(key=self._url, resolve=resolve)

    async def deploy(
        self, name: str = "iris", namespace: str = "default", version: int = 1
    ) -> dict[str, Any]:
        """Write a SeldonDeployment; return it as stored. Its children are not made."""
        spec = copy.deepcopy(SPEC)
        spec["predictors"][0]["labels"] = {"version": str(version)}
        manifest = sdep(spec, name=name)
        manifest["metadata"] = {"name": name, "namespace": namespace}
        path = f"/apis/machinelearning.seldon.io/v1/namespaces/{namespace}/seldondeployments"
        if version == 1:
            if namespace != "default":
                home = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
                await self.send("POST", "/api/v1/namespaces", home, missing_ok=True)
            return await self.send("POST", path, manifest)
        return await self.send("PATCH", f"{path}/{name}", {"spec": manifest["spec"]})

    async def roll(self, stored: dict[str, Any], *, available: int = 1) -> None:
        """Do what operator and Deployment controller do: make or update the child, and its status."""
        namespace, name = stored["metadata"]["namespace"], stored["metadata"]["name"]
        (child,) = complete_children(stored)
        labels = {"seldon-deployment-id": name, "app": child["metadata"]["name"]}
        child["metadata"] = {"name": child["metadata"]["name"], "namespace": namespace, "labels": labels}
        child["metadata"]["ownerReferences"] = [
            {
                "apiVersion": stored["apiVersion"],
                "kind": "SeldonDeployment",
                "name": name,
                "uid": stored["metadata"]["uid"],
                "controller": True,
            }
        ]
        child["spec"]["selector"] = {"matchLabels": labels}
        own = stored["spec"]["predictors"][0].get("labels") or {}
        child["spec"]["template"]["metadata"]["labels"] = own | labels
        for container in child["spec"]["template"]["spec"]["containers"]:
            container.setdefault("image", "engine:1")
        path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
        body = {"apiVersion": "apps/v1", "kind": "Deployment", **child}
        body.pop("status")
        made = await self.send("POST", path, body, missing_ok=True)
        if made.get("kind") != "Deployment":
            made = await self.send("PATCH", f"{path}/{child['metadata']['name']}", {"spec": child["spec"]})
        status = {
            "observedGeneration": made["metadata"]["generation"],
            "replicas": 1,
            "updatedReplicas": 1,
            "readyReplicas": available,
            "availableReplicas": available,
        }
        await self.send("PATCH", f"{path}/{child['metadata']['name']}/status", {"status": status})

    async def say(
        self, stored: dict[str, Any], state: str, description: str | None = None, **more: Any
    ) -> None:
        """Write the status of a SeldonDeployment."""
        namespace, name = stored["metadata"]["namespace"], stored["metadata"]["name"]
        path = f"/apis/machinelearning.seldon.io/v1/namespaces/{namespace}/seldondeployments/{name}/status"
        ready = "True" if state == "Available" else "False"
        status = {
            "state": state,
            "description": description,
            "conditions": [{"type": "Ready", "status": ready}],
        }
        await self.send("PATCH", path, {"status": status | more})

    async def finish(self, stored: dict[str, Any]) -> None:
        """Let a deployment serve."""
        await self.roll(stored)
        await self.say(stored, "Available")

    async def delete(self, name: str, namespace: str = "default") -> None:
        """Delete a SeldonDeployment."""
        path = f"/apis/machinelearning.seldon.io/v1/namespaces/{namespace}/seldondeployments/{name}"
        await self.send("DELETE", path, None)

    async def send(self, method: str, path: str, body: Any, *, missing_ok: bool = False) -> dict[str, Any]:
        """Send a request as an administrator, who is met by no fault of a read."""
        headers = {
            "Content-Type": "application/merge-patch+json" if method == "PATCH" else "application/json"
        }
        if self.token:
            headers["Authorization"] = "Bearer admin"
        async with self._http.request(
            method, f"{self.server.url}{path}", json=body, headers=headers
        ) as response:
            answer: dict[str, Any] = await response.json()
            assert response.status < 300 or missing_ok, answer
            return answer

    def count(self, verb: str, resource: str) -> int:
        """Return how many requests there were."""
        return self.requests.count(verb=verb, resource=resource)

    def wait(
        self, stored: dict[str, Any] | None, name: str = "iris", **options: Any
    ) -> asyncio.Task[Outcome]:
        """Begin to wait for what was stored; without it, for whatever there is of that name."""
        namespace, access = options.pop("namespace", "default"), options.pop("access", self.access)
        if stored is not None:
            name, namespace = stored["metadata"]["name"], stored["metadata"]["namespace"]
            options.setdefault("expected", Expectation.of(stored))
        options.setdefault("deadline", time.time() + TIMEOUT)
        options.setdefault("tuning", QUICK)
        return asyncio.create_task(wait(access, namespace, name, **options))


@asynccontextmanager
async def cluster(**options: Any) -> AsyncIterator[Cluster]:
    """A started server."""
    server = await asyncio.to_thread(clusters().api_server, **options)
    await server.start()
    async with aiohttp.ClientSession() as http:
        try:
            yield Cluster(server, http)
        finally:
            await server.stop()


SDEPS, CHILDREN = "seldondeployments", "deployments"


async def watching(here: Cluster, times: int = 1) -> None:
    """Return when both kinds have been watched so often."""
    await until(lambda: here.count("watch", SDEPS) >= times and here.count("watch", CHILDREN) >= times)


async def until(condition: Callable[[], Any], timeout: float = 60.0) -> None:
    """Return as soon as a condition holds."""
    async with asyncio.timeout(timeout):
        while not condition():  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.005)


async def all_of(*tasks: Awaitable[Outcome]) -> list[str]:
    """Return how some waits ended."""
    return [str(outcome.ending) for outcome in await asyncio.gather(*tasks)]
