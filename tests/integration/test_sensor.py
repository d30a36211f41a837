"""The sensor in all its modes, against Seldon Core on this machine."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    TaskDeferred,
)

from airflow_provider_seldon.core.identity.identity import Identity
from airflow_provider_seldon.core.readiness.outcome import Ending, Outcome
from airflow_provider_seldon.core.request.model_server import ModelServer
from airflow_provider_seldon.exceptions import InvalidModelServerError
from airflow_provider_seldon.hooks.seldon import SeldonHook
from airflow_provider_seldon.kube.watch import wait
from airflow_provider_seldon.sensors.deployment import SeldonDeploymentSensor
from tests.clusters import patience
from tests.clusters.misbehaviour import behaving
from tests.clusters.model_store import readable
from tests.integration.conftest import context

QUICK = {"suspect_after": 0.2, "crash_loop_count": 1}


def sensor(**arguments: Any) -> SeldonDeploymentSensor:
    defaults: dict[str, Any] = {
        "task_id": "serves",
        "name": "iris",
        "timeout": patience(20),
        "poke_interval": 0.2,
        "failure_policy": QUICK,
        "deferrable": False,
    }
    return SeldonDeploymentSensor(**{**defaults, **arguments})


def deploy(hook: SeldonHook, behaviour: str = "", **arguments: Any) -> str:
    extra = behaving(behaviour) if behaviour else {}
    server = ModelServer.create(
        **{
            "model_name": "iris",
            "name": "iris",
            "model_uri": "s3://models/iris",
            "implementation": "SKLEARN_SERVER",
            **extra,
            **arguments,
        }
    )
    identity = Identity(dag_id="train", task_id="deploy", model_name="iris", run_id="run")
    return hook.deploy_model(server, identity=identity).name


def wait_until_pulling(hook: SeldonHook) -> None:
    """Wait for the failure; what a real pod does first takes longer than an interval."""
    deadline = time.monotonic() + patience(30)
    while "ImagePull" not in str([pod.get("status") for pod in hook.client.pods.of_deployment("iris")]):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def run_deferred(operator: Any, deferred: TaskDeferred) -> Any:
    """Do what a triggerer and a scheduler do: run the trigger from its serialized form, resume with its event."""
    from importlib import import_module

    path, arguments = deferred.trigger.serialize()
    module, _, name = path.rpartition(".")
    trigger = getattr(import_module(module), name)(**json.loads(json.dumps(arguments)))

    async def first_event() -> Any:
        events = [event async for event in trigger.run()]
        assert len(events) == 1
        return events[0].payload

    event = json.loads(json.dumps(asyncio.run(asyncio.wait_for(first_event(), patience(60)))))
    assert event.get("handoff") == arguments.get("handoff")
    return operator.resume_execution(
        deferred.method_name, {**(deferred.kwargs or {}), "event": event}, context()
    )


def test_it_waits_until_the_deployment_serves_and_returns_where(hook: SeldonHook) -> None:
    deploy(hook, "slow:1")
    found = sensor().execute(context())
    assert (found["name"], found["state"]) == ("iris", "Available")
    assert found["prediction_url"].endswith(f"/seldon/{hook.namespace}/iris/api/v1.0/predictions")


def test_a_deployment_of_another_owner_is_judged_as_well(hook: SeldonHook) -> None:
    from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
    from airflow_provider_seldon.kube.requests.client import SeldonClient

    graph = {"name": "m", "implementation": "SKLEARN_SERVER", "modelUri": "s3://models/theirs"}
    foreign = {
        "apiVersion": "machinelearning.seldon.io/v1",
        "kind": "SeldonDeployment",
        "metadata": {"name": "iris"},
        "spec": {"predictors": [{"name": "main", "graph": readable(graph)}]},
    }
    SeldonClient(hook.api_client, namespace=hook.namespace, field_manager="kubectl").apply(
        SeldonDeployment.from_manifest(foreign)
    )
    assert sensor().execute(context())["state"] == "Available"


def test_a_deployment_that_cannot_become_ready_fails_the_sensor_without_retries_and_with_the_reason(
    hook: SeldonHook,
) -> None:
    deploy(hook, "crash")
    with pytest.raises(AirflowFailException, match="container classifier"):
        sensor().execute(context())


def test_it_waits_for_a_deployment_that_does_not_exist_yet_and_times_out(hook: SeldonHook) -> None:
    with pytest.raises(AirflowSensorTimeout):
        sensor(timeout=0.5).execute(context())


def test_soft_fail_skips_instead(hook: SeldonHook) -> None:
    with pytest.raises(AirflowSkipException):
        sensor(timeout=0.5, soft_fail=True).execute(context())


def test_rescheduled_it_gives_the_worker_back_after_its_interval(hook: SeldonHook) -> None:
    deploy(hook, "never-ready")
    started = time.monotonic()
    assert sensor(mode="reschedule", poke_interval=1.0).poke(context()).is_done is False
    assert 1 <= time.monotonic() - started < 10


def test_rescheduled_a_failure_is_found_within_one_interval(hook: SeldonHook) -> None:
    deploy(hook, "crash")
    with pytest.raises(AirflowFailException, match="container classifier"):
        sensor(mode="reschedule", poke_interval=patience(15.0)).poke(context())


def test_rescheduled_a_failure_that_has_to_last_longer_than_an_interval_is_found(
    hook: SeldonHook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wait, "PODS_INTERVAL", 0.3)
    deploy(hook, "image-pull")
    wait_until_pulling(hook)
    policy = {
        "suspect_after": 0.2,
        "waiting": {"ImagePullBackOff": 2.0, "ErrImagePull": 2.0},
        "waiting_at_once": [],
    }
    with pytest.raises(AirflowFailException, match="ImagePull"):
        sensor(mode="reschedule", poke_interval=0.5, failure_policy=policy).poke(context())


def test_selectors_find_the_newest(hook: SeldonHook) -> None:
    deploy(hook)
    assert (
        sensor(name=None, model_name="iris", dag_id_of_deployer="train").execute(context())["name"] == "iris"
    )


def test_nothing_to_wait_for_is_refused(hook: SeldonHook) -> None:
    with pytest.raises(InvalidModelServerError, match="selects the deployment"):
        sensor(name="").execute(context())


def test_a_version_that_is_already_ready_is_not_deferred(hook: SeldonHook) -> None:
    deploy(hook)
    sensor().execute(context())
    assert sensor(deferrable=True).execute(context())["state"] == "Available"


def test_deferred_it_ends_the_same(hook: SeldonHook) -> None:
    deploy(hook, "slow:1")
    operator = sensor(deferrable=True)
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute(context())
    assert run_deferred(operator, deferred.value)["state"] == "Available"


@pytest.mark.parametrize("what", ["deployed again", "deleted"])
def test_deferred_it_waits_again_where_what_was_ready_no_longer_is_when_it_resumes(
    hook: SeldonHook, what: str
) -> None:
    deploy(hook)
    ready = Outcome(ending=Ending.READY, name="iris", namespace=hook.namespace, state="Available").to_json()
    operator = sensor(deferrable=True)
    if what == "deleted":
        hook.delete_model_server("iris", timeout=patience(30))
    else:
        deploy(hook, "never-ready")
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute_complete(context(), {**ready, "handoff": None})
    assert deferred.value.trigger.name == "iris"


def test_deferred_it_waits_for_a_deployment_that_does_not_exist_yet(hook: SeldonHook) -> None:
    operator = sensor(deferrable=True, name=None, model_name="iris", timeout=0.3)
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute(context())
    with pytest.raises(AirflowSensorTimeout, match="no deployment matches"):
        run_deferred(operator, deferred.value)


def test_deferred_a_failure_is_explained(hook: SeldonHook) -> None:
    deploy(hook, "crash")
    operator = sensor(deferrable=True, failure_policy={"crash_loop_count": 2, "suspect_after": 0.5})
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute(context())
    with pytest.raises(AirflowFailException, match="exit code 1"):
        run_deferred(operator, deferred.value)


def test_the_framework_waits_longer_than_we_do(hook: SeldonHook) -> None:
    """Airflow's own time limit does not call the operator's code, so ours must come first."""
    deploy(hook, "never-ready")
    with pytest.raises(TaskDeferred) as deferred:
        sensor(deferrable=True, timeout=20).execute(context())
    assert deferred.value.timeout.total_seconds() > 20


def test_it_can_start_in_the_triggerer() -> None:
    operator = sensor(deferrable=True, start_from_trigger=True, name="{{ params.name }}", timeout=30)
    assert operator.start_from_trigger is True
    arguments = operator.start_trigger_args
    assert arguments.trigger_kwargs["timeout"] == 30
    module, _, name = arguments.trigger_cls.rpartition(".")
    trigger = getattr(__import__(module, fromlist=[name]), name)(**arguments.trigger_kwargs)
    assert trigger.name == "{{ params.name }}", (
        "a template field is an attribute of the trigger, so it is rendered there"
    )
