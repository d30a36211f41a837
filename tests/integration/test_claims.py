"""What a deployment says of itself is not the cluster: nothing is green by an annotation or a status alone."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException, TaskDeferred

from airflow_provider_seldon.exceptions import (
    ConflictError,
    DeletedError,
    ReplacedError,
    RolloutFailedError,
    RolloutTimeoutError,
)
from airflow_provider_seldon.hooks.seldon import SeldonHook
from airflow_provider_seldon.kube.requests.client import SeldonClient
from airflow_provider_seldon.kube.requests.transport import MERGE
from tests.clusters import patience
from tests.integration.conftest import context, scale_by_kubectl
from tests.integration.test_deploy_operator import deploy, operator, requests_of_ours
from tests.integration.test_kill_and_time import _first_event

EDITED = "s3://models/somebody/else"
ROWS = [[5.1, 3.5, 1.4, 0.2]]


@pytest.fixture
def operator_down(hook: SeldonHook, local_seldon: Any) -> Iterator[Callable[[], None]]:
    """Stop the operator when called; it is back at the end."""
    yield local_seldon.pause_operator
    local_seldon.resume_operator()


def path(hook: SeldonHook, name: str) -> str:
    return f"/apis/machinelearning.seldon.io/v1/namespaces/{hook.namespace}/seldondeployments/{name}"


def edit(hook: SeldonHook, name: str, change: Callable[[dict[str, Any]], Any]) -> None:
    """Do what ``kubectl edit`` does."""
    stored = hook.client.get(name).to_manifest()
    change(stored)
    body = {"spec": stored["spec"], "metadata": {"labels": stored["metadata"]["labels"]}}
    query = {"fieldManager": "kubectl-edit"}
    hook.client._transport.request("PATCH", path(hook, name), query=query, body=body, content_type=MERGE)


def set_uri(manifest: dict[str, Any]) -> None:
    manifest["spec"]["predictors"][0]["graph"]["modelUri"] = EDITED


def served(hook: SeldonHook, name: str) -> str:
    """What the children load."""
    return json.dumps(hook.client.children(name))


def child_path(hook: SeldonHook, name: str) -> str:
    (child,) = hook.client.children(name)
    return f"/apis/apps/v1/namespaces/{hook.namespace}/deployments/{child['metadata']['name']}"


def scale_child(hook: SeldonHook, name: str) -> None:
    hook.client._transport.request(
        "PATCH", child_path(hook, name), body={"spec": {"replicas": 0}}, content_type=MERGE
    )


def delete_child(hook: SeldonHook, name: str) -> None:
    hook.client._transport.request("DELETE", child_path(hook, name))


@pytest.mark.simulated_pods("the model is made up")
def test_an_edit_by_hand_is_undone_and_waited_for(hook: SeldonHook) -> None:
    name = deploy()["name"]
    edit(hook, name, set_uri)
    deadline = time.monotonic() + patience(20)
    while EDITED not in served(hook, name):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    again = deploy({"run_id": "run-2"})
    assert (again["action"], again["model_uri"], again["state"]) == (
        "updated",
        "s3://models/iris/1",
        "Available",
    )
    assert EDITED not in served(hook, name)
    assert deploy({"run_id": "run-3"})["action"] == "unchanged"


@pytest.mark.own_operator("it pauses")
def test_a_restored_version_is_not_ready_by_the_pods_of_the_edited_one(
    hook: SeldonHook, operator_down: Callable[[], None]
) -> None:
    name = deploy()["name"]
    edit(hook, name, set_uri)
    deadline = time.monotonic() + patience(20)
    while EDITED not in served(hook, name) or hook.client.get(name).state.value != "Available":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    operator_down()
    with pytest.raises(RolloutTimeoutError):
        deploy(timeout=2)


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: manifest["metadata"]["labels"].pop("team"),
        lambda manifest: manifest["metadata"]["labels"].update(team="b"),
        lambda manifest: manifest["spec"]["predictors"][0].update(labels={"x": "y"}),
        lambda manifest: manifest["spec"].update(protocol="v2"),
    ],
    ids=["a label is gone", "a label is another", "something is added to a predictor", "another protocol"],
)
def test_metadata_and_additions_count_as_well(hook: SeldonHook, change: Callable[[Any], Any]) -> None:
    wanted = {"model_server": {"labels": {"team": "a"}}}
    name = deploy(**wanted)["name"]
    before = hook.client.get(name).to_manifest()

    def changed(manifest: dict[str, Any]) -> None:
        change(manifest)
        manifest["metadata"]["labels"].setdefault("team", None)

    edit(hook, name, changed)
    assert deploy({"run_id": "run-2"}, **wanted)["action"] == "updated"
    after = hook.client.get(name).to_manifest()
    said = {"protocol": "seldon"}  # it has to be said to be restored
    assert said | after["spec"] == said | before["spec"]
    assert after["metadata"]["labels"] == before["metadata"]["labels"]


def test_what_others_apply_is_not_fought_over(hook: SeldonHook) -> None:
    name = deploy()["name"]
    other = SeldonClient(hook.api_client, namespace=hook.namespace, field_manager="gitops")
    changed = hook.client.get(name).to_manifest()
    set_uri(changed)
    from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment

    other.apply(SeldonDeployment.from_manifest(changed), force=True)
    with pytest.raises(ConflictError, match="gitops"):
        deploy()


def test_a_number_of_pods_that_kubectl_scale_has_set_is_no_difference(hook: SeldonHook) -> None:
    name = deploy()["name"]
    scale_by_kubectl(hook, name, 2)
    assert deploy()["action"] == "unchanged"
    spec = hook.client.get(name).spec
    assert spec is not None
    assert spec.replicas == 2


def test_a_late_older_run_does_not_replace_what_a_newer_one_found_unchanged(
    hook: SeldonHook, local_seldon: Any
) -> None:
    days = [
        {"run_id": f"scheduled__{day}", "logical_date": datetime(2026, 1, day, tzinfo=UTC)}
        for day in (5, 6, 7, 8)
    ]
    name = deploy(days[0])["name"]
    generation = hook.client.get(name).to_manifest()["metadata"]["generation"]
    assert deploy(days[2])["action"] == "unchanged"
    assert hook.client.get(name).to_manifest()["metadata"]["generation"] == generation
    local_seldon.requests.clear()
    assert deploy(days[2])["action"] == "unchanged"
    assert requests_of_ours(local_seldon) == ["list seldondeployments", "list deployments"]
    with pytest.raises(AirflowSkipException, match="newer run"):
        deploy(days[1], model_uri="s3://models/iris/2")
    assert deploy(days[3], model_uri="s3://models/iris/2")["action"] == "updated"
    assert (
        deploy(days[3] | {"run_id": "scheduled__9"}, model_uri="s3://models/iris/2")["action"] == "unchanged"
    )
    with pytest.raises(AirflowSkipException, match="newer run"):
        deploy(days[2])
    # One that has nothing to write is not stale, and the place of the newest run stays.
    assert deploy(days[0], model_uri="s3://models/iris/2")["action"] == "unchanged"
    with pytest.raises(AirflowSkipException, match="newer run"):
        deploy(days[3], model_uri="s3://models/iris/1")


@pytest.mark.own_operator("it pauses")
@pytest.mark.parametrize("harm", [scale_child, delete_child])
@pytest.mark.parametrize("decision", [True, False])
def test_nothing_that_serves_no_more_is_unchanged_or_reused(
    hook: SeldonHook, operator_down: Callable[[], None], harm: Callable[..., None], decision: bool
) -> None:
    name = deploy()["name"]
    operator_down()
    harm(hook, name)
    with pytest.raises(RolloutTimeoutError, match="did not become ready in time"):
        deploy({"run_id": "run-2"}, deploy_decision=decision, timeout=1)


@pytest.mark.own_operator("it pauses")
@pytest.mark.parametrize(("decision", "action"), [(True, "unchanged"), (False, "reused")])
def test_what_does_not_serve_at_the_moment_is_waited_for(
    hook: SeldonHook, local_seldon: Any, operator_down: Callable[[], None], decision: bool, action: str
) -> None:
    name = deploy()["name"]
    operator_down()
    delete_child(hook, name)
    task = operator(deploy_decision=decision, deferrable=True)
    with pytest.raises(TaskDeferred) as deferred:
        task.execute(context(run_id="run-2"))
    local_seldon.resume_operator()
    event = asyncio.run(_first_event(deferred.value.trigger))
    result = operator(deploy_decision=decision).execute_complete(context(run_id="run-2"), event)
    assert (result["action"], result["state"]) == (action, "Available")
    assert hook.client.children(name)


@pytest.mark.own_operator("it pauses")
def test_a_newer_run_skips_one_that_waits_for_what_it_found_unchanged(
    hook: SeldonHook, local_seldon: Any, operator_down: Callable[[], None]
) -> None:
    name = deploy()["name"]
    operator_down()
    delete_child(hook, name)
    with pytest.raises(TaskDeferred) as deferred:
        operator(deferrable=True).execute(context(run_id="run-2"))
    local_seldon.resume_operator()
    event = asyncio.run(_first_event(deferred.value.trigger))
    deploy({"run_id": "run-3"}, model_uri="s3://models/iris/2")
    with pytest.raises(AirflowSkipException, match="run-3"):
        operator().execute_complete(context(run_id="run-2"), event)


def test_a_decision_to_keep_looks_as_well_and_writes_nothing(hook: SeldonHook, local_seldon: Any) -> None:
    deploy()
    local_seldon.requests.clear()
    assert deploy(deploy_decision=False)["action"] == "reused"
    assert requests_of_ours(local_seldon) == ["list seldondeployments", "list deployments"]


def event_of_a_deferred_deploy(**arguments: Any) -> Any:
    """Return what the triggerer says when a deploy serves, and the task has not resumed yet."""
    with pytest.raises(TaskDeferred) as deferred:
        operator(deferrable=True, **arguments).execute(context())
    event = asyncio.run(_first_event(deferred.value.trigger))
    assert event["ending"] == "ready"
    return event


def test_a_task_that_resumes_after_a_deletion_is_not_green(hook: SeldonHook) -> None:
    event = event_of_a_deferred_deploy()
    hook.delete_model_server(event["name"], timeout=patience(30))
    with pytest.raises(DeletedError):
        operator().execute_complete(context(), event)


def test_a_task_that_resumes_while_it_is_deleted_is_not_green(hook: SeldonHook) -> None:
    event = event_of_a_deferred_deploy()
    body = {"metadata": {"finalizers": ["example.com/hold"]}}
    hook.client._transport.request("PATCH", path(hook, event["name"]), body=body, content_type=MERGE)
    hook.client.delete(event["name"])
    try:
        with pytest.raises(DeletedError):
            operator().execute_complete(context(), event)
    finally:
        body = {"metadata": {"finalizers": None}}
        hook.client._transport.request("PATCH", path(hook, event["name"]), body=body, content_type=MERGE)


@pytest.mark.own_operator("it pauses")
def test_a_task_that_resumes_when_it_serves_no_more_is_not_green(
    hook: SeldonHook, operator_down: Callable[[], None]
) -> None:
    event = event_of_a_deferred_deploy()
    operator_down()
    delete_child(hook, event["name"])
    with pytest.raises(RolloutTimeoutError):
        operator(timeout=1).execute_complete(context(), event)


@pytest.mark.parametrize("change", [set_uri, lambda manifest: manifest["spec"].update(protocol="v2")])
def test_a_task_that_resumes_after_an_edit_is_not_green(
    hook: SeldonHook, change: Callable[[dict[str, Any]], Any]
) -> None:
    event = event_of_a_deferred_deploy()
    edit(hook, event["name"], change)
    with pytest.raises(ReplacedError):
        operator().execute_complete(context(), event)


def test_what_is_deployed_again_before_the_proof_is_written_is_not_proven(hook: SeldonHook) -> None:
    """The window between the last look and the proof: a smoke test may take a while."""
    event = event_of_a_deferred_deploy()
    from airflow_provider_seldon.delivery.rollout.handoff import Rollout

    rollout = Rollout.from_json(event["handoff"])
    deploy({"run_id": "run-2"}, model_uri="s3://models/iris/2")
    with pytest.raises(ReplacedError, match="run-2"):
        hook.complete(rollout)
    hook.delete_model_server(event["name"], timeout=patience(30))
    with pytest.raises(DeletedError):
        hook.complete(rollout)


@pytest.mark.simulated_pods("the answers are simulated")
def test_an_unchanged_version_gets_the_smoke_test(hook: SeldonHook) -> None:
    right = {"data": ROWS, "expected": [[0.25, 0.75]]}
    first = deploy()
    assert deploy(smoke_test=right)["action"] == "unchanged"
    with pytest.raises(RolloutFailedError, match="SmokeTestFailed"):
        deploy(smoke_test={"data": ROWS, "expected": [[1.0, 0.0]]})
    assert hook.client.get(first["name"]).state.value == "Available"


def test_a_rollout_succeeds_where_the_operator_looks_for_a_service_in_vain(hook: SeldonHook) -> None:
    name = deploy()["name"]
    gone = f"{name}-canary-classifier"
    # As after a write between the operator's removal of a Service and its write of the status.
    body = {"status": {"serviceStatus": {gone: {"svcName": gone}}}}
    hook.client._transport.request("PATCH", f"{path(hook, name)}/status", body=body, content_type=MERGE)
    updated = deploy(model_uri="s3://models/iris/2")
    assert (updated["action"], updated["state"]) == ("updated", "Failed")
    assert f"looks for Service {gone}, which it has removed" in updated["weaker"]
    assert "s3://models/iris/2" in served(hook, name)
    # The documented remedy: the operator removes such a Service, and its record of it.
    service = {"metadata": {"name": gone}, "spec": {"ports": [{"port": 80}]}}
    services = f"/api/v1/namespaces/{hook.namespace}/services"
    hook.client._transport.request("POST", services, body={"apiVersion": "v1", "kind": "Service", **service})
    assert deploy(model_uri="s3://models/iris/3")["state"] == "Available"
