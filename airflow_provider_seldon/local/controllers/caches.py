"""One cache per resource type, shared by all readers."""

from __future__ import annotations

import asyncio

from airflow_provider_seldon.local.client.api_client import ApiClient
from airflow_provider_seldon.local.client.kinds import Kind
from airflow_provider_seldon.local.controllers.informer import Informer

_START_SECONDS = 30.0


class Caches:
    """Informers of one API server; each runs from its first use until :meth:`close`.

    :param api: client for reads
    """

    def __init__(self, api: ApiClient) -> None:
        self._api = api
        self._informers: dict[Kind, Informer] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def of(self, kind: Kind) -> Informer:
        """The filled cache of a resource type. :raises TimeoutError: the server cannot be read"""
        if kind not in self._informers:
            informer = self._informers[kind] = Informer(api=self._api, kind=kind)
            self._tasks.append(asyncio.create_task(informer.run(), name=f"cache of {kind.plural}"))
        async with asyncio.timeout(_START_SECONDS):
            await self._informers[kind].synced.wait()
        return self._informers[kind]

    async def close(self) -> None:
        """Stop reading."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
