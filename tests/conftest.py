"""Fixtures that run Seldon Core on this machine, or find it elsewhere (see ``tests/clusters``).

``local_api`` is the API server alone, empty for each test. ``local_seldon`` runs everything with simulated pods,
once for the whole session: use names (or namespaces) of your own in it, see ``fresh_namespace``, and leave
no faults behind. ``local_seldon_processes`` runs real model servers and needs the MLServer environment.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import threading
import urllib.request
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import pytest

from airflow_provider_seldon.local.apiserver.listener import Listener
from airflow_provider_seldon.local.cluster import LocalSeldon
from airflow_provider_seldon.local.options import ENV_MLSERVER_PYTHON, LocalOptions
from tests.clusters import clusters

_numbers = itertools.count(1)


@contextmanager
def in_thread(server: Listener) -> Iterator[Listener]:
    """Serve in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="local-api", daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(timeout=30)
    yield server
    asyncio.run_coroutine_threadsafe(server.stop(), loop).result(timeout=30)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(timeout=30)
    loop.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that asked a cluster for what it cannot do is skipped, though it was noticed late."""
    report = yield
    reason = clusters().why_not()
    if reason and report.failed:
        path, line, _ = item.location
        report.outcome, report.longrepr = "skipped", (path, line or 0, f"Skipped: {reason}")
    return report


@pytest.fixture(scope="session", autouse=True)
def _clusters() -> Iterator[None]:
    """End what was started for the session."""
    yield
    clusters().stop()


@pytest.fixture
def local_api() -> Iterator[Listener]:
    """A bare API server, in a thread of its own: no operator, no pods."""
    with in_thread(clusters().api_server()) as server:
        yield server


@pytest.fixture(scope="session")
def shared_local_seldon() -> Iterator[LocalSeldon]:
    """The session's one Seldon Core with simulated pods; tests use ``local_seldon``."""
    with clusters().seldon() as local:
        yield local


@pytest.fixture
def local_seldon(shared_local_seldon: LocalSeldon) -> Iterator[LocalSeldon]:
    """Seldon Core with simulated pods; faults are cleared and the request log is empty at the start."""
    shared_local_seldon.faults.clear()
    shared_local_seldon.controller_faults.clear()
    shared_local_seldon.requests.clear()
    yield shared_local_seldon
    shared_local_seldon.faults.clear()
    shared_local_seldon.controller_faults.clear()


@pytest.fixture
def fresh_namespace(local_seldon: LocalSeldon) -> str:
    """A namespace that no other test uses, in ``local_seldon``."""
    name = f"test-{next(_numbers)}"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    request = urllib.request.Request(
        f"{local_seldon.api_url}/api/v1/namespaces",
        method="POST",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10):
        return name


@pytest.fixture(scope="session")
def local_seldon_processes() -> Iterator[LocalSeldon]:
    """Seldon Core with real processes; mark tests that use it with ``mlserver``."""
    if not os.environ.get(ENV_MLSERVER_PYTHON):
        pytest.skip(f"{ENV_MLSERVER_PYTHON} is not set")
    with LocalSeldon(LocalOptions()) as local:
        yield local
