"""Requests to the gateway at a steady pace, whatever it answers, for many canaries at a time."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from airflow_provider_seldon.local.loop_thread import LoopThread

#: What a gateway answered that had no model to ask, and what a model answered that failed.
NOTHING, ERROR = "nothing", "error"
_BODY = json.dumps({"data": {"ndarray": [[1.0]]}}).encode()
_HEADERS = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Answer:
    """The model URI of the pod that answered, or ``NOTHING`` or ``ERROR``; when it was asked, and what it says."""

    began: float
    version: str
    text: str = ""


@dataclass
class Stream:
    """
    The requests for one deployment.

    :param path: namespace and name.
    :param rate: requests a second; may be changed at any time.
    :param hear: called with each answer, in the thread of the traffic.
    """

    path: str
    rate: float
    hear: Callable[[Answer], None]
    over: bool = False
    asking: set[asyncio.Task[None]] = field(default_factory=set)


class Traffic:
    """
    Asks from its own thread, whose loop others may use.

    :param gateway: its base URL.
    """

    def __init__(self, gateway: str) -> None:
        self._gateway = gateway
        self._loop = LoopThread(name="traffic")
        self._streams: list[asyncio.Task[None]] = []
        self._http: aiohttp.ClientSession

    def __enter__(self) -> Traffic:
        self._loop.start()
        self.call(self._open())
        return self

    def __exit__(self, *error: object) -> None:
        self.call(self._http.close())
        self._loop.stop()

    def begin(self, stream: Stream) -> None:
        """Ask until the stream says that it is over."""
        self._streams.append(self._loop.call(lambda: asyncio.create_task(self._run(stream))))

    def ask(self, path: str, times: int) -> list[Answer]:
        """Ask some times, one after the other."""

        async def asking() -> list[Answer]:
            return [await self._ask(path) for _ in range(times)]

        return self.call(asking())

    def call(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run something in the loop, and wait for it."""
        return self._loop.run(work, timeout=120)

    async def _open(self) -> None:
        timeout = aiohttp.ClientTimeout(total=60)
        self._http = aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0))

    async def _run(self, stream: Stream) -> None:
        async def one() -> None:
            stream.hear(await self._ask(stream.path))

        while not stream.over:
            # A gateway that is too slow for this gets less: what waits already is traffic enough.
            if len(stream.asking) < 50:
                task = asyncio.ensure_future(one())
                stream.asking.add(task)
                task.add_done_callback(stream.asking.discard)
            await asyncio.sleep(1 / stream.rate)

    async def _ask(self, path: str) -> Answer:
        began = time.monotonic()
        url = f"{self._gateway}/seldon/{path}/api/v1.0/predictions"
        async with self._http.post(url, data=_BODY, headers=_HEADERS) as response:
            text = await response.read()
        if response.status == 200:
            return Answer(began, json.loads(text)["meta"]["tags"]["modelUri"])
        said = f"{response.status} {text[:200].decode(errors='replace')}"
        return Answer(began, ERROR if response.status == 500 else NOTHING, said)
