"""Waiting in the triggerer."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from airflow_provider_seldon.core.readiness.expectation import Expectation
from airflow_provider_seldon.core.readiness.outcome import Ending, Outcome

#: Seconds between two looks for a deployment that is not there yet.
FIND_INTERVAL = 10.0
#: Waits that are prepared at a time. A thousand may begin at once; each takes the event loop, and in a thread Python's
#: lock, for a part of a millisecond. Those that wait for their turn take nothing.
PREPARING = 10
#: Seconds after a deadline within which the scheduler ends a deferral that has not ended by itself:
#: ``triggers.deferral.BACKSTOP`` (60 s), the time between two looks of the scheduler's (``[scheduler]
#: trigger_timeout_check_interval``, 15 s), and some room.
SCHEDULER_PATIENCE = 120.0
#: Seconds for which a connection may be fetched again.
RECONNECT_TIMEOUT = 30.0

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

    from airflow_provider_seldon.hooks.seldon import SeldonHook
    from airflow_provider_seldon.kube.access.access import ClusterAccess
    from airflow_provider_seldon.triggers.deployment import SeldonDeploymentTrigger
    from airflow_provider_seldon.triggers.event import SeldonDeploymentEventTrigger


async def hook_for_triggerer(seldon_conn_id: str, namespace: str | None) -> SeldonHook:
    """
    Return a hook whose connection has been fetched without blocking the event loop.

    Airflow 3.3 ends a triggerer in which a connection is fetched synchronously while another asynchronous call
    is in flight (apache/airflow #68377).
    """
    from airflow.providers.common.compat.connection import get_async_connection
    from airflow.providers.common.compat.sdk import AirflowNotFoundException

    # The import takes more than a second, so it happens in a thread.
    hook_class = _loaded[0] if _loaded else await asyncio.to_thread(_hook_class)
    try:
        connection = await get_async_connection(seldon_conn_id)
    except AirflowNotFoundException:
        if seldon_conn_id != hook_class.default_conn_name:
            raise
        connection = None
    if connection is None:
        return hook_class(None, namespace=namespace)
    loop = asyncio.get_running_loop()

    def reconnect() -> Connection:
        """Fetch it again, from a thread, through the event loop for the same reason."""
        fetching = asyncio.run_coroutine_threadsafe(get_async_connection(seldon_conn_id), loop)
        return fetching.result(timeout=RECONNECT_TIMEOUT)

    return hook_class(seldon_conn_id, namespace=namespace, connection=connection, reconnect=reconnect)


async def reach(seldon_conn_id: str, namespace: str | None) -> tuple[SeldonHook, ClusterAccess, str]:
    """Return the hook of a trigger, its cluster and its namespace, when it is the trigger's turn."""
    loop = asyncio.get_running_loop()
    turns = _turns.get(loop)
    if turns is None:
        turns = _turns[loop] = asyncio.Semaphore(PREPARING)
    async with turns:
        hook = await hook_for_triggerer(seldon_conn_id, namespace)
        # Reading a connection's extra asks Airflow's supervisor to mask it, which must not happen on the event loop.
        return hook, *await asyncio.to_thread(lambda: (hook.access, namespace or hook.namespace))


_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()
_loaded: list[type[SeldonHook]] = []


def _hook_class() -> type[SeldonHook]:
    from airflow_provider_seldon.hooks.seldon import SeldonHook

    _loaded[:] = [SeldonHook]
    return SeldonHook


async def wait_in_triggerer(trigger: SeldonDeploymentTrigger) -> Outcome:
    """Run a trigger's wait; see :class:`SeldonDeploymentTrigger`."""
    from airflow_provider_seldon import settings
    from airflow_provider_seldon.delivery.waiting.wait import Progress, Waiter, policy_of
    from airflow_provider_seldon.kube.watch import wait

    hook, access, namespace = await reach(trigger.seldon_conn_id, trigger.namespace)
    ends_at = time.monotonic() + seconds_left(trigger.deadline, trigger.timeout, now=time.time())
    expected = Expectation.from_json(trigger.expected) if trigger.expected is not None else None
    name = trigger.name or await newest(hook, trigger)
    while name is None and time.monotonic() < ends_at:
        await asyncio.sleep(FIND_INTERVAL)
        name = await newest(hook, trigger)
    if name is None:
        given = {key: value for key, value in _selectors(trigger).items() if value}
        return Outcome(
            ending=Ending.TIMEOUT,
            name="",
            namespace=namespace,
            reason="NotFound",
            message=f"no deployment matches {given}",
        )
    interval = settings.progress_interval()
    outcome = await wait.wait(
        access,
        namespace,
        name,
        expected=expected,
        deadline=time.time() + ends_at - time.monotonic(),
        policy=policy_of(trigger.failure_policy),
        on_progress=Progress(name, interval=interval, logger=trigger.log),
        progress_interval=interval,
    )
    if outcome.ending is Ending.READY:
        return outcome
    # The diagnosis is read here, at once: when the task resumes, pods and events may be gone.
    return await asyncio.to_thread(Waiter(hook).explain, outcome)


def seconds_left(deadline: float | None, timeout: float | None, *, now: float) -> float:
    """
    Return for how many seconds a trigger that starts, or starts again, waits; from then on no clock counts.

    The deadline is a time of the worker's clock, the timeout is what was left then. Where the deadline has been over
    for longer than the scheduler leaves a trigger alone, this machine's clock is wrong, or was when the task deferred,
    or nothing ran meanwhile: nothing is given up then before the timeout is over. No clock that goes back makes a wait
    longer than the timeout.

    :param deadline: epoch seconds; None where there is only a timeout.
    :param timeout: seconds; None in triggers of the first release that have a deadline.
    """
    if deadline is None:
        return timeout or 0.0
    left = deadline - now
    if timeout is None:
        return left
    return timeout if left < -SCHEDULER_PATIENCE else min(left, timeout)


def broken_off(trigger: SeldonDeploymentTrigger, error: Exception) -> Outcome:
    """Return the outcome of a wait that ended in an error, so that the task undoes what it wrote."""
    from airflow_provider_seldon.hooks.masking import redact

    trigger.log.exception("The wait broke off")
    return Outcome(
        ending=Ending.FAILED,
        name=trigger.name or "",
        namespace=trigger.namespace or "",
        reason="WaitBrokenOff",
        message=f"the wait in the triggerer broke off: {type(error).__name__}: {redact(str(error))}",
    )


async def newest(
    hook: SeldonHook, trigger: SeldonDeploymentTrigger | SeldonDeploymentEventTrigger
) -> str | None:
    """Return the name of the newest deployment that a trigger selects, None while there is none."""
    found = await asyncio.to_thread(lambda: hook.find_model_servers(**_selectors(trigger)))
    return found[0].name if found else None


def _selectors(trigger: SeldonDeploymentTrigger | SeldonDeploymentEventTrigger) -> dict[str, Any]:
    return {
        "model_name": trigger.model_name,
        "dag_id": trigger.dag_id_of_deployer,
        "task_id": trigger.task_id_of_deployer,
    }


async def undo_in_triggerer(trigger: SeldonDeploymentTrigger) -> None:
    """Undo the rollout that a trigger has waited for, if it still is what its task wrote."""
    from airflow_provider_seldon.delivery.rollout.handoff import Rollout

    hook = await hook_for_triggerer(trigger.seldon_conn_id, trigger.namespace)
    rollout = Rollout.from_json(trigger.handoff or {})
    trigger.log.info("The task was ended by a user; %s of %s", trigger.kill_action, rollout.name)
    await asyncio.to_thread(hook.undo, rollout, delete_created=trigger.kill_action == "delete")
