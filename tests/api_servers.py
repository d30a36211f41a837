"""Kubernetes APIs of all kinds, without anything behind them, and kubeconfigs that lead to them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from airflow_provider_seldon.local.apiserver import ApiServer
from airflow_provider_seldon.local.loop_thread import LoopThread


class ApiServers:
    """API servers in their own thread."""

    def __init__(self, thread: LoopThread) -> None:
        self._thread = thread
        self._servers: list[ApiServer] = []

    def start(self, **options: Any) -> str:
        """Start one and return its URL; the options are those of ``ApiServer``."""
        server = ApiServer(**options)
        self._thread.run(server.start())
        self._servers.append(server)
        return server.url

    def stop(self) -> None:
        """Stop all of them."""
        for server in self._servers:
            self._thread.run(server.stop())


@contextmanager
def api_servers() -> Iterator[ApiServers]:
    """Start API servers as needed, and stop them at the end."""
    with LoopThread(name="api-servers") as thread:
        servers = ApiServers(thread)
        try:
            yield servers
        finally:
            servers.stop()


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
