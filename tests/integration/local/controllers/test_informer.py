"""The cache that the local controllers read from: what they wrote themselves is in it at once, and not for too long."""

from __future__ import annotations

import asyncio
from typing import Any

from airflow_provider_seldon.local.client.api_client import ApiClient
from airflow_provider_seldon.local.client.kinds import SERVICES
from airflow_provider_seldon.local.controllers.informer import Informer

SERVICE = {"metadata": {"name": "iris", "namespace": "default"}, "spec": {"ports": [{"port": 8000}]}}


def test_a_write_is_seen_before_the_watch_reports_it(local_api: Any) -> None:
    async def observe() -> None:
        async with ApiClient(url=local_api.url) as api:
            informer = Informer(api=api, kind=SERVICES)
            informer.observe(await api.create(SERVICES, SERVICE))
            assert informer.get("default", "iris")

    asyncio.run(observe())


def test_a_write_whose_answer_comes_after_the_news_of_its_deletion_is_not_cached(local_api: Any) -> None:
    async def observe() -> None:
        async with ApiClient(url=local_api.url) as api:
            informer = Informer(api=api, kind=SERVICES)
            told: asyncio.Queue[Any] = asyncio.Queue()
            informer.subscribe(lambda old, new: told.put_nowait((old, new)))
            following = asyncio.create_task(informer.run())
            await informer.synced.wait()
            created = await api.create(SERVICES, SERVICE)
            assert await told.get() == (None, created)
            await api.delete(SERVICES, "default", "iris")
            assert await told.get() == (created, None)
            informer.observe(created)
            assert informer.get("default", "iris") is None
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)

    asyncio.run(observe())
