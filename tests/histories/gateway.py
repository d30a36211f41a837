"""Asks the gateway for predictions all the time, and tells the oracles of several histories what it says."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Coroutine
from typing import Any

import aiohttp

from airflow_provider_seldon.local.cluster import LocalSeldon
from airflow_provider_seldon.local.loop_thread import LoopThread
from tests.histories.oracle import NOTHING, Answer, Oracle

#: Seconds between two questions.
INTERVAL = 0.06
_BODY = json.dumps({"data": {"ndarray": [[1.0]]}}).encode()


class Gateway:
    """
    The gateway of a cluster, asked from its own thread.

    :param local: the cluster.
    """

    def __init__(self, local: LocalSeldon) -> None:
        self._url = local.gateway_url
        self._loop = LoopThread(name="questions to the gateway")
        self._http: aiohttp.ClientSession

    def __enter__(self) -> Gateway:
        self._loop.start()
        self._call(self._open())
        return self

    def __exit__(self, *error: object) -> None:
        self._call(self._http.close())
        self._loop.stop()

    def watch(self, namespace: str, name: str, oracle: Oracle) -> asyncio.Task[None]:
        """Ask for a deployment all the time, until the task that is returned is given to :meth:`leave`."""
        return self._loop.call(lambda: asyncio.create_task(self._watch(namespace, name, oracle)))

    def leave(self, watching: asyncio.Task[None]) -> None:
        """Ask no more."""
        self._loop.call(watching.cancel)

    def ask(self, namespace: str, name: str, times: int, *, patience: float) -> list[Answer]:
        """
        Ask some times, one after the other.

        :param patience: seconds for which an answer of nothing is requested again: for the first version of a
            deployment, the gateway learns of the route when everybody else does, or a little later.
        """

        async def asking() -> list[Answer]:
            until = time.monotonic() + patience
            answers: list[Answer] = []
            while len(answers) < times:
                answer = await self._ask(namespace, name)
                if answer.version == NOTHING and time.monotonic() < until and not answers:
                    await asyncio.sleep(0.02)
                else:
                    answers.append(answer)
            return answers

        return self._call(asking())

    async def _watch(self, namespace: str, name: str, oracle: Oracle) -> None:
        while True:
            oracle.answered(await self._ask(namespace, name))
            await asyncio.sleep(INTERVAL)

    async def _ask(self, namespace: str, name: str) -> Answer:
        began = time.monotonic()
        url = f"{self._url}/seldon/{namespace}/{name}/api/v1.0/predictions"
        headers = {"Content-Type": "application/json"}
        async with self._http.post(url, data=_BODY, headers=headers) as response:
            text = await response.read()
            told = json.loads(text)["meta"]["tags"]["modelUri"] if response.status == 200 else NOTHING
            return Answer(began, told, response.status)

    async def _open(self) -> None:
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60))

    def _call(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self._loop.run(work, timeout=90)
