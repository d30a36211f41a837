"""What ``to="before_run"`` of the rollback operator does: exactly what the task's own run has changed is undone."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException, TaskDeferred

from airflow_provider_seldon.exceptions import InvalidModelServerError, RolloutFailedError
from airflow_provider_seldon.hooks.seldon import SeldonHook
from airflow_provider_seldon.operators.rollback import SeldonRollbackOperator
from tests.clusters import patience
from tests.integration.conftest import context
from tests.integration.test_deploy_operator import deploy, operator
from tests.integration.test_rollback import ARGUMENTS, BROKEN, roll_back, uri

RUN_1: dict[str, Any] = {"run_id": "run-1"}
RUN_2: dict[str, Any] = {"run_id": "run-2"}
RUN_3: dict[str, Any] = {"run_id": "run-3"}
V1, V2, V3 = (f"s3://models/iris/{number}" for number in (1, 2, 3))


def undo_run(name: str, run: dict[str, Any], **arguments: Any) -> dict[str, Any]:
    return roll_back(name, run, to="before_run", **arguments)


def test_all_that_a_run_deployed_is_undone_and_a_killed_rollback_is_ended_by_its_retry(
    hook: SeldonHook,
) -> None:
    first = deploy(RUN_1, model_uri=V1)
    name = first["name"]
    deploy(RUN_2, model_uri=V2)
    deploy(RUN_2, model_uri=V3)
    hook.complete(hook.scale(name, replicas=2))
    with pytest.raises(AirflowSkipException):
        undo_run(name, RUN_1)
    assert uri(hook, name) == V3
    killed = SeldonRollbackOperator(
        task_id="roll_back", name=name, to="before_run", timeout=patience(30), deferrable=True
    )
    with pytest.raises(TaskDeferred):
        killed.execute(context(task_id="roll_back", **RUN_2))
    assert uri(hook, name) == V1
    back = undo_run(name, RUN_2)
    assert (back["action"], back["revision"]) == ("rolled_back", first["revision"])
    with pytest.raises(AirflowSkipException):
        undo_run(name, {**RUN_2, "task_id": "another"})


def test_what_a_run_created_is_deleted_and_what_it_left_unchanged_stays(hook: SeldonHook) -> None:
    first = deploy(RUN_1, model_uri=V1)
    name = first["name"]
    assert deploy(RUN_2, model_uri=V1)["action"] == "unchanged"
    with pytest.raises(AirflowSkipException):
        undo_run(name, RUN_2)
    assert undo_run(name, RUN_1, dry_run=True)["action"] == "dry-run (deleted)"
    assert uri(hook, name) == V1
    assert undo_run(name, RUN_1)["action"] == "deleted"
    hook.client.wait_until_deleted(name, timeout=patience(10))
    with pytest.raises(AirflowSkipException):
        undo_run(name, RUN_1)


def test_what_a_run_created_in_place_of_others_that_are_deleted_by_now_stays(hook: SeldonHook) -> None:
    deploy(RUN_1, model_uri=V1)
    name = deploy(RUN_2, model_uri=V2, name="iris-in-place-of-it")["name"]
    with pytest.raises(InvalidModelServerError, match="has been deleted"):
        undo_run(name, RUN_2)
    assert uri(hook, name) == V2


def test_a_deploy_that_was_killed_is_undone_and_one_that_undid_itself_is_left(hook: SeldonHook) -> None:
    first = deploy(RUN_1, model_uri=V1)
    name = first["name"]
    with pytest.raises(TaskDeferred):
        operator(**ARGUMENTS[BROKEN], deferrable=True).execute(context(**RUN_2))
    assert uri(hook, name) == BROKEN
    assert undo_run(name, RUN_2)["revision"] == first["revision"]
    with pytest.raises(RolloutFailedError, match="which is ready"):
        deploy(RUN_3, **ARGUMENTS[BROKEN])
    with pytest.raises(AirflowSkipException):
        undo_run(name, RUN_3)
    # A deploy of the run that was undone is a change again.
    deploy(RUN_2, model_uri=V2)
    assert undo_run(name, RUN_2)["revision"] == first["revision"]
