"""The trigger of asset watchers, as a triggerer runs it, against Seldon Core on this machine."""

from __future__ import annotations

import asyncio
import json
import queue
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from airflow.providers.common.compat.module_loading import import_string
from airflow.providers.common.compat.triggers import BaseEventTrigger
from airflow.triggers.base import TriggerEvent

from airflow_provider_seldon.core.readiness import health
from airflow_provider_seldon.delivery.waiting import health_watch
from airflow_provider_seldon.hooks.seldon import SeldonHook
from airflow_provider_seldon.local.faults import Fault
from airflow_provider_seldon.operators.rollback import SeldonRollbackOperator
from airflow_provider_seldon.triggers.event import SeldonDeploymentEventTrigger
from tests.airflow_version import AIRFLOW_3, AIRFLOW_3_3
from tests.clusters import patience
from tests.clusters.misbehaviour import behaving
from tests.integration.conftest import context
from tests.integration.test_deploy_operator import operator

if AIRFLOW_3_3:
    from airflow.triggers.shared_stream import SharedStreamManager


class Store:
    """What Airflow 3.3 keeps with an asset for its triggers."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    async def aget(self, key: str, default: Any = None) -> Any:
        return self.values.get(key, default)

    async def aset(self, key: str, value: Any) -> None:
        self.values[key] = value


_WATCHES: list[Watch] = []


@pytest.fixture(autouse=True)
def _no_watch_is_left() -> Iterator[None]:
    """End what a test that has failed left running: the others count requests."""
    yield
    for watch in list(_WATCHES):
        watch.stop()


class Watch:
    """
    Triggers that went through JSON and run in one event loop, as in a triggerer, and the events that they have fired.

    From Airflow 3.3 on they share streams, as Airflow's own manager of these has it.

    The loop has its own thread: Airflow 2.11 executes operators in the main one only.
    """

    def __init__(self, *triggers: SeldonDeploymentEventTrigger, store: Store | None = None) -> None:
        self._fired: queue.Queue[dict[str, Any]] = queue.Queue()
        self._streams = SharedStreamManager() if AIRFLOW_3_3 else None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._runs: list[Future[None]] = []
        _WATCHES.append(self)
        for one in triggers:
            self.join(one, store=store)

    def join(self, trigger: SeldonDeploymentEventTrigger, *, store: Store | None = None) -> None:
        """Start one more trigger."""
        run = self._run(len(self._runs), trigger, store)
        self._runs.append(asyncio.run_coroutine_threadsafe(run, self._loop))

    def next(self) -> dict[str, Any]:
        """The next event."""
        return self._fired.get(timeout=patience(60))

    def stop(self) -> list[dict[str, Any]]:
        """End the triggers as a triggerer does that is shut down; return the events that nobody has asked for."""
        _WATCHES.remove(self)
        for run in self._runs:
            run.cancel()
        left = asyncio.run_coroutine_threadsafe(self._left(), self._loop)
        assert left.result(timeout=30) == []
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=30)
        self._loop.close()
        return list(self._fired.queue)

    async def _run(self, number: int, trigger: SeldonDeploymentEventTrigger, store: Store | None) -> None:
        path, arguments = trigger.serialize()
        running = import_string(path)(**json.loads(json.dumps(arguments)))
        running.asset_state_store = store
        if not self._streams:
            await self._collect(running.run())
            return
        key = running.shared_stream_key()
        stream = self._streams.subscribe(trigger_id=number, trigger=running, key=key)
        try:
            await self._collect(running.filter_shared_stream(stream))
        finally:
            await self._streams.unsubscribe(number, key)

    async def _collect(self, events: AsyncIterator[TriggerEvent]) -> None:
        async for event in events:
            self._fired.put(json.loads(json.dumps(event.payload)))

    async def _left(self) -> list[Any]:
        """Wait for the end of everything that the triggers have started; return what does not end."""
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if not others:
            return []
        _, pending = await asyncio.wait(others, timeout=20)
        return list(pending)


BROKEN = {"extra_args": {**behaving("never-ready")["extra_args"], "progressDeadlineSeconds": 1}}


def deploy(model_uri: str, run_id: str, **arguments: Any) -> dict[str, Any]:
    return operator(name="iris", model_uri=model_uri, **arguments).execute(context(run_id=run_id))


def deploy_broken(model_server: dict[str, Any] | None = None) -> dict[str, Any]:
    """Deploy a second version that does not become ready, and walk away."""
    return deploy(
        "s3://models/iris/2", "run-2", wait_for_available=False, model_server=model_server or BROKEN
    )


def roll_back() -> dict[str, Any]:
    task = SeldonRollbackOperator(task_id="back", name="iris", timeout=patience(60), deferrable=False)
    return task.execute(context(task_id="back"))


def trigger(**arguments: Any) -> SeldonDeploymentEventTrigger:
    return SeldonDeploymentEventTrigger(**{"name": "iris", "grace": 0.3, **arguments})


def test_a_version_that_fails_is_reported_and_the_recovery_of_the_previous_one_as_well(
    hook: SeldonHook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        health, "_POLICY", replace(health._POLICY, suspect_after=0.2)
    )  # pods are read at once
    first = deploy("s3://models/iris/1", "run-1")
    watch = Watch(trigger())
    second = deploy_broken(behaving("invalid-image"))
    failed = watch.next()
    assert (failed["event"], failed["namespace"], failed["name"]) == ("failed", hook.namespace, "iris")
    assert (failed["reason"], failed["revision"]) == ("InvalidImageName", second["revision"])
    assert "cannot start" in failed["message"]
    assert datetime.fromisoformat(failed["time"]).tzinfo
    roll_back()
    again = watch.next()
    assert (again["event"], again["revision"], again["state"]) == (
        "available",
        first["revision"],
        "Available",
    )
    assert watch.stop() == []


@pytest.mark.simulated_pods("one serves for a second only")
def test_pods_that_are_lost_after_they_served_are_reported(hook: SeldonHook) -> None:
    deploy("s3://models/iris/1", "run-1", wait_for_available=False, model_server=behaving("crash-after:1"))
    watch = Watch(trigger(name=None, model_name="iris", events=["degraded"]))
    lost = watch.next()
    assert (lost["event"], lost["name"]) == ("degraded", "iris")
    assert "0 available of 1" in lost["message"]
    watch.stop()


def test_a_restarted_triggerer_repeats_nothing_that_airflow_remembers(hook: SeldonHook) -> None:
    store = Store()
    deploy("s3://models/iris/1", "run-1")
    deploy_broken()
    watch = Watch(trigger(), store=store)
    assert watch.next()["event"] == "failed"
    assert watch.stop() == []
    assert store.values == {f"seldon-health/{hook.namespace}/iris/0.3": "failed"}
    forgetful, reminded = Watch(trigger()), Watch(trigger(), store=store)
    assert forgetful.next()["event"] == "failed"
    roll_back()
    assert reminded.next()["event"] == "available"
    assert forgetful.next()["event"] == "available"
    assert forgetful.stop() == reminded.stop() == []


def test_a_missing_right_ends_no_trigger(
    hook: SeldonHook, local_seldon: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health_watch, "RETRY", 0.1)
    deploy("s3://models/iris/1", "run-1", wait_for_available=False, model_server=BROKEN)
    local_seldon.faults.add(Fault(verb="list", resource="seldondeployments", status=403, count=2))
    watch = Watch(trigger())
    assert watch.next()["event"] == "failed"
    watch.stop()


def test_all_event_triggers_of_a_namespace_share_one_watch(hook: SeldonHook, local_seldon: Any) -> None:
    deploy("s3://models/iris/1", "run-1", wait_for_available=False, model_server=BROKEN)
    local_seldon.requests.clear()
    watch = Watch(*(trigger(grace=0.3 + number / 10) for number in range(5)))
    assert [watch.next()["event"] for _ in range(5)] == ["failed"] * 5
    ours = local_seldon.requests.entries(lambda one: one.user_agent.startswith("airflow-provider"))
    verbs = [one.verb for one in ours if one.resource == "seldondeployments"]
    assert watch.stop() == []
    assert (verbs.count("list"), verbs.count("watch")) == (1, 1)


@pytest.mark.skipif(not AIRFLOW_3_3, reason="Airflow has shared streams from 3.3 on")
def test_triggers_for_different_events_of_a_deployment_share_a_stream_whenever_they_join(
    hook: SeldonHook, local_seldon: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health_watch, "REPEAT", 0.2)
    deploy("s3://models/iris/1", "run-1")
    deploy_broken()
    local_seldon.requests.clear()
    watch = Watch(trigger(), trigger(events=["failed", "degraded"]), trigger(events=["available"]))
    first = [watch.next() for _ in range(2)]
    watch.join(trigger(events=["failed"]))
    late = watch.next()
    assert first == [late, late]
    assert late["event"] == "failed"
    read = local_seldon.requests.entries(resource="seldondeployments", name="iris", verb="get")
    assert len(read) == 1, "the deployment was judged once"
    roll_back()
    assert watch.next() == watch.next()
    assert watch.stop() == []


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"name": None}, "No argument selects a deployment"),
        ({"events": ["broken"]}, "There is no event 'broken'; there are failed, degraded, available"),
    ],
)
def test_a_trigger_that_makes_no_sense_is_refused_when_the_dag_is_parsed(
    arguments: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        trigger(**arguments)


def test_the_class_imports_everywhere_and_is_an_event_trigger_where_there_are_such() -> None:
    assert issubclass(SeldonDeploymentEventTrigger, BaseEventTrigger)


@pytest.mark.skipif(not AIRFLOW_3, reason="Airflow 2 has no asset watchers")
def test_a_watcher_goes_through_airflows_serialization_unchanged() -> None:
    from airflow.sdk import DAG, Asset, AssetWatcher
    from airflow.serialization.encoders import encode_trigger
    from airflow.serialization.serialized_objects import DagSerialization

    given = trigger(namespace="models", events=("failed", "available"))
    asset = Asset("iris_health", watchers=[AssetWatcher(name="iris", trigger=given)])
    dag = DAG("rescue", schedule=[asset], start_date=datetime(2026, 1, 1))
    data = json.loads(json.dumps(DagSerialization.to_dict(dag)))
    restored = DagSerialization.from_dict(data)
    (condition,) = [one for _, one in restored.timetable.asset_condition.iter_assets()]
    (watcher,) = condition.watchers
    classpath, arguments = watcher.trigger["classpath"], watcher.trigger["kwargs"]
    assert import_string(classpath)(**arguments).serialize() == given.serialize()
    stored = encode_trigger(watcher.trigger)
    assert BaseEventTrigger.hash(classpath, stored["kwargs"]) == BaseEventTrigger.hash(*given.serialize())
