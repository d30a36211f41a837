"""Wait in the triggerer."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_seldon.core.readiness.expectation import Expectation
from airflow_provider_seldon.core.readiness.outcome import Ending, Outcome
from airflow_provider_seldon.delivery.waiting.selection import FIND_INTERVAL, Selection

#: Seconds after a deadline within which the scheduler ends a deferral that has not ended by itself:
#: ``triggers.deferral.BACKSTOP`` (60 s), the interval of the scheduler's check (``[scheduler]
#: trigger_timeout_check_interval``, 15 s), and some margin.
SCHEDULER_PATIENCE = 120.0

if TYPE_CHECKING:
    from airflow_provider_seldon.delivery.target import Target


@dataclass(frozen=True, kw_only=True)
class TriggererWait:
    """
    What to wait for, and how long.

    :param selection: selects the deployment.
    :param deadline: epoch seconds; see :func:`seconds_left`.
    :param timeout: seconds; see :func:`seconds_left`.
    :param expected: the write, as returned by ``Expectation.to_json``; None waits for the deployment as
        it is.
    :param failure_policy: fields of ``FailurePolicy`` that differ from the defaults.
    :param logger: the trigger's logger.
    """

    selection: Selection
    deadline: float | None
    timeout: float | None
    expected: Mapping[str, Any] | None
    failure_policy: Mapping[str, Any] | None
    logger: logging.Logger = field(repr=False, compare=False)


async def wait_in_triggerer(target: Target, asked: TriggererWait) -> Outcome:
    """Wait for a deployment; see :class:`SeldonDeploymentTrigger`."""
    from airflow_provider_seldon import settings
    from airflow_provider_seldon.delivery.waiting.wait import Progress, Waiter, policy_of
    from airflow_provider_seldon.kube.watch import wait

    ends_at = time.monotonic() + seconds_left(asked.deadline, asked.timeout, now=time.time())
    expected = Expectation.from_json(asked.expected) if asked.expected is not None else None
    name = await asked.selection.find(target)
    while name is None and time.monotonic() < ends_at:
        await asyncio.sleep(FIND_INTERVAL)
        name = await asked.selection.find(target)
    if name is None:
        given = {key: value for key, value in asked.selection.facts.items() if value}
        return Outcome(
            ending=Ending.TIMEOUT,
            name="",
            namespace=target.namespace,
            reason="NotFound",
            message=f"no deployment matches {given}",
        )
    interval = settings.progress_interval()
    outcome = await wait.wait(
        target.access,
        target.namespace,
        name,
        expected=expected,
        deadline=time.time() + ends_at - time.monotonic(),
        policy=policy_of(asked.failure_policy),
        on_progress=Progress(name, interval=interval, logger=asked.logger),
        progress_interval=interval,
    )
    if outcome.ending is Ending.READY:
        return outcome
    # The diagnosis is made here, at once: when the task resumes, pods and events may be gone.
    return await asyncio.to_thread(Waiter(target).explain, outcome)


def seconds_left(deadline: float | None, timeout: float | None, *, now: float) -> float:
    """
    Return how many seconds a trigger waits after a start or restart; from then on it uses no wall clock.

    The deadline is a time of the worker's clock, the timeout is what was left then. If the deadline passed
    longer ago than the scheduler would tolerate, then this machine's clock is wrong, the worker's was wrong
    when the task deferred, or nothing ran meanwhile: in that case the wait uses the full timeout. A clock
    that is set back never makes a wait longer than the timeout.

    :param deadline: epoch seconds; None if there is only a timeout.
    :param timeout: seconds; None in triggers of the first release that have a deadline.
    """
    if deadline is None:
        return timeout or 0.0
    left = deadline - now
    if timeout is None:
        return left
    return timeout if left < -SCHEDULER_PATIENCE else min(left, timeout)


def broken_off(
    error: Exception, *, name: str | None, namespace: str | None, redact: Callable[[str], str]
) -> Outcome:
    """Return the outcome of a wait that ended in an error, so that the task undoes its write."""
    return Outcome(
        ending=Ending.FAILED,
        name=name or "",
        namespace=namespace or "",
        reason="WaitBrokenOff",
        message=f"the wait in the triggerer was interrupted: {type(error).__name__}: {redact(str(error))}",
    )
