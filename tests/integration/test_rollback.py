"""What happens after a bad rollout: the version that was last seen serving comes back, by itself or when asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred

from airflow_provider_seldon.core.identity.annotations import ANNOTATION_METRICS, ANNOTATION_REVISION
from airflow_provider_seldon.core.rollout.history import ProvenVersion, proven_versions
from airflow_provider_seldon.exceptions import (
    InvalidModelServerError,
    RolloutError,
    RolloutFailedError,
    RolloutTimeoutError,
    StaleRunError,
)
from airflow_provider_seldon.hooks.seldon import SeldonHook
from airflow_provider_seldon.operators.base import SeldonRolloutOperator
from airflow_provider_seldon.operators.deploy import SeldonDeployModelOperator
from airflow_provider_seldon.operators.rollback import SeldonRollbackOperator
from tests.clusters import clusters, patience
from tests.clusters.misbehaviour import behaving
from tests.integration.conftest import context
from tests.integration.test_deploy_operator import MONDAY, TUESDAY, deploy, operator

FAST = {"suspect_after": 0.2, "crash_loop_count": 1, "waiting": {"ImagePullBackOff": 0.5}}


def roll_back(name: str, task: dict[str, Any] | None = None, **arguments: Any) -> dict[str, Any]:
    run = {"task_id": "roll_back", "run_id": "rollback-1", **(task or {})}
    defaults: dict[str, Any] = {
        "task_id": "roll_back",
        "timeout": patience(30),
        "failure_policy": FAST,
        "deferrable": False,
    }
    return SeldonRollbackOperator(name=name, **{**defaults, **arguments}).execute(context(**run))


def served(hook: SeldonHook, name: str) -> str:
    """What has the model URI of the pod that answers in it."""
    answer = json.dumps(hook.predict(name, [[1.0, 2.0]]))
    return model_uris_of_ready_pods(hook, name) if clusters().real_pods else answer


def conditions(pod: dict[str, Any]) -> set[tuple[str, str]]:
    return {(one["type"], one["status"]) for one in pod["status"].get("conditions") or []}


def model_uris_of_ready_pods(hook: SeldonHook, name: str) -> str:
    """What a real pod does not tell in its answers."""
    pods = hook.client.pods.of_deployment(name)
    ready = [pod for pod in pods if ("Ready", "True") in conditions(pod)]
    return json.dumps([box.get("args") for pod in ready for box in pod["spec"]["initContainers"]])


def uri(hook: SeldonHook, name: str) -> str | None:
    graph = hook.client.get(name).predictors[0].graph
    return graph.model_uri if graph else None


def blocking(task: SeldonDeployModelOperator) -> dict[str, Any]:
    return task.execute(context())


def deferred(task: SeldonDeployModelOperator) -> dict[str, Any]:
    """Run a task as Airflow does: what is deferred goes through a triggerer, and a new worker resumes it."""
    method: Callable[[], Any] = lambda: task.execute(context())  # noqa: E731
    for _ in range(3):
        try:
            return method()
        except TaskDeferred as deferral:
            worker = operator(**ARGUMENTS[task.model_uri], deferrable=True)
            event = asyncio.run(_event(deferral.trigger))
            resume = getattr(worker, deferral.method_name)
            method = lambda resume=resume, event=event: resume(context(), event)  # noqa: E731
    raise AssertionError("deferred for ever")


async def _event(trigger: Any) -> Any:
    """What a triggerer gets from a trigger that was serialized, run, cancelled by a restart, and run again."""
    path, arguments = trigger.serialize()
    trigger_class = type(trigger)
    assert path == f"{trigger_class.__module__}.{trigger_class.__qualname__}"
    arguments = json.loads(json.dumps(arguments))
    killed = asyncio.ensure_future(anext(trigger_class(**arguments).run()))
    await asyncio.sleep(0.05)
    killed.cancel()
    event = await asyncio.wait_for(anext(trigger_class(**arguments).run()), timeout=patience(40))
    return json.loads(json.dumps(event.payload))


BROKEN = "s3://models/iris/broken"
STUCK = "s3://models/iris/stuck"
ARGUMENTS: dict[str, dict[str, Any]] = {
    BROKEN: {"model_uri": BROKEN, "model_server": behaving("crash")},
    STUCK: {"model_uri": STUCK, "model_server": behaving("never-ready"), "timeout": patience(1.5)},
}


@pytest.mark.parametrize("run", [blocking, deferred])
@pytest.mark.parametrize(("bad", "error"), [(BROKEN, RolloutFailedError), (STUCK, RolloutTimeoutError)])
def test_a_bad_version_is_rolled_back_and_the_task_fails_with_its_diagnosis(
    hook: SeldonHook, run: Callable[[SeldonDeployModelOperator], Any], bad: str, error: type[RolloutError]
) -> None:
    first = deploy(metrics={"auc": 0.9})
    with pytest.raises(error) as caught:
        run(operator(**ARGUMENTS[bad], deferrable=run is deferred))
    assert caught.value.rolled_back_to == first["revision"]
    assert f"Rolled back to revision {first['revision']}, which is ready." in str(caught.value)
    assert "classifier" in str(caught.value)
    assert uri(hook, first["name"]) == "s3://models/iris/1"
    stored = hook.client.get(first["name"])
    assert stored.annotations[ANNOTATION_REVISION] == first["revision"]
    assert '"auc": 0.9' in stored.annotations[ANNOTATION_METRICS]
    assert deploy()["action"] == "unchanged"
    assert "models/iris/1" in served(hook, first["name"])


def test_a_retry_of_a_bad_version_ends_in_the_same_state(hook: SeldonHook) -> None:
    first = deploy()
    for _ in range(2):
        with pytest.raises(RolloutFailedError, match="which is ready"):
            deploy(**ARGUMENTS[BROKEN])
    assert uri(hook, first["name"]) == "s3://models/iris/1"
    assert len(hook.client.find()) == 1


def test_a_retry_after_a_death_before_the_rollback_rolls_back(hook: SeldonHook) -> None:
    first = deploy()
    killed = operator(**ARGUMENTS[BROKEN], deferrable=True)
    with pytest.raises(TaskDeferred):
        killed.execute(context())
    assert uri(hook, first["name"]) == BROKEN
    with pytest.raises(RolloutFailedError, match="which is ready"):
        deploy(**ARGUMENTS[BROKEN])
    assert uri(hook, first["name"]) == "s3://models/iris/1"


def test_without_a_proven_version_there_is_nothing_to_restore(hook: SeldonHook) -> None:
    with pytest.raises(RolloutFailedError) as caught:
        deploy(**ARGUMENTS[BROKEN])
    assert caught.value.rolled_back_to == ""
    assert uri(hook, hook.client.find()[0].name) == BROKEN


def test_a_bad_version_can_be_kept_for_a_look_at_it(hook: SeldonHook) -> None:
    first = deploy()
    with pytest.raises(RolloutFailedError) as caught:
        deploy(**ARGUMENTS[BROKEN], on_failure="keep")
    assert caught.value.rolled_back_to == ""
    assert uri(hook, first["name"]) == BROKEN
    assert "models/iris/1" in served(hook, first["name"])


def test_what_this_run_has_created_can_be_deleted_and_what_it_has_updated_is_rolled_back(
    hook: SeldonHook,
) -> None:
    with pytest.raises(RolloutFailedError):
        deploy(**ARGUMENTS[BROKEN], on_failure="delete_if_created")
    for one in hook.client.find():
        hook.client.wait_until_deleted(one.name, timeout=patience(10))
    assert hook.client.find() == []
    first = deploy()
    with pytest.raises(RolloutFailedError, match="which is ready"):
        deploy(**ARGUMENTS[BROKEN], on_failure="delete_if_created")
    assert uri(hook, first["name"]) == "s3://models/iris/1"


@pytest.mark.parametrize("on_failure", ["rollback", "delete_if_created"])
def test_what_another_client_wrote_meanwhile_is_not_changed(hook: SeldonHook, on_failure: str) -> None:
    deploy()
    task = operator(**ARGUMENTS[BROKEN], on_failure=on_failure)
    rollout = task._deploy(context(), task._server())
    newer = deploy({"run_id": "run-2"}, model_uri="s3://models/iris/3")
    assert task.undo(rollout) is None
    assert uri(hook, newer["name"]) == "s3://models/iris/3"


@pytest.mark.own_operator("its requests go wrong")
def test_a_rollback_that_does_not_become_ready_either_is_reported(
    hook: SeldonHook, local_seldon: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_provider_seldon.local.faults import Fault

    deploy()
    task = operator(**ARGUMENTS[BROKEN])
    wait, undo = SeldonRolloutOperator.wait_for, SeldonDeployModelOperator.undo

    def without_an_operator(self: Any, rollout: Any) -> Any:
        # The rollback is written, but its child is not created: else it may be ready before the wait has
        # begun.
        local_seldon.controller_faults.add(
            Fault(verb="update", resource="deployments", count=None, status=500)
        )
        return undo(self, rollout)

    def impatient(self: Any, rollout: Any, failure: Any = None) -> Any:
        if failure is not None:
            self.timeout = -1.0
        return wait(self, rollout, failure)

    monkeypatch.setattr(SeldonDeployModelOperator, "undo", without_an_operator)
    monkeypatch.setattr(SeldonRolloutOperator, "wait_for", impatient)
    with pytest.raises(RolloutFailedError, match="does not become ready either") as caught:
        task.execute(context())
    assert caught.value.rolled_back_to == ""


def test_a_diagnosis_does_not_name_the_cause_of_an_earlier_failure(hook: SeldonHook) -> None:
    with pytest.raises(RolloutFailedError, match="the image cannot be pulled"):
        deploy(model_server=behaving("image-pull"), on_failure="keep")
    with pytest.raises(RolloutFailedError) as caught:
        deploy(**ARGUMENTS[BROKEN], on_failure="keep")
    assert "CrashLoopBackOff" in str(caught.value)
    assert "pull" not in str(caught.value)


def test_a_rollback_that_the_cluster_refuses_does_not_hide_the_failure(
    hook: SeldonHook, local_seldon: Any
) -> None:
    from airflow_provider_seldon.local.faults import Fault

    deploy()
    local_seldon.faults.add(Fault(verb="apply", resource="seldondeployments", skip=1, status=403))
    with pytest.raises(RolloutFailedError, match=r"The rollback failed: .*RBAC") as caught:
        deploy(**ARGUMENTS[BROKEN])
    assert "classifier" in str(caught.value)


def test_the_operator_goes_back_to_the_previous_version_and_a_retry_stays_there(hook: SeldonHook) -> None:
    first = deploy()
    deploy(model_uri="s3://models/iris/2")
    third = deploy(model_uri="s3://models/iris/3")
    back = roll_back(third["name"])
    assert (back["action"], back["state"], back["model_uri"]) == (
        "rolled_back",
        "Available",
        "s3://models/iris/2",
    )
    again = roll_back(third["name"])
    assert again["revision"] == back["revision"]
    further = roll_back(third["name"], {"run_id": "rollback-2"})
    assert further["revision"] == first["revision"]
    assert "models/iris/1" in served(hook, third["name"])
    forward = roll_back(third["name"], {"run_id": "rollback-3"}, to=third["revision"])
    assert forward["model_uri"] == "s3://models/iris/3"
    assert "models/iris/3" in served(hook, third["name"])


def test_the_operator_goes_back_in_the_triggerer_as_well(hook: SeldonHook) -> None:
    deploy()
    second = deploy(model_uri="s3://models/iris/2")
    task = SeldonRollbackOperator(
        task_id="roll_back", name=second["name"], timeout=patience(30), deferrable=True
    )
    with pytest.raises(TaskDeferred) as deferral:
        task.execute(context(run_id="rollback-1"))
    event = asyncio.run(_event(deferral.value.trigger))
    resumed = SeldonRollbackOperator(task_id="roll_back", name=second["name"], deferrable=True)
    assert resumed.execute_complete(context(), event)["model_uri"] == "s3://models/iris/1"
    last = ProvenVersion.last_of(hook.client.get(second["name"]))
    assert last is not None
    assert last.config["model_uri"] == "s3://models/iris/1"


def test_a_rollback_that_fails_keeps_the_running_version(hook: SeldonHook) -> None:
    deploy()
    second = deploy(model_uri="s3://models/iris/2")
    with pytest.raises(RolloutTimeoutError):
        roll_back(second["name"], timeout=0.0)
    retried = roll_back(second["name"])
    assert retried["model_uri"] == "s3://models/iris/1"


def test_a_late_retry_of_the_run_that_was_rolled_back_does_not_undo_it(hook: SeldonHook) -> None:
    deploy({"run_id": "monday", "logical_date": MONDAY})
    bad = deploy({"run_id": "tuesday", "logical_date": TUESDAY}, model_uri="s3://models/iris/2")
    roll_back(bad["name"], {"run_id": "wednesday", "logical_date": TUESDAY.replace(day=7)})
    with pytest.raises(StaleRunError):
        deploy(
            {"run_id": "tuesday", "logical_date": TUESDAY}, model_uri="s3://models/iris/2", on_stale="fail"
        )
    assert uri(hook, bad["name"]) == "s3://models/iris/1"


def test_a_bad_newer_run_does_not_fence_off_the_version_that_it_was_rolled_back_to(hook: SeldonHook) -> None:
    monday = {"run_id": "monday", "logical_date": MONDAY}
    deploy(monday)
    with pytest.raises(RolloutFailedError):
        deploy({"run_id": "tuesday", "logical_date": TUESDAY}, **ARGUMENTS[BROKEN])
    assert deploy(monday, model_uri="s3://models/iris/fixed", on_stale="fail")["action"] == "updated"


@pytest.mark.parametrize("to", ["previous", "0123456789"])
def test_a_version_that_was_never_seen_serving_is_refused(hook: SeldonHook, to: str) -> None:
    first = deploy()
    with pytest.raises(InvalidModelServerError, match=first["revision"]):
        roll_back(first["name"], to=to)


def test_ten_versions_are_kept_on_the_cluster(hook: SeldonHook) -> None:
    for number in range(12):
        last = deploy(model_uri=f"s3://models/iris/{number}")
    kept = proven_versions(hook.client.get(last["name"]))
    assert [one.config["model_uri"] for one in kept] == [f"s3://models/iris/{n}" for n in range(11, 1, -1)]
    oldest = roll_back(last["name"], to=kept[-1].revision)
    assert "models/iris/2" in served(hook, oldest["name"])
