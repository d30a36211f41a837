"""
What ZenML's Seldon integration got wrong, shown to be right here: the rows of ``docs/seed-checklist.md`` that have no
better place among the tests of the parts.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from airflow_provider_seldon.core.identity.annotations import LABEL_MANAGED_BY, LABEL_MODEL_NAME, MANAGER
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
from airflow_provider_seldon.exceptions import (
    RejectedError,
    RolloutFailedError,
    RolloutTimeoutError,
)
from airflow_provider_seldon.hooks.seldon import SeldonHook
from airflow_provider_seldon.kube.requests.client import SeldonClient
from airflow_provider_seldon.kube.requests.transport import MERGE
from airflow_provider_seldon.local.faults import Fault
from airflow_provider_seldon.operators.delete import SeldonDeleteModelOperator
from tests.clusters import model_store, patience
from tests.clusters.misbehaviour import behaving
from tests.integration.conftest import context
from tests.integration.local.cluster_client import Cluster, state
from tests.integration.test_deploy_operator import deploy, requests_of_ours

STORE = '{"conn_type": "aws", "login": "AKIAX", "password": "Hidden/Key"}'
UNKNOWN = {"state": "Available", "conditions": [{"type": "Ready", "status": "Unknown"}]}
NO_CONDITIONS = {"state": "Available", "conditions": None}


@contextmanager
def operator_paused(local_seldon: Any) -> Iterator[None]:
    """The operator is down: a status stays what the test writes."""
    local_seldon.pause_operator()
    try:
        yield
    finally:
        local_seldon.resume_operator()


def path_of(hook: SeldonHook, name: str) -> str:
    return f"/apis/machinelearning.seldon.io/v1/namespaces/{hook.namespace}/seldondeployments/{name}"


def set_status(hook: SeldonHook, name: str, status: dict[str, Any]) -> None:
    """Write a status, as the operator does."""
    hook.client._transport.request(
        "PATCH", f"{path_of(hook, name)}/status", body={"status": status}, content_type=MERGE
    )


def secrets(hook: SeldonHook) -> list[str]:
    path = f"/api/v1/namespaces/{hook.namespace}/secrets"
    names = [one["metadata"]["name"] for one in hook.client._transport.request("GET", path)["items"]]
    return [name for name in names if name != model_store.SECRET]


def wait_until_failed(hook: SeldonHook, name: str) -> None:
    """Wait until the state, which flickers, has been Failed for half a second."""
    deadline, times = time.monotonic() + patience(20), 0
    while times < 10:
        assert time.monotonic() < deadline
        times = times + 1 if hook.client.get(name).state.value == "Failed" else 0
        time.sleep(0.05)


@pytest.fixture
def storage(local_seldon: Any, hook: SeldonHook, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A storage connection, whose credentials become a Secret."""
    monkeypatch.setenv("AIRFLOW_CONN_STORE", STORE)
    connection = local_seldon.airflow_connection(storage_conn_id="store")
    monkeypatch.setenv("AIRFLOW_CONN_SELDON_DEFAULT", connection)
    yield
    for name in secrets(hook):
        hook.client._transport.request("DELETE", f"/api/v1/namespaces/{hook.namespace}/secrets/{name}")


@pytest.mark.own_operator("it pauses")
@pytest.mark.parametrize("status", [UNKNOWN, NO_CONDITIONS], ids=["ready-unknown", "no-conditions"])
def test_a_deployment_with_an_odd_status_is_found_and_updated_in_place(
    hook: SeldonHook, local_seldon: Any, status: dict[str, Any]
) -> None:
    """The seed could not read it, took it for missing, and put a second one with another URL next to it."""
    first = deploy()
    with operator_paused(local_seldon):
        set_status(hook, first["name"], status)
        assert [one.name for one in hook.find_model_servers(model_name="iris")] == [first["name"]]
        assert hook.get_model_server_info(first["name"]).state == "Available"
        second = deploy(model_uri="s3://models/iris/2", wait_for_available=False)
    assert (second["action"], second["prediction_url"]) == ("updated", first["prediction_url"])
    assert [one.name for one in hook.client.find()] == [first["name"]]
    assert deploy(model_uri="s3://models/iris/2")["state"] == "Available"


@pytest.mark.own_operator("it pauses")
def test_a_secret_stays_while_a_deployment_with_an_odd_status_uses_it(
    hook: SeldonHook, local_seldon: Any, storage: None
) -> None:
    kept, gone = deploy({"task_id": "kept"})["name"], deploy({"task_id": "gone"})["name"]
    (shared,) = secrets(hook)
    with operator_paused(local_seldon):
        set_status(hook, kept, UNKNOWN)
        hook.client.delete(gone, propagation="Background")
        hook.client.wait_until_deleted(gone, timeout=patience(20))
        assert secrets(hook) == [shared]


def test_a_fix_of_a_failed_deployment_is_not_failed_by_the_old_status(hook: SeldonHook) -> None:
    """The seed read the Failed of the broken version right after the write of the fix."""
    broken = behaving("crash")
    broken["extra_args"]["progressDeadlineSeconds"] = 1
    with pytest.raises(RolloutFailedError):
        deploy(model_server=broken, on_failure="keep")
    (deployment,) = hook.client.find()
    wait_until_failed(hook, deployment.name)
    fixed = deploy(failure_policy={"failed_grace": 5})
    assert (fixed["name"], fixed["state"]) == (deployment.name, "Available")


@pytest.mark.own_operator("its requests go wrong")
def test_a_failed_that_the_operator_gets_over_by_itself_does_not_fail_the_task(
    hook: SeldonHook, local_seldon: Any
) -> None:
    local_seldon.controller_faults.add(
        Fault(verb="create", resource="deployments", status=500, message="etcdserver: leader changed")
    )
    cluster = Cluster(
        api_url=local_seldon.api_url, gateway_url=local_seldon.gateway_url, namespace=hook.namespace
    )
    with cluster.recorded("seldondeployments") as seen:
        assert deploy()["state"] == "Available"
    assert "Failed" in [state(one) for one in seen]


@pytest.mark.own_operator("it pauses")
def test_failed_without_conditions_is_reported_with_the_operators_description(
    hook: SeldonHook, local_seldon: Any
) -> None:
    with operator_paused(local_seldon):
        name = deploy(wait_for_available=False)["name"]
        set_status(hook, name, {"state": "Failed", "description": "no server config for ODD_SERVER"})
        started = time.monotonic()
        with pytest.raises(RolloutFailedError, match="no server config for ODD_SERVER"):
            deploy(failure_policy={"failed_grace": 0.3}, on_failure="keep", timeout=60)
        assert time.monotonic() - started < 30


@pytest.mark.own_operator("it pauses")
def test_a_deployment_without_any_status_is_waited_for(hook: SeldonHook, local_seldon: Any) -> None:
    """The seed took the absence of a status for the end of the wait, and returned at once."""
    with operator_paused(local_seldon), pytest.raises(RolloutTimeoutError) as caught:
        deploy(timeout=0.7)
    assert "no Deployment" in str(caught.value) or "does not exist yet" in str(caught.value)
    assert deploy()["state"] == "Available"


def test_the_webhooks_message_is_reported_on_an_update_as_well(hook: SeldonHook) -> None:
    stored = hook.client.get(deploy()["name"]).to_manifest()
    wrong = {**stored, "spec": {**stored["spec"], "predictors": stored["spec"]["predictors"] * 2}}
    with pytest.raises(RejectedError, match="Duplicate predictor name"):
        hook.client.apply(SeldonDeployment.from_manifest(wrong))


def test_a_deployment_that_only_has_our_label_breaks_no_deploy(hook: SeldonHook) -> None:
    """One object with the seed's label and without its annotation made every call of every pipeline raise."""
    graph = {"name": "m", "implementation": "SKLEARN_SERVER", "modelUri": "gs://theirs"}
    labels = {LABEL_MANAGED_BY: MANAGER, LABEL_MODEL_NAME: "iris"}
    theirs = {
        "apiVersion": "machinelearning.seldon.io/v1",
        "kind": "SeldonDeployment",
        "metadata": {"name": "theirs", "labels": labels},
        "spec": {"predictors": [{"name": "main", "graph": graph}]},
    }
    SeldonClient(hook.api_client, namespace=hook.namespace, field_manager="kubectl").apply(
        SeldonDeployment.from_manifest(theirs)
    )
    assert deploy()["action"] == "created"
    assert deploy(model_uri="s3://models/iris/2")["action"] == "updated"
    assert len(hook.find_model_servers()) == 2
    assert hook.client.get("theirs").to_manifest()["spec"]["predictors"][0]["graph"] == graph


@pytest.mark.parametrize(
    ("behaviour", "told"),
    [
        ("crash", "exit code 1"),
        ("image-pull", "no log"),
        ("init-crash", "model-initializer]"),
        ("unschedulable", "no log"),
    ],
)
def test_logs_of_pods_that_crash_or_never_start(hook: SeldonHook, behaviour: str, told: str) -> None:
    """The seed raised a TypeError for a pending pod, and showed the old pod while the new one crashed."""
    name = deploy()["name"]
    (old,) = hook.client.pods.of_deployment(name)
    with pytest.raises(RolloutFailedError if behaviour != "unschedulable" else RolloutTimeoutError):
        deploy(
            model_uri="s3://no-such-bucket/2" if behaviour == "init-crash" else "s3://models/iris/2",
            model_server=behaving(behaviour),
            on_failure="keep",
            timeout=patience(30 if behaviour != "unschedulable" else 1.5),
        )
    new = [line for line in hook.get_logs(name) if old["metadata"]["name"] not in line]
    assert any(told in line for line in new), new


def test_what_vanishes_while_it_is_deleted_is_deleted(hook: SeldonHook, local_seldon: Any) -> None:
    name = deploy()["name"]
    local_seldon.faults.add(Fault(verb="delete", resource="seldondeployments", status=404))
    task = SeldonDeleteModelOperator(task_id="delete", name=name, wait_for_deletion=False)
    assert task.execute(context()) == []
    assert task.execute(context()) == [name]


def test_a_deploy_that_the_cluster_refuses_leaves_no_secret(
    hook: SeldonHook, local_seldon: Any, storage: None
) -> None:
    local_seldon.faults.add(Fault(verb="apply", resource="seldondeployments", status=422))
    with pytest.raises(RejectedError):
        deploy()
    assert secrets(hook) == []


def test_a_search_leaves_the_callers_labels_as_they_are(hook: SeldonHook) -> None:
    name = deploy(model_server={"labels": {"team": "vision"}})["name"]
    labels = {"team": "vision"}
    assert [one.name for one in hook.find_model_servers(labels=labels)] == [name]
    assert labels == {"team": "vision"}


def test_a_prediction_reads_the_deployment_once_and_not_at_all_when_it_is_known(
    hook: SeldonHook, local_seldon: Any
) -> None:
    name = deploy()["name"]
    known = hook.client.get(name)
    local_seldon.requests.clear()
    hook.predict(name, [[1.0]])
    assert requests_of_ours(local_seldon) == ["get seldondeployments"]
    local_seldon.requests.clear()
    hook.predict(name, [[1.0]], deployment=known)
    assert requests_of_ours(local_seldon) == []


def test_a_restart_keeps_changes_made_by_hand(hook: SeldonHook) -> None:
    """The seed wrote the configuration from its annotation over it."""
    name = deploy()["name"]
    hook.stop(name)
    by_hand = hook.client.get(name).to_manifest()
    by_hand["spec"]["predictors"][0]["graph"]["modelUri"] = "s3://models/iris/by-hand"
    client = SeldonClient(hook.api_client, namespace=hook.namespace, field_manager="kubectl-edit")
    client.apply(SeldonDeployment.from_manifest(by_hand), force=True)
    again = deploy(model_uri="s3://models/iris/worse", deploy_decision=False)
    assert (again["action"], again["state"]) == ("restarted", "Available")
    graph = hook.client.get(name).to_manifest()["spec"]["predictors"][0]["graph"]
    assert graph["modelUri"] == "s3://models/iris/by-hand"


def test_where_the_newest_has_failed_permanently_the_second_newest_is_kept(hook: SeldonHook) -> None:
    """The seed started the broken one again."""
    good = deploy({"run_id": "a"}, replace=False)
    broken = behaving("crash")
    broken["extra_args"]["progressDeadlineSeconds"] = 1
    time.sleep(1.1)  # Kubernetes tells creation times to the second
    with pytest.raises(RolloutFailedError):
        deploy({"run_id": "b"}, replace=False, model_server=broken, on_failure="keep")
    (newest,) = [one.name for one in hook.client.find() if one.name != good["name"]]
    wait_until_failed(hook, newest)
    kept = deploy({"run_id": "c"}, replace=False, deploy_decision=False)
    assert (kept["action"], kept["name"]) == ("reused", good["name"])


@pytest.mark.own_operator("it pauses")
@pytest.mark.skipif(shutil.which("kubectl") is None, reason="needs kubectl")
def test_kubectl_wait_believes_the_status_of_the_version_before(hook: SeldonHook, local_seldon: Any) -> None:
    name = deploy()["name"]
    with operator_paused(local_seldon):
        assert deploy(model_uri="s3://models/iris/2", wait_for_available=False)["action"] == "updated"
        where = ["--kubeconfig", str(local_seldon.kubeconfig_path), "--namespace", hook.namespace]
        command = ["kubectl", *where, "wait", "--for=condition=ready", f"sdep/{name}", "--timeout=60s"]
        told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert (told.returncode, "condition met" in told.stdout) == (0, True), told
        with pytest.raises(RolloutTimeoutError, match="has not updated it"):
            deploy(model_uri="s3://models/iris/2", timeout=0.5, on_failure="keep")
    assert deploy(model_uri="s3://models/iris/2")["state"] == "Available"
