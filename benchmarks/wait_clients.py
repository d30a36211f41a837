"""
The waiting processes of ``waits.py``: many waits in one event loop, and what they cost it.

Each way of waiting is a coroutine for one deployment; it returns when it would let its task go on. It tells in
lines of JSON that it is warm (then it waits for a line), that all waits have begun, and what was measured when all have
ended.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import logging
import os
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

NAMESPACE = "models"
PATH = "/apis/machinelearning.seldon.io/v1"
#: Names of the trigger's own settings, as in its documentation.
CONNECTION = "seldon_default"
DEADLINE = 600.0
HEARTBEAT = 0.005

Wait = Callable[[str], Awaitable[Any]]
_RESULTS = 1


def memory() -> int:
    """Return the resident memory of this process in bytes."""
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def ours(url: str) -> Wait:
    """This provider's trigger, as the triggerer runs it."""
    from airflow_provider_seldon.triggers.deployment import SeldonDeploymentTrigger
    from benchmarks.wait_server import deployment

    os.environ["AIRFLOW_CONN_SELDON_DEFAULT"] = json.dumps(
        {"conn_type": "seldon", "extra": {"namespace": NAMESPACE, "kube_config": json.dumps(kubeconfig(url))}}
    )
    from airflow_provider_seldon.core.readiness.expectation import Expectation

    def prepare(name: str) -> dict[str, Any]:
        """What a triggerer reads from the database."""
        expected = Expectation.of(deployment(name)).to_json()
        stored = {"seldon_conn_id": CONNECTION, "namespace": NAMESPACE, "name": name, "expected": expected}
        return json.loads(json.dumps(stored | {"deadline": time.time() + DEADLINE}))

    async def wait(name: str) -> Any:
        trigger = SeldonDeploymentTrigger(**prepare(name))
        async for event in trigger.run():
            if event.payload["ending"] != "ready":
                raise RuntimeError(f"{name}: {event.payload}")

    return wait


def client_per_poll(url: str) -> Wait:
    """The pattern of cncf.kubernetes: a new client for each poll, every two seconds."""
    from airflow.providers.cncf.kubernetes.hooks.kubernetes import AsyncKubernetesHook
    from kubernetes_asyncio.client import CustomObjectsApi

    async def wait(name: str) -> Any:
        hook = AsyncKubernetesHook(conn_id=None, config_dict=kubeconfig(url))
        before = None
        while True:
            async with hook.get_conn() as connection:
                found = await CustomObjectsApi(connection).get_namespaced_custom_object(
                    "machinelearning.seldon.io", "v1", NAMESPACE, "seldondeployments", name
                )
            # Available from the start: only by luck does it tell; here the change itself is taken for the end.
            before = before or found["metadata"]["resourceVersion"]
            if found["metadata"]["resourceVersion"] != before:
                return
            await asyncio.sleep(2.0)

    return wait


def two_reads_a_second(url: str) -> Wait:
    """The seed's loop: every second, two reads; generously over one client for all."""
    import aiohttp

    session: list[aiohttp.ClientSession] = []

    async def wait(name: str) -> Any:
        if not session:
            session.append(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
        before = None
        while True:
            for _ in range(2):
                async with session[0].get(
                    f"{url}{PATH}/namespaces/{NAMESPACE}/seldondeployments/{name}"
                ) as answer:
                    found = await answer.json()
            before = before or found["metadata"]["resourceVersion"]
            if found["metadata"]["resourceVersion"] != before:
                return
            await asyncio.sleep(1.0)

    return wait


SUBJECTS: dict[str, Callable[[str], Wait]] = {
    "shared watch (this provider's trigger)": ours,
    "client per poll, 2 s (cncf.kubernetes)": client_per_poll,
    "two reads a second (the seed)": two_reads_a_second,
}


def kubeconfig(url: str) -> dict[str, Any]:
    """Return a kubeconfig for the server."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "bench",
        "contexts": [
            {"name": "bench", "context": {"cluster": "bench", "user": "bench", "namespace": NAMESPACE}}
        ],
        "clusters": [{"name": "bench", "cluster": {"server": url}}],
        "users": [{"name": "bench", "user": {}}],
    }


class Heartbeat:
    """Notes by how much the event loop is late at most, and how long Python's collector stops everything at most."""

    def __init__(self) -> None:
        self.late = self.collector = 0.0
        self._collecting = 0.0
        gc.callbacks.append(self._collected)

    async def beat(self) -> None:
        """Continue until cancelled."""
        while True:
            due = time.perf_counter() + HEARTBEAT
            await asyncio.sleep(HEARTBEAT)
            self.late = max(self.late, time.perf_counter() - due)

    def take(self) -> dict[str, float]:
        """Return both in seconds, and begin anew."""
        taken = {"late": self.late, "collector": self.collector}
        self.late = self.collector = 0.0
        return taken

    def _collected(self, phase: str, _: dict[str, int]) -> None:
        if phase == "start":
            self._collecting = time.perf_counter()
        else:
            self.collector = max(self.collector, time.perf_counter() - self._collecting)


def tell(data: dict[str, Any]) -> None:
    """Write a line of JSON where ``waits.py`` reads it."""
    os.write(_RESULTS, (json.dumps(data) + "\n").encode())


async def run(subject: str, url: str, number: int) -> dict[str, Any]:
    """Let ``number`` waits run to their end."""
    wait = SUBJECTS[subject](url)
    # Imports and the like are the process's, not a wait's; one wait that is given up pays for them.
    first = asyncio.create_task(_one(wait, "model-00000", {}))
    await asyncio.sleep(5.0)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    tell({"warm": True})
    sys.stdin.readline()
    heart = Heartbeat()
    beat = asyncio.create_task(heart.beat())
    before = memory()
    await asyncio.sleep(0.1)
    heart.take()
    ended: dict[str, float] = {}
    waits = []
    for index in range(number):
        waits.append(asyncio.create_task(_one(wait, f"model-{index:05d}", ended)))
        if index % 50 == 49:  # as many as a triggerer starts at a time
            await asyncio.sleep(0.01)
    await asyncio.sleep(10.0)
    beginning = heart.take()
    held = memory() - before
    await asyncio.sleep(0.1)
    heart.take()
    tell({"waiting": number})
    processor = time.process_time()
    await asyncio.gather(*waits)
    releasing = heart.take()
    beat.cancel()
    return {
        "ended": ended,
        "memory": held / number,
        "beginning": beginning,
        "releasing": releasing,
        "processor": time.process_time() - processor,
    }


async def _one(wait: Wait, name: str, ended: dict[str, float]) -> None:
    await wait(name)
    ended[name] = time.time()


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("subject", choices=list(SUBJECTS))
    arguments.add_argument("url")
    arguments.add_argument("number", type=int)
    given = arguments.parse_args()
    # Task logs go to the standard output, which nobody reads here.
    _RESULTS = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    # The peers leave their clients open; that is told at length when the process ends.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    tell(asyncio.run(run(given.subject, given.url, given.number)))
    os._exit(0)
