"""Stopping, starting and scaling model servers."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred

from airflow_provider_seldon.core.identity.annotations import ANNOTATION_CONFIG, ANNOTATION_MODEL_NAME
from airflow_provider_seldon.core.resource.seldon_deployment import API_VERSION, KIND, SeldonDeployment
from airflow_provider_seldon.core.rollout.history import ProvenVersion
from airflow_provider_seldon.exceptions import (
    ConflictError,
    DeploymentNotFoundError,
    InvalidModelServerError,
    NotManagedError,
    ReplacedError,
    RolloutFailedError,
)
from airflow_provider_seldon.hooks.seldon import SeldonHook
from airflow_provider_seldon.kube.requests.client import SeldonClient
from airflow_provider_seldon.operators.scale import SeldonScaleModelOperator
from tests.clusters import patience
from tests.clusters.misbehaviour import behaving
from tests.integration.conftest import context, scale_by_kubectl
from tests.integration.task_process import event_of
from tests.integration.test_claims import edit, set_uri
from tests.integration.test_deploy_operator import deploy, operator, requests_of_ours

MANIFEST = {"apiVersion": API_VERSION, "kind": KIND}


def scale(name: str, replicas: int | str, **arguments: Any) -> dict[str, Any]:
    task = SeldonScaleModelOperator(
        task_id="scale", name=name, replicas=replicas, timeout=patience(30), deferrable=False, **arguments
    )
    return task.execute(context(task_id="scale"))


def pods(hook: SeldonHook, name: str) -> int:
    return sum((child["status"] or {}).get("availableReplicas", 0) for child in hook.client.children(name))


def test_a_model_server_is_stopped_and_started_again(hook: SeldonHook) -> None:
    first = deploy(replicas=2)
    name = first["name"]
    stopped = scale(name, 0)
    assert stopped["action"] == "scaled"
    assert pods(hook, name) == 0
    started = scale(name, "configured")
    assert (started["state"], started["revision"]) == ("Available", first["revision"])
    assert pods(hook, name) == 2
    assert hook.predict(name, [[1.0]])


def test_it_is_scaled_to_a_number_that_a_template_gives(hook: SeldonHook) -> None:
    name = deploy()["name"]
    assert scale(name, "3")["state"] == "Available"
    assert pods(hook, name) == 3
    assert deploy()["action"] == "updated"
    assert pods(hook, name) == 1


def test_a_deploy_that_is_scaled_to_zero_during_its_wait_has_proven_nothing(
    hook: SeldonHook,
) -> None:
    deploy(name="iris")
    second = operator(
        name="iris",
        model_uri="s3://models/iris/2",
        model_server=behaving("never-ready"),
        deferrable=True,
    )
    with pytest.raises(TaskDeferred) as deferred:
        second.execute(context(run_id="run-2"))
    scale_by_kubectl(hook, "iris", 0)
    told = asyncio.run(event_of(deferred.value.trigger))
    with pytest.raises(ReplacedError, match="scaled iris to zero before it was ready"):
        second.execute_complete(context(run_id="run-2"), told)
    proven = ProvenVersion.last_of(hook.client.get("iris"))
    assert proven is not None
    assert proven.config["model_uri"] == "s3://models/iris/1"


def test_scaling_to_what_it_has_writes_nothing(hook: SeldonHook, local_seldon: Any) -> None:
    name = deploy()["name"]
    scale(name, 2)
    local_seldon.requests.clear()
    scale(name, 2)
    assert [one for one in requests_of_ours(local_seldon) if one.split()[0] in {"apply", "patch"}] == []


def looks_at_it(way: str, name: str) -> dict[str, Any]:
    """Have another task say that the model server is ready, which writes no version."""
    if way == "reuse":
        return deploy(deploy_decision=False, model_uri="s3://models/iris/2")
    return scale(name, "configured" if way == "scale to what it has" else 2)


WAYS = ("scale to what it has", "scale", "reuse")


@pytest.mark.parametrize("way", WAYS)
def test_a_version_that_a_task_has_seen_ready_is_not_deleted_by_the_deploy_that_fails(
    hook: SeldonHook, way: str
) -> None:
    first = operator(wait_for_available=False, on_failure="delete_if_created")
    name = first.execute(context())["name"]
    hook.wait_for(name, deadline=time.time() + patience(30))
    assert looks_at_it(way, name)["state"] == "Available"
    present = hook.client.get(name)
    proven = ProvenVersion.last_of(present)
    assert proven is not None
    assert proven.config["model_uri"] == "s3://models/iris/1"
    assert first._rollout is not None
    assert first.undo(first._rollout) is None
    assert hook.client.get(name).uid == present.uid


@pytest.mark.parametrize("way", WAYS)
def test_a_version_that_a_task_has_seen_ready_is_restored(hook: SeldonHook, way: str) -> None:
    name = deploy(wait_for_available=False)["name"]
    hook.wait_for(name, deadline=time.time() + patience(30))
    looks_at_it(way, name)
    with pytest.raises(RolloutFailedError):
        deploy(model_uri="s3://models/iris/2", on_failure="rollback", model_server=behaving("crash"))
    present = hook.client.get(name).to_manifest()
    assert present["spec"]["predictors"][0]["graph"]["modelUri"] == "s3://models/iris/1"


@pytest.mark.parametrize("way", ["scale to what it has", "reuse"])
def test_an_edited_deployment_is_not_recorded_as_the_version_in_its_annotations(
    hook: SeldonHook, way: str
) -> None:
    name = deploy(wait_for_available=False)["name"]
    edit(hook, name, set_uri)
    hook.wait_for(name, deadline=time.time() + patience(30))
    looks_at_it(way, name)
    assert ProvenVersion.last_of(hook.client.get(name)) is None


def test_stopping_a_model_server_proves_no_version(hook: SeldonHook) -> None:
    name = deploy(wait_for_available=False)["name"]
    scale(name, 0)
    assert ProvenVersion.last_of(hook.client.get(name)) is None


def test_a_number_that_was_not_given_can_be_scaled_and_stays_through_deploys(hook: SeldonHook) -> None:
    name = deploy()["name"]
    assert "replicas" not in hook.client.get(name).to_manifest()["spec"]["predictors"][0]
    scale_by_kubectl(hook, name, 3)
    assert deploy(model_uri="s3://models/iris/2")["state"] == "Available"
    assert pods(hook, name) == 3
    scale_by_kubectl(hook, name, 2)
    assert hook.roll_back(name).action == "rolled_back"
    assert hook.client.get(name).to_manifest()["spec"]["replicas"] == 2
    assert scale(name, "configured")["state"] == "Available"
    assert pods(hook, name) == 2


def test_scaling_takes_the_number_from_any_manager(hook: SeldonHook) -> None:
    name = deploy()["name"]
    scale_by_kubectl(hook, name, 2)
    assert scale(name, 3)["state"] == "Available"
    assert pods(hook, name) == 3
    scale_by_kubectl(hook, name, 1)
    assert deploy()["state"] == "Available"
    assert pods(hook, name) == 1


def test_what_an_autoscaler_decides_is_left_to_it(hook: SeldonHook) -> None:
    autoscaled = {"extra_args": {"hpaSpec": {"minReplicas": 1, "maxReplicas": 3}}}
    name = deploy(model_server=autoscaled)["name"]
    before = hook.client.get(name).to_manifest()["spec"]
    with pytest.raises(InvalidModelServerError, match="autoscaler"):
        scale(name, 2)
    assert hook.client.get(name).to_manifest()["spec"] == before


@pytest.mark.parametrize("replicas", [-1, "", "many", "1.5", None])
def test_what_is_no_number_of_pods_is_refused(hook: SeldonHook, local_seldon: Any, replicas: Any) -> None:
    local_seldon.requests.clear()
    with pytest.raises(InvalidModelServerError, match="whole number"):
        scale("iris", replicas)
    assert requests_of_ours(local_seldon) == []


def test_a_missing_or_foreign_deployment_is_not_scaled_nor_one_with_edited_annotations(
    hook: SeldonHook,
) -> None:
    with pytest.raises(DeploymentNotFoundError):
        scale("nothing", 1)
    name = deploy()["name"]
    for key, text in ((ANNOTATION_MODEL_NAME, "edited"), (ANNOTATION_CONFIG, "9" * 5000)):
        hook.client.annotate(name, {key: text})
        with pytest.raises(InvalidModelServerError, match="Nothing was scaled"):
            scale(name, 0)
    hook.client._transport.request(
        "PATCH",
        hook.client._path(name),
        body={"metadata": {"labels": {"app.kubernetes.io/managed-by": "someone"}}},
        content_type="application/merge-patch+json",
    )
    with pytest.raises(NotManagedError):
        scale(name, 0)


def test_a_deployment_that_another_client_scaled_to_zero_starts_with_its_configured_replicas(
    hook: SeldonHook,
) -> None:
    name = deploy()["name"]
    scale_by_kubectl(hook, name, 0)
    started = scale(name, "configured")
    assert started["state"] == "Available"
    assert pods(hook, name) == 1


@pytest.mark.parametrize("uri", ["s3://models/iris/1", "s3://models/iris/2"])
def test_a_deploy_over_what_another_client_has_scaled_to_zero_has_pods(hook: SeldonHook, uri: str) -> None:
    name = deploy()["name"]
    scale_by_kubectl(hook, name, 0)
    again = deploy(model_uri=uri)
    assert (again["action"], again["state"]) == ("updated", "Available")
    assert pods(hook, name) == 1
    assert deploy(model_uri=uri)["action"] == "unchanged"


def test_the_owner_of_zero_replicas_is_named(hook: SeldonHook) -> None:
    name = deploy()["name"]
    SeldonClient(hook.api_client, namespace=hook.namespace, field_manager="night-shift").apply(
        SeldonDeployment.from_manifest({**MANIFEST, "metadata": {"name": name}, "spec": {"replicas": 0}}),
        force=True,
    )
    with pytest.raises(ConflictError, match="night-shift"):
        deploy()
    assert deploy(force_conflicts=True)["state"] == "Available"
    assert pods(hook, name) == 1
