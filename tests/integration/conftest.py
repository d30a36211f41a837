"""Fixtures for everything that talks to a cluster: a hook, and the context that Airflow gives to a task."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_seldon.hooks.seldon import SeldonHook
from airflow_provider_seldon.kube.requests.transport import MERGE
from tests.clusters import patience


@dataclass
class DagRun:
    """What an operator reads of a DAG run."""

    run_id: str = "run-1"
    logical_date: datetime | None = datetime(2026, 1, 5, tzinfo=UTC)
    run_after: datetime | None = None

    def __post_init__(self) -> None:
        """Run at the logical date, as runs of a trigger timetable do, where nothing else is said."""
        self.run_after = self.run_after or self.logical_date


@dataclass
class TaskInstance:
    """What an operator reads of a task instance, and the XComs that it pushes."""

    dag_id: str = "train_and_deploy"
    task_id: str = "deploy"
    run_id: str = "run-1"
    map_index: int = -1
    try_number: int = 1
    pushed: dict[str, Any] = field(default_factory=dict)

    def xcom_push(self, *, key: str, value: Any) -> None:
        """Keep the value, as JSON would."""
        self.pushed[key] = json.loads(json.dumps(value))


def context(**parts: Any) -> Any:
    """Return the context of one try of one task."""
    run = DagRun(**{key: parts.pop(key) for key in ("run_id", "logical_date", "run_after") if key in parts})
    return {"ti": TaskInstance(run_id=run.run_id, **parts), "dag_run": run}


def scale_by_kubectl(hook: SeldonHook, name: str, replicas: int) -> None:
    """Do what ``kubectl scale`` does."""
    path = f"/apis/machinelearning.seldon.io/v1/namespaces/{hook.namespace}/seldondeployments/{name}/scale"
    body = {"spec": {"replicas": replicas}}
    hook.client._transport.request(
        "PATCH", path, query={"fieldManager": "kubectl"}, body=body, content_type=MERGE
    )


@pytest.fixture
def hook(local_seldon: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[SeldonHook]:
    """A hook on Seldon Core on this machine; what the test deploys is gone afterwards."""
    monkeypatch.setenv("AIRFLOW_CONN_SELDON_DEFAULT", local_seldon.airflow_connection())
    hook = SeldonHook()
    yield hook
    local_seldon.faults.clear()
    local_seldon.controller_faults.clear()
    for deployment in hook.client.find():
        hook.client.delete(deployment.name, propagation="Background")
        hook.client.wait_until_deleted(deployment.name, timeout=patience(30))


@pytest.fixture
def make_context() -> Callable[..., Any]:
    """The function that makes contexts."""
    return context
