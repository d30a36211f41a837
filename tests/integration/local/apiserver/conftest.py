"""Fixtures of the API server's tests.

``api`` talks to the local API server, or with ``KUBEBUILDER_ASSETS`` to a real kube-apiserver: the tests that use it
say what Kubernetes does. ``local_api`` (see the main conftest) is a local server of the test's own, for what only the
local one can do: faults, compaction, collected garbage, denied rights.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Iterator

import pytest

from airflow_provider_seldon.local.apiserver import ApiServer
from tests.integration.local.apiserver.real_server import TOKEN, RealServer, assets
from tests.integration.local.apiserver.rest import CORE, Rest

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def served() -> Iterator[tuple[str, str]]:
    """URL and token of the server that ``api`` talks to."""
    directory = assets()
    if directory:
        real = RealServer(directory)
        try:
            real.start()
            yield real.url, TOKEN
        finally:
            real.stop()
        return
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="shared-api", daemon=True)
    thread.start()
    # Without a collector, as a bare kube-apiserver is; and with no webhook, as none is registered there.
    server = ApiServer(admission=False, garbage_collection=False, bookmark_seconds=1.0)
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(timeout=30)
    yield server.url, ""
    asyncio.run_coroutine_threadsafe(server.stop(), loop).result(timeout=30)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(timeout=30)
    loop.close()


@pytest.fixture
def api(served: tuple[str, str]) -> Rest:
    """A client in a namespace of the test's own."""
    url, token = served
    namespace = f"test-{next(_numbers)}"
    rest = Rest(url, namespace=namespace, token=token, verify=not url.startswith("https"))
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    rest.post(f"{CORE}/namespaces", manifest).ok()
    return rest


@pytest.fixture
def local(local_api: ApiServer) -> Rest:
    """A client of ``local_api``."""
    return Rest(local_api.url)
