"""What the page says that a run did."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from airflow_provider_seldon.fleet.runs import RunView, _run


def run(**pushed: Any) -> RunView:
    instance = SimpleNamespace(
        dag_id="dag",
        task_id="deploy",
        run_id="run-1",
        map_index=-1,
        state="failed",
        start_date=None,
        end_date=None,
    )
    return _run(instance, pushed)


def test_an_aborted_canary_is_reported_with_the_step_that_decided() -> None:
    steps = [{"step": "5 %", "reason": "fine"}, {"step": "25 %", "reason": "errors 0.4 is above 0.05"}]
    told = run(action="updated", canary={"outcome": "aborted", "steps": steps})
    assert (told.action, told.cause) == ("aborted", "canary aborted, 25 %: errors 0.4 is above 0.05")


def test_a_promoted_canary_and_a_failure_keep_their_own_words() -> None:
    assert run(action="updated", canary={"outcome": "promoted", "steps": []}).action == "updated"
    assert (
        run(failure="it does not become ready", canary={"outcome": "aborted"}).cause
        == "it does not become ready"
    )
    assert (run(canary=["odd"]).cause, run().cause) == ("", "")
