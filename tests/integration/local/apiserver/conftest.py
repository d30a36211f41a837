"""Fixtures of the API server's tests.

``api`` talks to the local API server, or with ``KUBEBUILDER_ASSETS`` to a real kube-apiserver: the tests that use it
say what Kubernetes does. ``local_api`` is a local server of the test's own, for what only the
local one can do: faults, compaction, collected garbage, denied rights.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator

import pytest

from airflow_provider_seldon.local.apiserver import ApiServer
from airflow_provider_seldon.local.apiserver.http.listener import Listener
from tests.clusters import ASSETS
from tests.clusters.kube_apiserver import KubeApiserver
from tests.conftest import in_thread
from tests.integration.local.apiserver.rest import CORE, Rest

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def served() -> Iterator[tuple[str, str]]:
    """URL and token of the server that ``api`` talks to."""
    if os.environ.get(ASSETS):
        real = KubeApiserver(os.environ[ASSETS])
        try:
            real.start()
            yield real.url, real.token
        finally:
            real.stop()
        return
    # Without a collector, as a bare kube-apiserver is; and with no webhook, as none is registered there.
    with in_thread(ApiServer(admission=False, garbage_collection=False, bookmark_seconds=1.0)) as server:
        yield server.url, ""


@pytest.fixture
def local_api() -> Iterator[Listener]:
    """The local API server, whatever the environment requests."""
    with in_thread(ApiServer()) as server:
        yield server


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
