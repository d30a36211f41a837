"""Many objects, many writes, many watches: nothing is lost, and it stays usable."""

from __future__ import annotations

import asyncio
import itertools
import json

import aiohttp

from airflow_provider_seldon.local.apiserver import ApiServer
from tests.integration.local.apiserver.rest import MERGE, SELDON, seldon_deployment

OBJECTS = 1_000
COLLECTION = f"{SELDON}/namespaces/default/seldondeployments"


async def _create(http: aiohttp.ClientSession, url: str) -> None:
    numbers = iter(range(OBJECTS))

    async def worker() -> None:
        for number in numbers:
            async with http.post(url + COLLECTION, json=seldon_deployment(f"m{number:05}")) as answer:
                assert answer.status == 201

    await asyncio.gather(*(worker() for _ in range(8)))


async def _patch(http: aiohttp.ClientSession, url: str, state: str) -> None:
    numbers = iter(range(OBJECTS))

    async def worker() -> None:
        for number in numbers:
            path = f"{url}{COLLECTION}/m{number:05}/status"
            body = json.dumps({"status": {"state": state}})
            async with http.patch(path, data=body, headers={"Content-Type": MERGE}) as answer:
                assert answer.status == 200

    await asyncio.gather(*(worker() for _ in range(8)))


async def _collect(
    http: aiohttp.ClientSession, url: str, revision: str, count: int, **query: str
) -> list[dict[str, object]]:
    events: list[dict[str, object]] = []
    params = {"watch": "1", "resourceVersion": revision, "allowWatchBookmarks": "true"} | query
    async with http.get(url + COLLECTION, params=params) as response:
        async for line in response.content:
            event = json.loads(line)
            if event["type"] != "BOOKMARK":
                events.append(event)
            if len(events) >= count:
                return events
    return events


async def _revision(http: aiohttp.ClientSession, url: str) -> str:
    async with http.get(url + COLLECTION, params={"limit": "1"}) as answer:
        return str((await answer.json())["metadata"]["resourceVersion"])


def test_every_watch_sees_every_write_once_and_in_order() -> None:
    async def run() -> None:
        server = ApiServer(admission=False, bookmark_seconds=0.05)
        await server.start()
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, read_bufsize=2**22) as http:
            await _create(http, server.url)
            start = await _revision(http, server.url)
            watches = [asyncio.create_task(_collect(http, server.url, start, 2 * OBJECTS)) for _ in range(2)]
            pinned = [
                asyncio.create_task(
                    _collect(http, server.url, start, 2, fieldSelector=f"metadata.name=m{number:05}")
                )
                for number in range(0, OBJECTS, 20)
            ]
            await _patch(http, server.url, "Creating")
            await _patch(http, server.url, "Available")
            for events in await asyncio.gather(*watches):
                versions = [int(e["object"]["metadata"]["resourceVersion"]) for e in events]  # type: ignore[index]
                assert versions == sorted(set(versions))
                assert len(versions) == 2 * OBJECTS
            for events in await asyncio.gather(*pinned):
                states = [e["object"]["status"]["state"] for e in events]  # type: ignore[index]
                assert states == ["Creating", "Available"]
        await server.stop()

    asyncio.run(asyncio.wait_for(run(), 120))


def test_bookmarks_never_overtake_events() -> None:
    async def run() -> None:
        server = ApiServer(admission=False, bookmark_seconds=0.001)
        await server.start()
        async with aiohttp.ClientSession() as http:
            params = {"watch": "1", "allowWatchBookmarks": "true", "timeoutSeconds": "30"}
            async with http.get(server.url + COLLECTION, params=params) as response:
                writer = asyncio.create_task(_create_some(http, server.url, 200))
                highest, seen = 0, 0
                async for line in response.content:
                    event = json.loads(line)
                    version = int(event["object"]["metadata"]["resourceVersion"])
                    if event["type"] == "BOOKMARK":
                        highest = max(highest, version)
                        continue
                    assert version > highest, "an event came after a bookmark that promised it had been sent"
                    seen += 1
                    if seen == 200:
                        break
                await writer
        await server.stop()

    asyncio.run(asyncio.wait_for(run(), 60))


async def _create_some(http: aiohttp.ClientSession, url: str, count: int) -> None:
    for number in itertools.islice(itertools.count(), count):
        async with http.post(url + COLLECTION, json=seldon_deployment(f"m{number}")) as answer:
            assert answer.status == 201
