"""Fixtures that run Seldon Core on this machine, or find it elsewhere (see ``tests/clusters``).

``local_api`` is the API server alone, empty for each test. ``local_seldon`` runs everything with simulated pods,
once for the whole session: use names (or namespaces) of your own in it, see ``fresh_namespace``, and leave
no faults behind. ``local_seldon_processes`` runs real model servers and needs the MLServer environment.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from airflow_provider_seldon.local.apiserver.http.listener import Listener
from airflow_provider_seldon.local.cluster import LocalSeldon
from airflow_provider_seldon.local.loop_thread import LoopThread
from airflow_provider_seldon.local.options import ENV_MLSERVER_PYTHON, LocalOptions
from tests.clusters import NEEDS, clusters, patience

#: What tests the local operator and the local pods themselves.
_OF_LOCAL = Path(__file__).parent / "integration" / "local"


@contextmanager
def in_thread(server: Listener) -> Iterator[Listener]:
    """Serve in its own thread."""
    with LoopThread(name="local-api") as thread:
        thread.run(server.start())
        yield server
        thread.run(server.stop())


def pytest_configure(config: pytest.Config) -> None:
    """Make the markers known that say what a test needs."""
    # A server that is to stay away is given up after five tries; what outlasts an outage says so for itself.
    os.environ.setdefault("AIRFLOW__SELDON__OUTAGE_PATIENCE", "0")
    for name, need in NEEDS.items():
        config.addinivalue_line("markers", f"{name}(what for): {need}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what the cluster cannot do; give real pods time."""
    for item in items:
        if _OF_LOCAL in item.path.parents and "local_seldon" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.own_operator("it is what is tested"))
        for name, need in NEEDS.items():
            mark = item.get_closest_marker(name)
            if mark and not clusters().has(name):
                item.add_marker(pytest.mark.skip(f"{need}: {mark.args[0]}"))
        if clusters().real_pods and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(patience(float(config.getini("timeout")))))


@pytest.fixture(scope="session", autouse=True)
def _clusters() -> Iterator[None]:
    """End what was started for the session."""
    yield
    clusters().stop()


@pytest.fixture
def local_api() -> Iterator[Listener]:
    """A bare API server, in its own thread: no operator, no pods."""
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
    return clusters().new_namespace(local_seldon)


@pytest.fixture(scope="session")
def local_seldon_processes() -> Iterator[LocalSeldon]:
    """Seldon Core with real processes; mark tests that use it with ``mlserver``."""
    if not os.environ.get(ENV_MLSERVER_PYTHON):
        pytest.skip(f"{ENV_MLSERVER_PYTHON} is not set")
    with LocalSeldon(LocalOptions(token=None)) as local:
        yield local
