"""The garbage collector that works over HTTP does what the API server's own does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_seldon.local.client.api_client import ApiClient
from airflow_provider_seldon.local.client.kinds import DEPLOYMENTS, PODS, SECRETS, SELDON_DEPLOYMENTS
from airflow_provider_seldon.local.controllers.caches import Caches
from airflow_provider_seldon.local.controllers.workloads.garbage import GarbageCollector
from tests.clusters import clusters
from tests.conftest import in_thread
from tests.integration.local.apiserver.rest import Rest
from tests.integration.local.apiserver.writes.test_garbage import (  # noqa: F401
    family,
    test_a_background_deletion_takes_the_owner_first,
    test_a_foreground_deletion_takes_the_owner_last,
    test_a_foreground_deletion_without_dependents_is_quick,
    test_an_object_with_another_owner_stays,
    test_an_owner_of_a_kind_that_is_not_served_counts_as_alive,
    test_an_owner_of_the_same_name_but_another_uid_is_no_owner,
    test_dependents_that_do_not_block_do_not_hold_the_owner,
    test_orphans_stay_without_their_owner,
)


class Collected:
    """An API server without a collector of its own, and the collector."""

    def __init__(self, server: Any) -> None:
        self._server = server

    @property
    def url(self) -> str:
        """Base URL."""
        return str(self._server.url)

    async def start(self) -> None:
        """Start both."""
        await self._server.start()
        self._api = ApiClient(url=self.url)
        self._caches = Caches(self._api)
        kinds = (SELDON_DEPLOYMENTS, DEPLOYMENTS, PODS, SECRETS)
        collector = GarbageCollector(
            api=self._api, caches={kind: await self._caches.of(kind) for kind in kinds}
        )
        self._task = asyncio.create_task(collector.queue.run())

    async def stop(self) -> None:
        """Stop both."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._caches.close()
        await self._api.close()
        await self._server.stop()


@pytest.fixture
def local() -> Iterator[Rest]:
    """A client of the server."""
    with in_thread(Collected(clusters().api_server(garbage_collection=False))) as server:
        yield Rest(server.url)
