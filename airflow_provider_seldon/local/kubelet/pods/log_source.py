"""Provides the logs of the kubelet's containers to the API server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

from airflow_provider_seldon.local.apiserver import LogOptions
from airflow_provider_seldon.local.kubelet.pods.kubelet import Kubelet


class KubeletLogs:
    """A log source for the API server.

    :param kubelet: runs the containers
    """

    def __init__(self, kubelet: Kubelet) -> None:
        self._kubelet = kubelet

    async def stream(
        self, namespace: str, pod: str, container: str, *, options: LogOptions
    ) -> AsyncIterator[bytes]:
        """Lines of a container's log. :raises LookupError: there is no such run of such a container"""
        found = self._kubelet.pod(namespace, pod)
        entry = found.container(container) if found is not None else None
        log = None if entry is None else entry.previous_log if options.previous else entry.log
        if log is None:
            raise LookupError(f'container "{container}" in pod "{pod}" has no such log')
        lines = log.read(
            follow=options.follow and not options.previous,
            tail=options.tail,
            since=_since(options),
            timestamps=options.timestamps,
        )
        async for line in lines:
            yield line


def _since(options: LogOptions) -> datetime | None:
    if options.since_seconds is not None:
        return datetime.now(UTC) - timedelta(seconds=options.since_seconds)
    return datetime.fromisoformat(options.since_time) if options.since_time else None
