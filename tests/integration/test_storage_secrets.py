"""Storage credentials on their way from an Airflow connection into the pods, and nowhere else."""

from __future__ import annotations

import base64
import json
import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_provider_seldon.core.identity.annotations import ANNOTATION_CONFIG
from airflow_provider_seldon.exceptions import (
    InvalidModelServerError,
    NotManagedError,
    RejectedError,
    RolloutFailedError,
    SeldonError,
)
from airflow_provider_seldon.hooks.seldon import SeldonHook
from airflow_provider_seldon.local.faults import Fault
from tests.clusters import model_store, patience
from tests.clusters.misbehaviour import behaving
from tests.integration.conftest import context
from tests.integration.test_deploy_operator import deploy, operator

#: Real pods could not read their models with such keys.
READS_NOTHING = pytest.mark.simulated_pods("the keys are made up")
OLD, NEW = "Old-S3cret/Key+Value", "New-S3cret/Key+Value"


@pytest.fixture
def rotate(
    hook: SeldonHook, local_seldon: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], None]]:
    """Give the storage connection another key."""
    monkeypatch.setenv(
        "AIRFLOW_CONN_SELDON_DEFAULT", local_seldon.airflow_connection(storage_conn_id="store")
    )

    def set_key(key: str) -> None:
        monkeypatch.setenv(
            "AIRFLOW_CONN_STORE", json.dumps({"conn_type": "aws", "login": "AKIAX", "password": key})
        )

    set_key(OLD)
    yield set_key
    for secret in secrets(hook):
        hook.client._transport.request("DELETE", f"{collection(hook)}/{secret['metadata']['name']}")


def wait_until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it has not come to that in time"
        time.sleep(0.05)


def collection(hook: SeldonHook) -> str:
    return f"/api/v1/namespaces/{hook.namespace}/secrets"


def secrets(hook: SeldonHook) -> list[dict[str, Any]]:
    items = hook.client._transport.request("GET", collection(hook))["items"]
    return [one for one in items if one["metadata"]["name"] != model_store.SECRET]


def keys(hook: SeldonHook) -> list[str]:
    """The secret access keys that are stored, one per Secret."""
    stored = (one["data"]["RCLONE_CONFIG_S3_SECRET_ACCESS_KEY"] for one in secrets(hook))
    return sorted(base64.b64decode(value).decode() for value in stored)


def used(hook: SeldonHook, name: str) -> str | None:
    graph = hook.client.get(name).predictors[0].graph
    return graph.env_secret_ref_name if graph else None


@READS_NOTHING
def test_a_deploy_makes_the_secret_that_its_deployment_names_and_owns(
    hook: SeldonHook, rotate: Any, local_seldon: Any
) -> None:
    local_seldon.requests.clear()
    result = deploy()
    (secret,) = secrets(hook)
    owner = hook.client.get(result["name"])
    assert used(hook, result["name"]) == secret["metadata"]["name"]
    assert [one["uid"] for one in secret["metadata"]["ownerReferences"]] == [owner.uid]
    assert set(secret["data"]) == {
        f"RCLONE_CONFIG_S3_{key}"
        for key in ("TYPE", "PROVIDER", "ENV_AUTH", "ACCESS_KEY_ID", "SECRET_ACCESS_KEY")
    }
    writes = [
        f"{one.verb} {one.resource}"
        for one in local_seldon.requests.entries()
        if one.user_agent.startswith("airflow-provider") and one.verb not in ("get", "list", "watch")
    ]
    assert writes[:2] == ["apply seldondeployments", "create secrets"]


@READS_NOTHING
def test_the_same_credentials_again_change_nothing(hook: SeldonHook, rotate: Any) -> None:
    deploy()
    before = secrets(hook)
    assert deploy()["action"] == "unchanged"
    assert deploy(model_uri="s3://models/iris/2")["action"] == "updated"
    assert secrets(hook) == before


@READS_NOTHING
@pytest.mark.parametrize(
    ("arguments", "action"),
    [
        ({}, "unchanged"),
        ({"model_uri": "s3://models/iris/2"}, "updated"),
        ({"deploy_decision": False}, "reused"),
    ],
    ids=["unchanged", "updated", "reused"],
)
def test_a_secret_that_was_deleted_by_hand_is_made_again(
    hook: SeldonHook, rotate: Any, arguments: dict[str, Any], action: str
) -> None:
    name = deploy()["name"]
    (secret,) = secrets(hook)
    hook.client._transport.request("DELETE", f"{collection(hook)}/{secret['metadata']['name']}")
    assert deploy({"run_id": "run-2"}, **arguments)["action"] == action
    assert keys(hook) == [OLD]
    assert used(hook, name) == secret["metadata"]["name"]


@READS_NOTHING
@pytest.mark.parametrize("way", ["roll back", "start"])
def test_a_secret_that_was_deleted_by_hand_is_made_again_for_a_version_that_is_to_run_again(
    hook: SeldonHook, rotate: Any, way: str
) -> None:
    name = deploy()["name"]
    if way == "roll back":
        deploy(model_uri="s3://models/iris/2")
    else:
        hook.stop(name)
    (secret,) = secrets(hook)
    hook.client._transport.request("DELETE", f"{collection(hook)}/{secret['metadata']['name']}")
    rollout = hook.roll_back(name) if way == "roll back" else hook.start(name)
    assert (rollout.in_flight, keys(hook)) == (True, [OLD])
    assert (
        hook.wait_for(name, expected=rollout.expected, deadline=time.time() + patience(20)).ending == "ready"
    )


@READS_NOTHING
def test_a_rotated_credential_rolls_the_pods_and_the_old_secret_goes(hook: SeldonHook, rotate: Any) -> None:
    first = deploy()
    old = used(hook, first["name"])
    rotate(NEW)
    second = deploy()
    assert (second["action"], second["name"]) == ("updated", first["name"])
    assert second["revision"] != first["revision"]
    assert used(hook, first["name"]) != old
    assert keys(hook) == [NEW]


@READS_NOTHING
@pytest.mark.parametrize(("key", "action"), [(OLD, "unchanged"), ("Third-S3cret", "updated")])
def test_a_secret_that_no_version_uses_is_released_by_the_next_deploy(
    hook: SeldonHook, rotate: Any, local_seldon: Any, key: str, action: str
) -> None:
    """A task that ends for good between making the Secret and naming it."""
    name = deploy()["name"]
    rotate(NEW)
    local_seldon.faults.add(Fault(verb="apply", resource="seldondeployments", status=422))
    with pytest.raises(RejectedError):
        deploy(model_uri="s3://models/iris/2")
    assert keys(hook) == sorted([OLD, NEW])
    rotate(key)
    assert deploy()["action"] == action
    assert keys(hook) == [key]
    assert NEW not in str(hook.client.get(name).to_manifest())


@READS_NOTHING
def test_the_old_secret_stays_as_long_as_the_old_version_serves(hook: SeldonHook, rotate: Any) -> None:
    """The candidate with the new key never gets ready: the running version, and a rollback to it, use the old one."""
    first = deploy()
    rotate(NEW)
    with pytest.raises(RolloutFailedError):
        deploy(model_uri="s3://models/iris/2", model_server=behaving("crash"))
    assert OLD in keys(hook)
    third = deploy(model_uri="s3://models/iris/3")
    assert third["name"] == first["name"]
    assert keys(hook) == [NEW]


@READS_NOTHING
def test_a_secret_of_two_deployments_goes_with_the_last(hook: SeldonHook, rotate: Any) -> None:
    one = deploy({"task_id": "one"})
    other = deploy({"task_id": "other"})
    (secret,) = secrets(hook)
    assert len(secret["metadata"]["ownerReferences"]) == 2
    rotate(NEW)
    deploy({"task_id": "one"})
    assert keys(hook) == [NEW, OLD]
    hook.delete_model_server(other["name"], timeout=30)
    wait_until(lambda: keys(hook) == [NEW])
    hook.delete_model_server(one["name"], timeout=30)
    wait_until(lambda: keys(hook) == [])


@READS_NOTHING
def test_going_back_after_a_rotation_reads_with_the_present_key(hook: SeldonHook, rotate: Any) -> None:
    first = deploy()
    rotate(NEW)
    deploy(model_uri="s3://models/iris/2")
    rollout = hook.roll_back(first["name"])
    assert used(hook, first["name"]) in {one["metadata"]["name"] for one in secrets(hook)}
    assert keys(hook) == [NEW]
    assert rollout.info.model_uri == "s3://models/iris/1"


@READS_NOTHING
def test_another_owners_secret_of_that_name_stops_the_deploy(hook: SeldonHook, rotate: Any) -> None:
    result = deploy()
    (secret,) = secrets(hook)
    name = secret["metadata"]["name"]
    hook.delete_model_server(result["name"], timeout=30)
    hook.client._transport.request(
        "POST", collection(hook), body={"kind": "Secret", "metadata": {"name": name}, "data": {"a": "Yg=="}}
    )
    with pytest.raises(NotManagedError, match=name):
        deploy()
    (left,) = secrets(hook)
    assert left["data"] == {"a": "Yg=="}


@READS_NOTHING
def test_a_key_file_on_the_worker_goes_into_the_secret_by_content(
    hook: SeldonHook, rotate: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tmp_path / "key.json"
    key.write_text('{"type": "service_account", "private_key": "pem"}\n')
    google = {"conn_type": "google_cloud_platform", "extra": {"key_path": str(key)}}
    monkeypatch.setenv("AIRFLOW_CONN_STORE", json.dumps(google))
    deploy(model_uri="gs://models/iris/1")
    (secret,) = secrets(hook)
    values = {name: base64.b64decode(value).decode() for name, value in secret["data"].items()}
    assert json.loads(values["RCLONE_CONFIG_GS_SERVICE_ACCOUNT_CREDENTIALS"])["private_key"] == "pem"
    assert not any(str(tmp_path) in value for value in values.values())
    key.unlink()
    with pytest.raises(InvalidModelServerError, match=r"key\.json.*cannot be read here"):
        deploy(model_uri="gs://models/iris/2")


@READS_NOTHING
def test_a_role_of_the_pods_service_account_needs_settings_but_no_keys(
    hook: SeldonHook, rotate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without them rclone does not know the remote at all (SeldonIO/seldon-core #4192)."""
    monkeypatch.setenv(
        "AIRFLOW_CONN_STORE", json.dumps({"conn_type": "aws", "extra": {"region_name": "eu-west-1"}})
    )
    result = deploy(model_server={"service_account": "models"})
    (secret,) = secrets(hook)
    values = {name: base64.b64decode(value).decode() for name, value in secret["data"].items()}
    assert values == {
        "RCLONE_CONFIG_S3_TYPE": "s3",
        "RCLONE_CONFIG_S3_PROVIDER": "AWS",
        "RCLONE_CONFIG_S3_ENV_AUTH": "true",
        "RCLONE_CONFIG_S3_REGION": "eu-west-1",
    }
    assert used(hook, result["name"]) == secret["metadata"]["name"]


@READS_NOTHING
def test_a_service_account_wins_over_the_keys_of_the_connection(hook: SeldonHook, rotate: Any) -> None:
    result = deploy(model_server={"service_account": "models"})
    assert secrets(hook) == []
    assert used(hook, result["name"]) is None


def everything(hook: SeldonHook, result: Any, task: Any, caplog: pytest.LogCaptureFixture) -> dict[str, str]:
    """All places in which a credential must not be, as text."""
    deployments = [one.to_manifest() for one in hook.client.find()]
    return {
        "log": caplog.text,
        "return value": json.dumps(result),
        "xcoms": json.dumps(task["ti"].pushed),
        "deployments": json.dumps(deployments),
        "metadata of secrets": json.dumps([one["metadata"] for one in secrets(hook)]),
    }


def listen(caplog: pytest.LogCaptureFixture) -> None:
    """Log everything, the HTTP libraries' debug messages included."""
    for logger in ("", "urllib3.connectionpool", "kubernetes.client.rest", "airflow_provider_seldon"):
        caplog.set_level(logging.DEBUG, logger=logger or None)


def assert_nowhere(texts: dict[str, str]) -> None:
    shapes = (OLD, base64.b64encode(OLD.encode()).decode(), json.dumps(OLD)[1:-1])
    assert {place: shape for place, text in texts.items() for shape in shapes if shape in text} == {}


@READS_NOTHING
def test_no_credential_is_anywhere_but_in_the_secret(
    hook: SeldonHook, rotate: Any, caplog: pytest.LogCaptureFixture
) -> None:
    listen(caplog)
    task = context()
    with_env = {
        "env": [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "x", "key": "y", "optional": True}}}]
    }
    deployed = operator(model_server=with_env)
    result = deployed.execute(task)
    assert keys(hook) == [OLD]
    rendered = {field: getattr(deployed, field) for field in deployed.template_fields}
    texts = everything(hook, result, task, caplog) | {"rendered template": json.dumps(rendered, default=str)}
    assert "/secrets" in texts["log"], "the debug log of the requests is part of what is searched"
    assert_nowhere(texts)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(verb="create", resource="secrets", status=403),
        Fault(verb="create", resource="secrets", status=422),
        Fault(verb="create", resource="secrets", status=500, count=None),
    ],
    ids=["forbidden", "invalid", "broken"],
)
def test_no_credential_is_printed_when_the_secret_cannot_be_written(
    hook: SeldonHook,
    rotate: Any,
    local_seldon: Any,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    fault: Fault,
) -> None:
    from airflow_provider_seldon.kube.requests import transport

    monkeypatch.setattr(transport, "LONGEST_PAUSE", 0.01)
    listen(caplog)
    local_seldon.faults.add(fault)
    task = context()
    with pytest.raises(SeldonError) as caught:
        operator().execute(task)
    chain = [caught.value, caught.value.__cause__, caught.value.__context__]
    texts = everything(hook, None, task, caplog)
    texts["exception"] = " ".join(f"{error!r} {error} {getattr(error, 'body', '')}" for error in chain)
    assert_nowhere(texts)
    wait_until(lambda: hook.client.find() == [])  # without its Secret it would never get ready


@READS_NOTHING
def test_the_masker_knows_the_credential_from_then_on(hook: SeldonHook, rotate: Any) -> None:
    from airflow_provider_seldon.hooks.masking import redact

    deploy()
    assert OLD not in redact(f"rclone says {OLD}")


@READS_NOTHING
def test_the_name_of_the_secret_is_not_masked(hook: SeldonHook, rotate: Any) -> None:
    """A log in which names are starred out helps nobody."""
    from airflow_provider_seldon.hooks.masking import redact

    result = deploy()
    name = used(hook, result["name"])
    assert redact(f"Secret {name}") == f"Secret {name}"
    assert ANNOTATION_CONFIG in hook.client.get(result["name"]).annotations
