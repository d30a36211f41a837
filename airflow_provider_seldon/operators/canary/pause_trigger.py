"""The trigger for a pause of a canary, with the data that the triggerer needs to measure by itself."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_seldon.delivery.canary.lead import Leader, Pause
    from airflow_provider_seldon.triggers.canary import SeldonCanaryTrigger


def trigger_of_pause(
    pause: Pause,
    leader: Leader,
    *,
    end: float,
    seldon_conn_id: str,
    namespace: str,
    prometheus_conn_id: str | None,
    failure_policy: Mapping[str, Any] | None,
) -> SeldonCanaryTrigger:
    """
    Return the trigger that waits for the end of a pause.

    :param end: epoch seconds at which the pause ends at the latest.
    """
    from airflow_provider_seldon.triggers.canary import SeldonCanaryTrigger

    handoff: dict[str, Any] = {
        "canary": leader.canary.stored.name,
        "candidate": leader.canary.lease.candidate,
        "namespace": namespace,
    }
    wake = None
    if leader.progress is not None:
        handoff["progress"] = leader.progress.to_json()
    if pause.expected is None:
        wake = min(pause.wake, end)
        handoff |= _measurements(leader, end, prometheus_conn_id)
        end = handoff["looks"]["until"] if "looks" in handoff else wake
    return SeldonCanaryTrigger(
        seldon_conn_id=seldon_conn_id,
        namespace=namespace,
        name=leader.canary.stored.name,
        deadline=end,
        timeout=max(0.0, end - time.time()),
        failure_policy=failure_policy,
        expected=pause.expected.to_json() if pause.expected else None,
        until=wake,
        run_id=leader.canary.lease.run,
        handoff=handoff,
    )


def _measurements(leader: Leader, until: float, prometheus_conn_id: str | None) -> dict[str, Any]:
    """
    Return what the triggerer needs to measure by itself; only the progress so far, if a worker must measure.

    ``counters`` is for a worker of the release that reads nothing else.
    """
    from airflow_provider_seldon.delivery.canary.analysis_run import for_triggerer

    run = leader.analysis_run
    found: dict[str, Any] = {
        "progress": run.progress.to_json(),
        "counters": {name: one.to_json() for name, one in run.progress.counters.items()},
    }
    measured = for_triggerer(run, until=until)
    if measured is not None:
        plan, until = measured
        found["looks"] = {
            "plan": plan.to_json(),
            "sides": dataclasses.asdict(leader.sides),
            "prometheus_conn_id": prometheus_conn_id,
            "until": until,
        }
    return found
