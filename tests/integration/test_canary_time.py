"""A canary whose task runs out of time, at its own deadline before that of Airflow, or is ended at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowTaskTimeout, TaskDeferred

from airflow_provider_seldon.core.canary.lease import Lease
from airflow_provider_seldon.exceptions import CanaryAbortedError
from airflow_provider_seldon.hooks.seldon import SeldonHook
from airflow_provider_seldon.operators.canary import SeldonAbortCanaryOperator, SeldonCanaryOperator
from tests.clusters import patience
from tests.integration import task_process
from tests.integration.conftest import context
from tests.integration.test_canary import (  # noqa: F401
    CANDIDATE,
    TUESDAY,
    assert_serves,
    assert_settles,
    broken,
    event_of,
    operator,
    predictors,
    run,
    served,
)
from tests.integration.test_storage_secrets import wait_until

pytestmark = pytest.mark.simulated_pods("a few rollouts")


def test_the_end_of_execution_timeout_aborts_a_deferred_canary_before_airflow_fails_its_task(
    hook: SeldonHook,
    served: str,  # noqa: F811
) -> None:
    """Airflow 2.11 ends a deferral with ``execution_timeout``, and then calls neither trigger nor task."""
    given = context(logical_date=TUESDAY)
    given["ti"].start_date = datetime.now(UTC)
    limit = timedelta(seconds=600)
    task = operator(steps=[5], bake=6000, analysis=None, deferrable=True, execution_timeout=limit)
    airflows = (given["ti"].start_date + limit).timestamp()
    trigger = trigger_of(lambda: task.execute(given))
    ends = [trigger.deadline]
    # The candidate serves, and bakes.
    trigger = trigger_of(lambda: task.execute_complete(given, asyncio.run(event_of(trigger))))
    ends.append(trigger.until)
    assert max(ends) < airflows
    # So much later the trigger ends.
    given["ti"].start_date -= limit
    event = {"baked": "", "looked": None, "handoff": trigger.handoff}
    with pytest.raises(CanaryAbortedError, match=r"\(execution_timeout\)"):
        task.execute_complete(given, event)
    assert_settles(hook, served)


def trigger_of(act: Callable[[], Any]) -> Any:
    """Return the trigger with which a task defers itself."""
    with pytest.raises(TaskDeferred) as deferral:
        act()
    return deferral.value.trigger


def test_the_alarm_of_execution_timeout_on_a_worker_aborts(
    hook: SeldonHook,
    served: str,  # noqa: F811
) -> None:
    """What raises it may be anything that takes longer than it should, such as a user's function."""

    def alarm(*_: object, **__: object) -> None:
        raise AirflowTaskTimeout

    task = operator(steps=[5], bake=600, analysis=None, execution_timeout=timedelta(seconds=60))
    task._lead = lambda canary: broken(SeldonCanaryOperator._lead(task, canary), alarm)
    with pytest.raises(AirflowTaskTimeout) as ended:
        task.execute(context(logical_date=TUESDAY))
    assert any("was aborted" in note for note in ended.value.__notes__)
    assert_settles(hook, served)


def test_a_teardown_aborts_what_a_task_has_left_that_was_ended_by_sigkill(
    hook: SeldonHook,
    served: str,  # noqa: F811
) -> None:
    task = {**CANDIDATE, "steps": [25], "bake": 600, "timeout": 30, "name": served}
    process = task_process.start("canary", task)
    wait_until(
        lambda: (found := Lease.of(hook.client.get(served))) is not None and found.since is not None,
        patience(60),
    )
    process.kill()
    process.join()
    assert predictors(hook, served) == {"default": ("1", 75), "canary": ("2", 25)}
    teardown = operator(SeldonAbortCanaryOperator, model_name="iris", failure_policy={"settle": 0.1})
    assert run(teardown)[0] == {"aborted": [served]}
    assert_serves(hook, served, "1")
