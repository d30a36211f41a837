"""The deploying task against Seldon Core on this machine: decisions, retries, failures."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException

from airflow_provider_seldon.core.identity.annotations import ANNOTATION_MODEL_URI, ANNOTATION_REVISION
from airflow_provider_seldon.exceptions import (
    ConflictError,
    ConnectionConfigError,
    DeployDecisionError,
    InvalidModelServerError,
    NotManagedError,
    RolloutFailedError,
    RolloutTimeoutError,
    StaleRunError,
)
from airflow_provider_seldon.hooks.seldon import SeldonHook
from airflow_provider_seldon.operators.deploy import SeldonDeployModelOperator
from airflow_provider_seldon.triggers.deferral import ANNOUNCED
from tests.clusters import patience
from tests.clusters.misbehaviour import behaving
from tests.integration.conftest import context

MONDAY, TUESDAY = datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 1, 6, tzinfo=UTC)


def operator(**arguments: Any) -> SeldonDeployModelOperator:
    defaults: dict[str, Any] = {
        "task_id": "deploy",
        "model_name": "iris",
        "model_uri": "s3://models/iris/1",
        "implementation": "SKLEARN_SERVER",
        "timeout": patience(30),
        "deferrable": False,
        "failure_policy": {"suspect_after": 0.2, "crash_loop_count": 1, "waiting": {"ImagePullBackOff": 0.5}},
    }
    return SeldonDeployModelOperator(**{**defaults, **arguments})


def deploy(task: dict[str, Any] | None = None, **arguments: Any) -> dict[str, Any]:
    return operator(**arguments).execute(context(**(task or {})))


def requests_of_ours(local_seldon: Any) -> list[str]:
    """The requests that this provider sent, the operator's own left out."""
    entries = local_seldon.requests.entries()
    return [f"{one.verb} {one.resource}" for one in entries if one.user_agent.startswith("airflow-provider")]


def test_the_first_deploy_creates_and_waits_until_it_serves(hook: SeldonHook) -> None:
    task = context()
    result = operator().execute(task)
    assert (result["action"], result["state"]) == ("created", "Available")
    assert result["model_uri"] == "s3://models/iris/1"
    assert result["prediction_url"].endswith(
        f"/seldon/{hook.namespace}/{result['name']}/api/v1.0/predictions"
    )
    assert result["revision"] == hook.client.get(result["name"]).annotations[ANNOTATION_REVISION]
    assert task["ti"].pushed == {key: result[key] for key in ANNOUNCED}


def test_a_new_version_replaces_in_place_so_the_url_stays(hook: SeldonHook) -> None:
    first = deploy()
    second = deploy(model_uri="s3://models/iris/2")
    assert (second["action"], second["prediction_url"]) == ("updated", first["prediction_url"])
    assert second["revision"] != first["revision"]
    assert [one.name for one in hook.client.find()] == [first["name"]]


def test_the_same_version_again_writes_nothing(hook: SeldonHook, local_seldon: Any) -> None:
    deploy()
    before = hook.client.find()[0].to_manifest()["metadata"]["resourceVersion"]
    local_seldon.requests.clear()
    assert deploy()["action"] == "unchanged"
    assert requests_of_ours(local_seldon) == ["list seldondeployments", "list deployments"]
    assert hook.client.find()[0].to_manifest()["metadata"]["resourceVersion"] == before


def test_a_negative_decision_keeps_the_running_version(hook: SeldonHook) -> None:
    first = deploy()
    kept = deploy(model_uri="s3://models/iris/worse", deploy_decision="False")
    assert (kept["action"], kept["model_uri"], kept["name"]) == (
        "reused",
        "s3://models/iris/1",
        first["name"],
    )


def test_a_negative_decision_with_nothing_there_deploys_all_the_same(hook: SeldonHook) -> None:
    assert deploy(deploy_decision=False)["action"] == "created"


def test_a_negative_decision_restarts_what_was_stopped_with_its_own_configuration(hook: SeldonHook) -> None:
    first = deploy()
    hook.stop(first["name"])
    again = deploy(model_uri="s3://models/iris/worse", deploy_decision=False)
    assert (again["action"], again["state"], again["model_uri"]) == (
        "restarted",
        "Available",
        "s3://models/iris/1",
    )


def test_without_replace_every_run_gets_its_own_deployment_and_a_retry_finds_it(hook: SeldonHook) -> None:
    one = deploy({"run_id": "a"}, replace=False)
    retried = deploy({"run_id": "a"}, replace=False)
    other = deploy({"run_id": "b"}, replace=False)
    assert retried["name"] == one["name"] != other["name"]
    assert len(hook.client.find()) == 2


def test_replacing_deletes_the_other_versions_only_after_the_new_one_serves(hook: SeldonHook) -> None:
    """The seed deleted the newest, first, and kept the others for ever."""
    old = deploy({"run_id": "a"}, replace=False)
    time.sleep(1.1)  # Kubernetes tells creation times to the second
    newest = deploy({"run_id": "b"}, replace=False)
    with pytest.raises(RolloutFailedError):
        deploy(model_uri="s3://models/iris/broken", model_server=behaving("image-pull"))
    assert {one.name for one in hook.client.find()} == {old["name"], newest["name"]}
    result = deploy(model_uri="s3://models/iris/2")
    hook.client.wait_until_deleted(old["name"], timeout=patience(10))
    assert [one.name for one in hook.client.find()] == [result["name"]] == [newest["name"]]


def test_two_dags_whose_names_share_63_characters_do_not_meet(hook: SeldonHook) -> None:
    """The seed cut labels to 63 characters, and one team's DAG took over the other's model."""
    stem = "a-very-long-name-of-a-dag-that-goes-on-and-on-until-it-is-too-long-"
    one = deploy({"dag_id": f"{stem}-EU"})
    other = deploy({"dag_id": f"{stem}-US"}, model_uri="s3://models/iris/us")
    assert other["action"] == "created"
    assert one["name"] != other["name"]


def test_a_first_deploy_that_fails_does_not_mention_a_previous_version(hook: SeldonHook) -> None:
    with pytest.raises(RolloutFailedError) as caught:
        deploy(model_server=behaving("crash"))
    assert "container classifier" in str(caught.value)
    assert "served before" not in str(caught.value)


def test_a_failed_rollout_is_explained_and_the_old_version_keeps_serving(hook: SeldonHook) -> None:
    first = deploy()
    with pytest.raises(RolloutFailedError) as caught:
        deploy(model_uri="s3://models/iris/2", model_server=behaving("crash"))
    text = str(caught.value)
    assert "container classifier" in text
    assert "The previous version keeps serving" in text
    assert hook.predict(first["name"], [[1.0, 2.0]])


def test_a_rollout_that_takes_too_long_times_out_and_a_retry_waits_for_it(hook: SeldonHook) -> None:
    slow = behaving("slow:3")
    with pytest.raises(RolloutTimeoutError):
        deploy(model_server=slow, timeout=0.5)
    result = deploy(model_server=slow)
    assert result["state"] == "Available"
    assert len(hook.client.find()) == 1


def test_without_waiting_the_task_ends_after_the_write(hook: SeldonHook) -> None:
    result = deploy(wait_for_available=False, model_server=behaving("never-ready"))
    assert (result["action"], result["state"]) == ("created", "Unknown")


def test_another_owners_deployment_is_not_changed_and_its_owner_named(hook: SeldonHook) -> None:
    foreign = {
        "apiVersion": "machinelearning.seldon.io/v1",
        "kind": "SeldonDeployment",
        "metadata": {"name": "iris"},
        "spec": {
            "predictors": [
                {
                    "name": "main",
                    "graph": {"name": "m", "implementation": "SKLEARN_SERVER", "modelUri": "gs://theirs"},
                }
            ]
        },
    }
    from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
    from airflow_provider_seldon.kube.requests.client import SeldonClient

    theirs = SeldonClient(hook.api_client, namespace=hook.namespace, field_manager="argocd-controller")
    theirs.apply(SeldonDeployment.from_manifest(foreign))
    before = hook.client.get("iris").to_manifest()["spec"]
    with pytest.raises(NotManagedError, match="argocd-controller"):
        deploy(name="iris")
    assert hook.client.get("iris").to_manifest()["spec"] == before
    adopted = deploy(name="iris", adopt=True)
    assert (adopted["action"], adopted["name"], adopted["state"]) == ("updated", "iris", "Available")


def test_a_field_of_another_manager_is_not_taken_over_silently(hook: SeldonHook) -> None:
    result = deploy(replicas=1)
    from airflow_provider_seldon.kube.requests.client import SeldonClient

    other = SeldonClient(hook.api_client, namespace=hook.namespace, field_manager="autoscaler")
    changed = hook.client.get(result["name"]).to_manifest()
    changed["spec"]["predictors"][0]["replicas"] = 2
    from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment

    other.apply(SeldonDeployment.from_manifest(changed), force=True)
    with pytest.raises(ConflictError, match="autoscaler"):
        deploy(replicas=1, model_uri="s3://models/iris/2")
    forced = deploy(replicas=1, model_uri="s3://models/iris/2", force_conflicts=True)
    assert forced["action"] == "updated"


def test_an_older_run_does_not_roll_production_back(hook: SeldonHook) -> None:
    deploy({"run_id": "tuesday", "logical_date": TUESDAY}, model_uri="s3://models/iris/2")
    cleared = {"run_id": "monday", "logical_date": MONDAY}
    with pytest.raises(AirflowSkipException, match="tuesday"):
        deploy(cleared)
    with pytest.raises(StaleRunError):
        deploy(cleared, on_stale="fail")
    assert hook.client.find()[0].annotations[ANNOTATION_MODEL_URI] == "s3://models/iris/2"
    assert deploy(cleared, on_stale="deploy")["model_uri"] == "s3://models/iris/1"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"model_uri": None}, "modelUri"),
        ({"model_server": {"replica": 2}}, "replicas"),
        ({"name": "Not_A_Name"}, "metadata.name"),
        ({"protocol": "tensorflow"}, "tensorflow protocol"),
        ({"manifest": "kind: [", "implementation": None, "model_uri": None}, "manifest"),
    ],
)
def test_bad_input_is_refused_by_field_before_anything_is_sent(
    hook: SeldonHook, local_seldon: Any, arguments: dict[str, Any], told: str
) -> None:
    local_seldon.requests.clear()
    with pytest.raises(InvalidModelServerError, match=told):
        deploy(**arguments)
    assert requests_of_ours(local_seldon) == []


def test_a_decision_that_says_neither_yes_nor_no_deploys_nothing(hook: SeldonHook) -> None:
    with pytest.raises(DeployDecisionError, match="deploy_decision"):
        deploy(deploy_decision="None")
    assert hook.client.find() == []


def test_a_deploy_over_a_deployment_that_is_being_deleted_waits_for_its_end(hook: SeldonHook) -> None:
    """Made anew too early, it would take the old children for its own, and lose them."""
    first = deploy()
    before = hook.client.get(first["name"]).uid
    hook.client.delete(first["name"])
    again = deploy()
    assert (again["action"], again["state"]) == ("created", "Available")
    assert hook.client.get(again["name"]).uid != before


def test_a_server_that_only_this_cluster_knows_is_for_the_webhook_to_judge(hook: SeldonHook) -> None:
    from airflow_provider_seldon.exceptions import RejectedError

    with pytest.raises(RejectedError, match="No entry in predictors map for LIGHTGBM_SERVER"):
        deploy(implementation="LIGHTGBM_SERVER")


@pytest.mark.parametrize(
    "url", ["models.example.com", "ftp://models.example.com", "https://models.example.com?a=1"]
)
def test_an_invalid_ingress_url_is_reported_before_a_request_is_sent(
    hook: SeldonHook, local_seldon: Any, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    good = hook.client
    monkeypatch.setenv("AIRFLOW_CONN_SELDON_DEFAULT", local_seldon.airflow_connection(ingress_url=url))
    local_seldon.requests.clear()
    with pytest.raises(ConnectionConfigError, match="ingress_url"):
        deploy()
    sent = [one for one in local_seldon.requests.entries() if one.user_agent.startswith("airflow-provider")]
    assert sent == []
    assert good.find() == []
