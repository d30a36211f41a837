"""Kubernetes APIs of all kinds, without anything behind them, and kubeconfigs that lead to them."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from airflow_provider_seldon.local.apiserver import ApiServer


class ApiServers:
    """API servers in a thread of their own."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._servers: list[ApiServer] = []

    def start(self, **options: Any) -> str:
        """Start one and return its URL; the options are those of ``ApiServer``."""
        server = ApiServer(**options)
        asyncio.run_coroutine_threadsafe(server.start(), self._loop).result(timeout=30)
        self._servers.append(server)
        return server.url

    def stop(self) -> None:
        """Stop all of them."""
        for server in self._servers:
            asyncio.run_coroutine_threadsafe(server.stop(), self._loop).result(timeout=30)


@contextmanager
def api_servers() -> Iterator[ApiServers]:
    """Start API servers as needed, and stop them at the end."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    servers = ApiServers(loop)
    try:
        yield servers
    finally:
        servers.stop()
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=30)
        loop.close()


def kube_config(server: str, *, token: str = "") -> str:
    """Return a kubeconfig as the connection form takes it."""
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "here",
            "contexts": [{"name": "here", "context": {"cluster": "it", "user": "me", "namespace": "models"}}],
            "clusters": [{"name": "it", "cluster": {"server": server}}],
            "users": [{"name": "me", "user": {"token": token} if token else {}}],
        }
    )
