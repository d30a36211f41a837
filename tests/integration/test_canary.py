"""A canary on local Seldon Core: promoted, aborted, held, killed, superseded; the running version keeps serving."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException, TaskDeferred

from airflow_provider_seldon.analysis import Analysis, FunctionMetric, Shadow
from airflow_provider_seldon.core.canary.lease import ANNOTATION_CANARY, Lease, Stage
from airflow_provider_seldon.core.identity.annotations import ANNOTATION_REVISION
from airflow_provider_seldon.core.readiness.expectation import Expectation
from airflow_provider_seldon.core.readiness.outcome import Ending
from airflow_provider_seldon.core.rollout.history import ProvenVersion, proven_versions
from airflow_provider_seldon.delivery.canary.abort import ABORTED, wait_out
from airflow_provider_seldon.delivery.rollout.handoff import Rollout
from airflow_provider_seldon.exceptions import (
    CanaryAbortedError,
    InvalidModelServerError,
    ReplacedError,
    ServerUnavailableError,
)
from airflow_provider_seldon.hooks.seldon import SeldonHook
from airflow_provider_seldon.operators.canary import (
    SeldonAbortCanaryOperator,
    SeldonCanaryOperator,
    SeldonPromoteCanaryOperator,
)
from airflow_provider_seldon.operators.deploy import SeldonDeployModelOperator
from tests.clusters import patience
from tests.clusters.misbehaviour import behaving
from tests.integration.conftest import context
from tests.integration.crash_cases import Probe
from tests.integration.task_thread import task_thread

#: A function that is asked for numbers, and pods that are there in a moment.
pytestmark = pytest.mark.simulated_pods("dozens of rollouts")

SERVED = {"model_name": "iris", "implementation": "SKLEARN_SERVER", "model_uri": "s3://models/iris/1"}
CANDIDATE = {**SERVED, "model_uri": "s3://models/iris/2"}
POLICY = {"suspect_after": 0.2, "crash_loop_count": 1}
MONDAY, TUESDAY = datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 1, 6, tzinfo=UTC)


def share_of_errors(*, predictor: str, **where: Any) -> float:
    return 0.002


def many_errors_beyond_a_tenth(*, predictor: str, deployment: str, namespace: str, window: float) -> float:
    """A candidate that errs where it gets more than a tenth of the traffic."""
    stored = SeldonHook(namespace=namespace).client.get(deployment)
    lease = Lease.of(stored)
    return 0.07 if predictor == "canary" and lease and lease.current.weight > 10 else 0.004


def limits(function: Callable[..., float | None] = share_of_errors) -> Analysis:
    return Analysis(metrics=[FunctionMetric(function, label="errors", at_most=0.01, at_most_delta=0.01)])


def operator(kind: type = SeldonCanaryOperator, **arguments: Any) -> Any:
    defaults: dict[str, Any] = {"task_id": "deploy", "timeout": patience(30), "deferrable": False}
    if kind is SeldonCanaryOperator:
        defaults |= {**CANDIDATE, "steps": [5, 25], "bake": 0.2, "analysis": limits()}
    if issubclass(kind, SeldonDeployModelOperator):
        defaults["failure_policy"] = POLICY
    return kind(**{**defaults, **arguments})


def run(task: Any, **of_task: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run a task through, deferred or not; return its result and what it has pushed."""
    given = context(**of_task)
    return attempt(task, given), given["ti"].pushed


def attempt(task: Any, given: Any) -> Any:
    step: Callable[[], Any] = lambda: task.execute(given)  # noqa: E731
    while True:
        try:
            return step()
        except TaskDeferred as deferral:
            event = asyncio.run(event_of(deferral.trigger))
            resume = getattr(task, deferral.method_name)
            step = lambda resume=resume, event=event: resume(given, event)  # noqa: E731


async def event_of(trigger: Any) -> Any:
    """What a triggerer gets of a trigger that went through the database."""
    path, arguments = trigger.serialize()
    assert path == f"{type(trigger).__module__}.{type(trigger).__qualname__}"
    event = await anext(type(trigger)(**json.loads(json.dumps(arguments))).run())
    return json.loads(json.dumps(event.payload))


@pytest.fixture
def served(hook: SeldonHook, local_seldon: Any) -> Iterator[str]:
    """The name of a deployment that serves, and answers all the time."""
    result, _ = run(operator(SeldonDeployModelOperator, **SERVED), run_id="before", logical_date=MONDAY)
    name = result["name"]
    url = f"{local_seldon.gateway_url}/seldon/{hook.namespace}/{name}/api/v1.0/predictions"
    with Probe(url) as probe:
        yield name
        deadline = time.monotonic() + patience(10)
        while not probe.asked and time.monotonic() < deadline:
            time.sleep(0.05)
    assert probe.failed == set()
    assert probe.asked > 0


def predictors(hook: SeldonHook, name: str) -> dict[str, Any]:
    spec = hook.client.get(name).to_manifest()["spec"]
    return {one["name"]: (one["graph"]["modelUri"][-1], one.get("traffic")) for one in spec["predictors"]}


def writes_of_ours(local_seldon: Any) -> list[Any]:
    """The writes of this provider that the API server has stored."""
    return [
        one
        for one in local_seldon.requests.entries()
        if one.method == "PATCH" and one.status == 200 and one.user_agent.startswith("airflow-provider")
    ]


def assert_serves(hook: SeldonHook, name: str, version: str) -> None:
    """That one version serves alone, is the proven one, and no canary is left."""
    stored = hook.client.get(name)
    assert [uri for uri, _ in predictors(hook, name).values()] == [version]
    assert ANNOTATION_CANARY not in stored.annotations
    last = ProvenVersion.last_of(stored)
    assert last is not None
    assert last.revision == stored.annotations[ANNOTATION_REVISION]
    assert f"/iris/{version}" in json.dumps(hook.predict(name, [[1.0]]))
    assert len(hook.client.children(name)) == 1


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_good_candidate_goes_through_all_steps_and_replaces_the_running_version(
    hook: SeldonHook, served: str, deferrable: bool
) -> None:
    result, _ = run(operator(deferrable=deferrable, steps=[Shadow(bake=0.1), 5, 25]), logical_date=TUESDAY)
    assert (result["action"], result["name"]) == ("updated", served)
    assert result["canary"]["outcome"] == "promoted"
    assert [(one["step"], one["grade"]) for one in result["canary"]["steps"]] == [
        ("shadow of 100 %", "pass"),
        ("5 %", "pass"),
        ("25 %", "pass"),
    ]
    assert_serves(hook, served, "2")
    assert [one.config["model_uri"][-1] for one in proven_versions(hook.client.get(served))] == ["2", "1"]


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_bad_candidate_is_aborted_and_the_error_says_the_numbers_and_the_running_version(
    hook: SeldonHook, served: str, local_seldon: Any, deferrable: bool
) -> None:
    before = hook.client.get(served)
    local_seldon.requests.clear()
    task = operator(deferrable=deferrable, analysis=limits(many_errors_beyond_a_tenth))
    given = context(logical_date=TUESDAY)
    with pytest.raises(CanaryAbortedError) as aborted:
        attempt(task, given)
    text = str(aborted.value)
    assert "aborted at 25 %" in text
    assert "errors: fail (0.07 is more than 0.01)" in text
    assert f"Revision {before.annotations[ANNOTATION_REVISION]}, the previous version, has all" in text
    told = given["ti"].pushed["canary"]
    assert told["outcome"] == "aborted"
    assert [one["grade"] for one in told["steps"]] == ["pass", "fail"]
    # Two for each step, and one for the abort.
    assert len(writes_of_ours(local_seldon)) == 2 * 2 + 1
    assert_serves(hook, served, "1")


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_candidate_that_crashes_is_aborted_and_gets_no_traffic(
    hook: SeldonHook, served: str, deferrable: bool
) -> None:
    task = operator(deferrable=deferrable, model_server=behaving("crash"))
    with pytest.raises(CanaryAbortedError, match=r"at 5 %: it did not become ready") as aborted:
        run(task, logical_date=TUESDAY)
    assert "has all of the traffic again" in str(aborted.value)
    assert_serves(hook, served, "1")


def test_a_candidate_that_crashes_while_it_bakes_and_is_ready_again_is_aborted(
    hook: SeldonHook, served: str
) -> None:
    task = operator(
        steps=[Shadow(bake=2.5)],
        model_server=behaving("crash-after:2"),
        failure_policy={**POLICY, "settle": 0.2, "crash_loop_count": 20},
    )
    with pytest.raises(CanaryAbortedError, match=r"crashed: container \S+ of pod \S+ ended with exit code 1"):
        run(task, logical_date=TUESDAY)
    assert_serves(hook, served, "1")


def test_the_first_deploy_and_an_unchanged_version_are_those_of_the_plain_operator(hook: SeldonHook) -> None:
    first, _ = run(operator())
    assert (first["action"], "canary" in first) == ("created", False)
    again, _ = run(operator(), run_id="run-2", logical_date=TUESDAY)
    assert (again["action"], "canary" in again) == ("unchanged", False)


def test_a_negative_decision_keeps_the_running_version(hook: SeldonHook, served: str) -> None:
    kept, _ = run(operator(deploy_decision=False), logical_date=TUESDAY)
    assert kept["action"] == "reused"
    assert_serves(hook, served, "1")


def test_a_held_canary_stays_at_its_weight_until_it_is_promoted(hook: SeldonHook, served: str) -> None:
    held, _ = run(operator(hold_at=5), logical_date=TUESDAY, map_index=0)
    assert (held["action"], held["canary"]["outcome"]) == ("held", "held")
    # Nor does another mapped task of the same run replace it.
    with pytest.raises(InvalidModelServerError, match=r"mapped task 0 of this run"):
        run(operator(model_uri="s3://models/iris/3"), logical_date=TUESDAY, map_index=1)
    assert predictors(hook, served) == {"default": ("1", 95), "canary": ("2", 5)}
    again, _ = run(operator(hold_at=5), logical_date=TUESDAY, map_index=0, try_number=2)
    assert again["action"] == "held"
    for action in ("updated", "unchanged"):
        promoted, _ = run(operator(SeldonPromoteCanaryOperator, name=served), logical_date=TUESDAY)
        assert promoted["action"] == action
        assert_serves(hook, served, "2")


def test_a_held_canary_is_aborted_once_and_only_by_its_own_run(hook: SeldonHook, served: str) -> None:
    """Also where another DAG has deployed what serves."""
    run(operator(hold_at=5, name=served), logical_date=TUESDAY, dag_id="canaries")
    strange, _ = run(operator(SeldonAbortCanaryOperator, name=served), run_id="another")
    assert strange == {"aborted": []}
    for aborted in ([served], []):
        result, _ = run(operator(SeldonAbortCanaryOperator, model_name="iris"), dag_id="canaries")
        assert result == {"aborted": aborted}
        assert_serves(hook, served, "1")


def test_a_retry_continues_where_the_lease_says_and_repeats_no_step(
    hook: SeldonHook, served: str, local_seldon: Any
) -> None:
    looks: list[float] = []

    def dies_at_the_second_step(*, window: float, **where: Any) -> float:
        looks.append(window)
        return share_of_errors(**where) if len(looks) <= 2 else interrupted()

    with pytest.raises(KeyboardInterrupt):
        run(operator(analysis=limits(dies_at_the_second_step)), logical_date=TUESDAY)
    lease = Lease.of(hook.client.get(served))
    assert lease is not None
    assert (lease.step, lease.stage) == (1, Stage.STEPPING)
    local_seldon.requests.clear()
    result, _ = run(operator(), logical_date=TUESDAY, try_number=2)
    assert [one["step"] for one in result["canary"]["steps"]] == ["5 %", "25 %"]
    writes = writes_of_ours(local_seldon)
    # Promote, finish, record the proof: neither the step's weights nor its baking are written again.
    assert len(writes) == 3, writes
    assert_serves(hook, served, "2")


def test_a_canary_writes_at_most_twice_for_each_step(
    hook: SeldonHook, served: str, local_seldon: Any
) -> None:
    local_seldon.requests.clear()
    run(operator(steps=[5, 25, 50]), logical_date=TUESDAY)
    writes = writes_of_ours(local_seldon)
    # Two for each step; promote, finish, record the proof.
    assert len(writes) == 2 * 3 + 3, writes


def test_a_newer_run_supersedes_a_canary_and_an_older_one_is_skipped(hook: SeldonHook, served: str) -> None:
    run(operator(hold_at=5), run_id="tuesday", logical_date=TUESDAY)
    older = operator(model_uri="s3://models/iris/0")
    with pytest.raises(AirflowSkipException):
        run(older, run_id="monday", logical_date=MONDAY)
    plain = operator(SeldonDeployModelOperator, **{**SERVED, "model_uri": "s3://models/iris/0"})
    with pytest.raises(AirflowSkipException):
        run(plain, run_id="monday", logical_date=MONDAY)
    assert predictors(hook, served)["canary"] == ("2", 5)
    wednesday = datetime(2026, 1, 7, tzinfo=UTC)
    newer = operator(model_uri="s3://models/iris/3", hold_at=25, steps=[25])
    run(newer, run_id="wednesday", logical_date=wednesday)
    beside = {"default": ("1", 75), "canary": ("3", 25)}
    assert predictors(hook, served) == beside
    # The approval of Tuesday's run was for version 2.
    with pytest.raises(AirflowSkipException, match="any_run=True"):
        run(operator(SeldonPromoteCanaryOperator, name=served), run_id="tuesday")
    assert predictors(hook, served) == beside
    by_anybody = operator(SeldonPromoteCanaryOperator, name=served, any_run=True)
    assert run(by_anybody, run_id="by-hand")[0]["action"] == "updated"
    assert_serves(hook, served, "3")


@pytest.mark.parametrize("run_id", ["wednesday", "run-1"])
def test_a_canary_that_is_superseded_while_it_bakes_ends_and_does_not_change_the_other(
    hook: SeldonHook, served: str, run_id: str
) -> None:
    """Another task of the same run is another one, too."""

    def overtaken(**where: Any) -> float:
        newer = operator(model_uri="s3://models/iris/3", hold_at=25, steps=[25], analysis=None)
        wednesday = datetime(2026, 1, 7, tzinfo=UTC)
        other = task_thread(lambda: run(newer, run_id=run_id, logical_date=wednesday))
        other.start()
        other.join()
        return 0.0

    with pytest.raises(ReplacedError):
        run(operator(analysis=limits(overtaken)), logical_date=TUESDAY)
    assert predictors(hook, served) == {"default": ("1", 75), "canary": ("3", 25)}
    another_dag = operator(SeldonAbortCanaryOperator, name=served)
    assert run(another_dag, run_id=run_id, dag_id="another")[0] == {"aborted": []}
    assert run(operator(SeldonAbortCanaryOperator, name=served), run_id=run_id)[0] == {"aborted": [served]}


def test_an_error_aborts_and_so_does_the_user_who_ends_the_task(hook: SeldonHook, served: str) -> None:
    def away(*given: Any, **named: Any) -> Any:
        raise ServerUnavailableError("gone", status=503)

    task = operator()
    task._lead = lambda canary: broken(SeldonCanaryOperator._lead(task, canary), away)
    with pytest.raises(ServerUnavailableError):
        run(task, logical_date=TUESDAY)
    assert_settles(hook, served)
    # Neither must an error before anybody leads it leave the candidate there.
    task = operator()
    task._lead = away
    with pytest.raises(ServerUnavailableError):
        run(task, run_id="unled", logical_date=TUESDAY)
    assert_settles(hook, served)
    held = operator(steps=[5], bake=600)
    held._lead = lambda canary: broken(SeldonCanaryOperator._lead(held, canary), interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(held, run_id="ended", logical_date=TUESDAY)
    assert "canary" in predictors(hook, served)
    held.on_kill()
    assert_settles(hook, served)


def broken(leader: Any, how: Callable[..., Any]) -> Any:
    leader.pause = how
    return leader


def interrupted(*given: Any, **named: Any) -> Any:
    raise KeyboardInterrupt


def assert_settles(hook: SeldonHook, name: str) -> None:
    """That what was aborted, and not waited for, ends with the previous version."""
    expected = dataclasses.replace(Expectation.of(hook.client.get(name)), settle=True)
    hook.wait_for(name, expected=expected, deadline=time.time() + patience(30))
    deadline = time.monotonic() + patience(30)
    while len(hook.client.children(name)) > 1 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert_serves(hook, name, "1")


def test_skip_analysis_only_bakes_and_what_is_promoted_is_waited_for_in_any_case(
    hook: SeldonHook, served: str
) -> None:
    limited = limits(many_errors_beyond_a_tenth)
    # In an emergency, Prometheus may be what is broken.
    task = operator(analysis=limited, skip_analysis="True", prometheus_conn_id="nowhere")
    task.wait_for_available = False
    result, _ = run(task, logical_date=TUESDAY)
    assert result["canary"]["outcome"] == "promoted"
    assert_serves(hook, served, "2")


def test_a_candidate_with_another_protocol_is_refused_before_anything_is_written(
    hook: SeldonHook, served: str
) -> None:
    with pytest.raises(InvalidModelServerError, match=r"spec\.protocol"):
        run(operator(protocol="v2"), logical_date=TUESDAY)
    assert_serves(hook, served, "1")


@pytest.mark.own_operator("a Deployment is made in its name")
def test_an_abort_ends_and_reports_a_candidate_that_the_operator_never_removes(hook: SeldonHook) -> None:
    """What the operator has made, and not listed in its status before it was dropped, it leaves behind for ever."""
    result, _ = run(operator(SeldonDeployModelOperator, **SERVED), logical_date=MONDAY)
    current = hook.client.get(result["name"])
    name, labels = f"{current.name}-canary-0-classifier", {"seldon-deployment-id": current.name}
    owner = {"apiVersion": "machinelearning.seldon.io/v1", "kind": "SeldonDeployment", "controller": True}
    container = {"name": "classifier", "image": "server:1"}
    left = {
        "metadata": {
            "name": name,
            "labels": labels,
            "ownerReferences": [owner | {"name": current.name, "uid": current.uid}],
        },
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}},
        },
    }
    path = f"/apis/apps/v1/namespaces/{hook.namespace}/deployments"
    hook.client._transport.request("POST", path, body={"apiVersion": "apps/v1", "kind": "Deployment"} | left)
    expected = Expectation.of(current)
    back = Rollout(
        name=current.name,
        action=ABORTED,
        reason="",
        info=hook.target.info(current, action=ABORTED),
        expected=expected,
    )
    outcome = wait_out(hook.target, back, deadline=time.time() + patience(5))
    assert (outcome.ending, f"{name} is still there" in outcome.weaker) == (Ending.READY, True)
