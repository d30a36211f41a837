"""A change of nothing but weights: done when the ingress has them, at the first try and at one after a kill."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml

from airflow_provider_seldon.core.readiness.routes import UNREADABLE
from airflow_provider_seldon.hooks.seldon import SeldonHook
from airflow_provider_seldon.local.faults import Fault
from airflow_provider_seldon.operators.apply import SeldonApplyOperator
from airflow_provider_seldon.operators.rollback import SeldonRollbackOperator
from tests.clusters import patience
from tests.integration.conftest import context
from tests.integration.test_canary_traffic import HURRY, assert_routes, down, shared_local_seldon

__all__ = ["down", "shared_local_seldon"]

pytestmark = [
    pytest.mark.simulated_pods("several rollouts"),
    pytest.mark.own_operator("it is down for a while"),
]

SPLIT = yaml.safe_load(
    """
metadata: {name: split}
spec:
  predictors:
    - {name: champion, traffic: 90, graph: {name: m, implementation: SKLEARN_SERVER, modelUri: "s3://m/1"}}
    - {name: challenger, traffic: 10, graph: {name: m, implementation: SKLEARN_SERVER, modelUri: "s3://m/2"}}
"""
)


def split(challenger: int) -> Any:
    manifest = copy.deepcopy(SPLIT)
    for one, traffic in zip(manifest["spec"]["predictors"], (100 - challenger, challenger), strict=True):
        one["traffic"] = traffic
    return manifest


def task(challenger: int, kind: type = SeldonApplyOperator) -> Any:
    what = {"manifest": split(challenger)} if kind is SeldonApplyOperator else {"name": "split"}
    return kind(task_id="apply", timeout=patience(30), deferrable=False, failure_policy=HURRY, **what)


def apply(challenger: int, **run: Any) -> dict[str, Any]:
    result: dict[str, Any] = task(challenger).execute(context(task_id="apply", **run))
    return result


def killed(killed_task: Any, **run: Any) -> None:
    """Let a task die once its write is stored."""

    def dies(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    killed_task.wait_for = dies
    with pytest.raises(KeyboardInterrupt):
        killed_task.execute(context(task_id="apply", **run))


def test_weights_count_once_the_routes_have_them_also_at_a_retry_of_a_task_that_was_killed(
    hook: SeldonHook, down: Any
) -> None:
    apply(10)
    down()
    apply(30, run_id="run-2")
    assert_routes(hook, "split")

    down()
    killed(task(60), run_id="run-3")
    again = apply(60, run_id="run-3", try_number=2)
    assert (again["action"], again.get("weaker")) == ("updated", None)
    assert_routes(hook, "split")

    down()
    killed(task(60, SeldonRollbackOperator), run_id="run-5")
    task(60, SeldonRollbackOperator).execute(context(task_id="apply", run_id="run-5", try_number=2))
    assert_routes(hook, "split")


def test_without_the_right_to_read_routes_a_retry_reports_weaker_evidence_as_the_first_try_does(
    hook: SeldonHook, local_seldon: Any
) -> None:
    apply(10)
    local_seldon.faults.add(Fault(verb="get", resource="virtualservices", status=403, count=None))
    assert UNREADABLE in str(apply(30, run_id="run-2").get("weaker"))
    killed(task(60), run_id="run-3")
    assert apply(60, run_id="run-3", try_number=2).get("weaker")
    assert apply(60, run_id="run-4")["action"] == "unchanged"
    killed(task(60, SeldonRollbackOperator), run_id="run-5")
    again = context(task_id="apply", run_id="run-5", try_number=2)
    back = task(60, SeldonRollbackOperator).execute(again)
    assert back.get("weaker")
