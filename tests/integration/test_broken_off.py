"""A task that ends between its write and the verdict, by whatever error: undone as a failed rollout is."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowTaskTimeout, TaskDeferred

from airflow_provider_seldon.delivery.prediction import smoke_test as smoke
from airflow_provider_seldon.exceptions import (
    RolloutFailedError,
    RolloutTimeoutError,
    ServerUnavailableError,
)
from airflow_provider_seldon.hooks import seldon, triggerer
from airflow_provider_seldon.hooks.seldon import SeldonHook
from airflow_provider_seldon.kube.requests.client import SeldonClient
from airflow_provider_seldon.operators.canary import SeldonCanaryOperator
from airflow_provider_seldon.operators.deploy import SeldonDeployModelOperator
from tests.clusters import patience
from tests.clusters.misbehaviour import behaving
from tests.integration.conftest import context

FIRST, SECOND = "s3://models/iris/1", "s3://models/iris/2"


def operator(
    uri: str, *, kind: type[SeldonDeployModelOperator] = SeldonDeployModelOperator, **arguments: Any
) -> SeldonDeployModelOperator:
    defaults: dict[str, Any] = {
        "task_id": "deploy",
        "name": "iris",
        "model_name": "iris",
        "implementation": "SKLEARN_SERVER",
        "timeout": patience(30),
        "deferrable": False,
    }
    return kind(**{**defaults, "model_uri": uri, **arguments})


def served(hook: SeldonHook) -> str | None:
    graph = hook.client.get("iris").predictors[0].graph
    return graph.model_uri if graph else None


def _generation(hook: SeldonHook) -> int:
    found: int = hook.client.get("iris").to_manifest()["metadata"]["generation"]
    return found


@pytest.fixture
def first(hook: SeldonHook) -> SeldonHook:
    """A deployment that serves the first version."""
    operator(FIRST).execute(context())
    return hook


class BrokenError(RuntimeError):
    """An error that nobody foresaw."""


def breaking(error: BaseException) -> Any:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    return fail


@pytest.mark.parametrize(
    "error", [BrokenError("no XCom"), AirflowTaskTimeout("too long")], ids=["error", "alarm"]
)
@pytest.mark.parametrize("on_failure", ["rollback", "keep"])
@pytest.mark.parametrize("place", ["xcom", "wait", "smoke_test"])
def test_an_error_before_the_verdict_is_undone_as_on_failure_says(
    first: SeldonHook, monkeypatch: pytest.MonkeyPatch, place: str, on_failure: str, error: BaseException
) -> None:
    task = context(run_id="run-2")
    if place == "xcom":
        task["ti"].xcom_push = breaking(error)
    elif place == "wait":
        monkeypatch.setattr(seldon.Waiter, "wait", breaking(error))
    else:
        monkeypatch.setattr(smoke.SmokeTest, "judge", breaking(error))
    with pytest.raises(type(error)) as raised:
        operator(SECOND, on_failure=on_failure, smoke_test={"data": [[1.0]]}).execute(task)
    assert raised.value is error
    assert served(first) == (FIRST if on_failure == "rollback" else SECOND)


def test_what_this_run_created_is_deleted_when_its_announcement_fails(hook: SeldonHook) -> None:
    task = context()
    task["ti"].xcom_push = breaking(BrokenError("no XCom"))
    with pytest.raises(BrokenError):
        operator(FIRST, on_failure="delete_if_created").execute(task)
    assert [
        one for one in hook.client.find() if not one.to_manifest()["metadata"].get("deletionTimestamp")
    ] == []


ALARM, LOST = AirflowTaskTimeout("too long"), ServerUnavailableError("no answer")


@pytest.mark.parametrize(
    ("error", "stored", "canary"),
    [
        (ALARM, True, {}),
        (ALARM, False, {}),
        (LOST, True, {}),
        (LOST, False, {}),
        (ALARM, True, {"kind": SeldonCanaryOperator, "steps": [5]}),
    ],
    ids=["alarm, stored", "alarm", "lost answer, stored", "lost answer", "alarm in a canary"],
)
def test_what_was_stored_although_its_answer_was_lost_is_undone(
    first: SeldonHook,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    stored: bool,
    canary: dict[str, Any],
) -> None:
    apply = SeldonClient.apply
    broken: list[BaseException] = []

    def lost(self: Any, *given: Any, **options: Any) -> Any:
        if broken:
            return apply(self, *given, **options)
        if stored:
            apply(self, *given, **options)
        broken.append(error)
        raise error

    monkeypatch.setattr(SeldonClient, "apply", lost)
    before = _generation(first)
    with pytest.raises(type(error)) as raised:
        operator(SECOND, **canary).execute(context(run_id="run-2"))
    assert raised.value is error
    assert served(first) == FIRST
    assert len(first.client.get("iris").predictors) == 1
    assert (_generation(first) > before) is stored


def test_a_wait_that_breaks_off_in_the_triggerer_wakes_the_task_which_undoes(
    first: SeldonHook, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(TaskDeferred) as deferred:
        operator(SECOND, deferrable=True).execute(context(run_id="run-2"))

    async def event() -> Any:
        found = [one async for one in deferred.value.trigger.run()]
        return json.loads(json.dumps(found[0].payload))

    with monkeypatch.context() as broken:
        broken.setattr(triggerer, "reach", breaking(BrokenError("no such connection")))
        told = asyncio.run(event())
    with pytest.raises((RolloutFailedError, TaskDeferred)):
        operator(SECOND, deferrable=True).execute_complete(context(run_id="run-2"), told)
    assert "no such connection" in told["message"]
    assert served(first) == FIRST


def test_our_deadline_comes_before_the_alarm_as_measured_from_the_tasks_start(first: SeldonHook) -> None:
    task = context(run_id="run-2")
    task["ti"].start_date = datetime.now(UTC) - timedelta(seconds=600)
    began = time.monotonic()
    with pytest.raises(RolloutTimeoutError):
        operator(
            SECOND,
            timeout=600,
            execution_timeout=timedelta(seconds=605),
            model_server=behaving("slow:60"),
        ).execute(task)
    assert time.monotonic() - began < patience(30)
    assert served(first) == FIRST


def test_an_alarm_while_the_rollback_is_waited_for_leaves_the_reason_of_the_rollback(
    first: SeldonHook, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = operator(SECOND, smoke_test={"data": [[1.0]], "expected": [[9.0]]}, timeout=patience(30))
    wait = seldon.Waiter.wait

    def alarmed(self: Any, name: str, **arguments: Any) -> Any:
        outcome = wait(self, name, **arguments)
        if served(first) == FIRST:
            raise AirflowTaskTimeout("too long")
        return outcome

    monkeypatch.setattr(seldon.Waiter, "wait", alarmed)
    with pytest.raises(
        RolloutFailedError, match=r"SmokeTestFailed(.|\n)*was interrupted: AirflowTaskTimeout"
    ):
        task.execute(context(run_id="run-2"))
    assert served(first) == FIRST
