"""What happens when a user ends a task, a triggerer restarts, or a wait times out."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred

from airflow_provider_seldon.core.identity.annotations import ANNOTATION_MODEL_URI
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
from airflow_provider_seldon.exceptions import RolloutError, RolloutTimeoutError
from airflow_provider_seldon.hooks.seldon import SeldonHook
from airflow_provider_seldon.operators.deploy import SeldonDeployModelOperator
from airflow_provider_seldon.triggers.deployment import ARGUMENTS, SeldonDeploymentTrigger
from tests.clusters import patience
from tests.clusters.misbehaviour import behaving
from tests.integration.conftest import context

NEVER = behaving("never-ready")


def operator(**arguments: Any) -> SeldonDeployModelOperator:
    defaults: dict[str, Any] = {
        "task_id": "deploy",
        "model_name": "iris",
        "model_uri": "s3://models/iris/1",
        "implementation": "SKLEARN_SERVER",
        "timeout": patience(30),
        "deferrable": False,
    }
    return SeldonDeployModelOperator(**{**defaults, **arguments})


def deferred_trigger(**arguments: Any) -> SeldonDeploymentTrigger:
    """The trigger of a deploy that never becomes ready, as a triggerer gets it."""
    with pytest.raises(TaskDeferred) as deferred:
        operator(deferrable=True, model_uri="s3://models/iris/2", model_server=NEVER, **arguments).execute(
            context()
        )
    _, serialized = deferred.value.trigger.serialize()
    return SeldonDeploymentTrigger(**json.loads(json.dumps(serialized)))


def served_uri(hook: SeldonHook) -> str:
    (deployment,) = hook.client.find()
    return deployment.annotations[ANNOTATION_MODEL_URI]


def test_a_user_who_ends_the_deferred_task_changes_nothing_by_default(hook: SeldonHook) -> None:
    operator().execute(context())
    trigger = deferred_trigger()
    asyncio.run(trigger.on_kill())
    assert served_uri(hook) == "s3://models/iris/2"


def test_ended_with_rollback_the_version_that_served_is_restored(hook: SeldonHook) -> None:
    operator().execute(context())
    trigger = deferred_trigger(on_kill="rollback")
    asyncio.run(trigger.on_kill())
    assert served_uri(hook) == "s3://models/iris/1"


def test_ended_with_delete_what_this_run_created_goes(hook: SeldonHook) -> None:
    trigger = deferred_trigger(on_kill="delete")
    (created,) = hook.client.find()
    asyncio.run(trigger.on_kill())
    hook.client.wait_until_deleted(created.name, timeout=60)
    assert hook.client.find() == []


def test_what_another_client_wrote_meanwhile_is_not_touched(hook: SeldonHook) -> None:
    operator().execute(context())
    trigger = deferred_trigger(on_kill="rollback")
    (found,) = hook.client.find()
    manifest = found.to_manifest()
    manifest["spec"]["predictors"][0]["graph"]["modelUri"] = "s3://models/iris/by-hand"
    hook.client.apply(SeldonDeployment.from_manifest(manifest), force=True)
    asyncio.run(trigger.on_kill())
    (kept,) = hook.client.find()
    assert kept.predictors[0].graph.model_uri == "s3://models/iris/by-hand"  # type: ignore[union-attr]


def test_on_a_worker_the_same_holds(hook: SeldonHook) -> None:
    operator().execute(context())
    task = operator(model_uri="s3://models/iris/2", model_server=NEVER, on_kill="rollback", timeout=8)

    def kill_when_it_waits() -> None:
        deadline = time.monotonic() + 30
        while task._waited_for is None and time.monotonic() < deadline:
            time.sleep(0.05)
        task.on_kill()

    killer = threading.Thread(target=kill_when_it_waits)
    killer.start()
    with contextlib.suppress(RolloutError):
        task.execute(context())
    killer.join(20)
    assert served_uri(hook) == "s3://models/iris/1"


def test_a_restarted_triggerer_continues_with_the_same_wait(hook: SeldonHook) -> None:
    """It cancels the trigger, cleans it up, and starts it again from its serialized form."""
    trigger = deferred_trigger(on_kill="rollback", timeout=6)

    async def interrupted() -> None:
        running = asyncio.ensure_future(_first_event(trigger))
        await asyncio.sleep(1)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await trigger.cleanup()

    asyncio.run(interrupted())
    assert served_uri(hook) == "s3://models/iris/2"
    again = SeldonDeploymentTrigger(**json.loads(json.dumps(trigger.serialize()[1])))
    assert again.deadline == trigger.deadline
    assert asyncio.run(_first_event(again))["ending"] == "timeout"


def test_execution_timeout_holds_while_deferred(hook: SeldonHook) -> None:
    trigger = deferred_trigger(timeout=600, execution_timeout=timedelta(seconds=2), on_failure="keep")
    started = time.monotonic()
    event = asyncio.run(_first_event(trigger))
    assert event["ending"] == "timeout"
    assert time.monotonic() - started < 30
    with pytest.raises(RolloutTimeoutError):
        operator(on_failure="keep").execute_complete(context(), event)


def test_a_trigger_of_an_earlier_release_still_starts(hook: SeldonHook) -> None:
    """Triggers are stored in Airflow's database; an upgrade must be able to read them."""
    stored = {"seldon_conn_id": "seldon_default", "namespace": "default", "name": "iris", "deadline": 1.0}
    assert SeldonDeploymentTrigger(**stored).serialize()[1] == stored
    assert set(stored) <= set(ARGUMENTS)


async def _first_event(trigger: SeldonDeploymentTrigger) -> Any:
    events = [event async for event in trigger.run()]
    return json.loads(json.dumps(events[0].payload))
