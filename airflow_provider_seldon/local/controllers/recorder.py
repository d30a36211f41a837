"""Kubernetes events: written in the background; repeated ones are counted instead of written again."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import Counter

import aiohttp

from airflow_provider_seldon.local.client.api_client import ApiClient
from airflow_provider_seldon.local.client.errors import ApiError
from airflow_provider_seldon.local.client.kinds import EVENTS, Manifest
from airflow_provider_seldon.local.controllers.manifests import namespace_of, now

log = logging.getLogger(__name__)

_BURST = 25
"""Number of events of a component about one object before throttling (client-go's spam filter)."""


class Recorder:
    """Writes the events of one component.

    :param api: client for writes
    :param component: ``source.component`` of the events
    :param only_warnings: write no normal events
    """

    def __init__(self, *, api: ApiClient, component: str, only_warnings: bool = False) -> None:
        self._api = api
        self._only_warnings = only_warnings
        self._component = component
        self._queue: asyncio.Queue[tuple[Manifest, str, str, str]] = asyncio.Queue()
        self._written: dict[tuple[str, str, str], Manifest] = {}
        self._per_object: Counter[str] = Counter()

    def normal(self, about: Manifest, reason: str, message: str) -> None:
        """Record a normal event."""
        if not self._only_warnings:
            self._queue.put_nowait((about, "Normal", reason, message))

    def warning(self, about: Manifest, reason: str, message: str) -> None:
        """Record a warning."""
        self._queue.put_nowait((about, "Warning", reason, message))

    async def run(self) -> None:
        """Write until cancelled; an event that cannot be written is lost, as in a cluster."""
        while True:
            about, kind, reason, message = await self._queue.get()
            try:
                await self._write(about, kind, reason, message)
            except (ApiError, aiohttp.ClientError, OSError) as error:
                log.debug("event %s lost: %s", reason, error)

    async def _write(self, about: Manifest, kind: str, reason: str, message: str) -> None:
        metadata = about["metadata"]
        key = (metadata["uid"], reason, message)
        known = self._written.get(key)
        if known is not None:
            count = known["count"] + 1
            body = {"count": count, "lastTimestamp": now()}
            try:
                await self._api.patch(EVENTS, namespace_of(known), known["metadata"]["name"], body)
            except ApiError as error:
                if not error.not_found:
                    raise
            else:
                known["count"] = count
                return
        self._per_object[metadata["uid"]] += 1
        if self._per_object[metadata["uid"]] > _BURST:
            return
        namespace = namespace_of(about)
        event: Manifest = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{metadata['name']}.{secrets.token_hex(8)}", "namespace": namespace},
            "involvedObject": {
                "apiVersion": about["apiVersion"],
                "kind": about["kind"],
                "name": metadata["name"],
                "namespace": namespace,
                "uid": metadata["uid"],
                "resourceVersion": metadata.get("resourceVersion", ""),
            },
            "reason": reason,
            "message": message[:1024],
            "type": kind,
            "count": 1,
            "firstTimestamp": now(),
            "lastTimestamp": now(),
            "source": {"component": self._component},
            "reportingComponent": self._component,
            "reportingInstance": "",
        }
        await self._api.create(EVENTS, event)
        self._written[key] = event
