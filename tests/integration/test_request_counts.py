"""
How many requests a task sends, counted by the server.

Counted is what reaches the API server from the task's writes and reads; the wait (LIST and WATCH on deployments and
their children) is counted by the tests of the wait, and what records the proof after READY is told apart here.
"""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_seldon.core.identity.annotations import ANNOTATION_ACTION
from airflow_provider_seldon.hooks.seldon import SeldonHook
from airflow_provider_seldon.operators.delete import SeldonDeleteModelOperator
from tests.integration.conftest import context
from tests.integration.test_deploy_operator import deploy, requests_of_ours
from tests.integration.test_rollback import roll_back
from tests.integration.test_scale import scale

#: One GET and one PATCH of annotations, when the new version serves.
PROOF = ["get seldondeployments", "patch seldondeployments"]
STORAGE = {
    "AIRFLOW_CONN_MINIO": '{"conn_type": "aws", "login": "key", "password": "hidden", '
    '"extra": {"endpoint_url": "http://minio:9000"}}'
}


def sent(local_seldon: Any) -> list[str]:
    """The requests of a task, those of the wait left out, and forget them."""
    entries = [
        one
        for one in local_seldon.requests.entries()
        if one.user_agent.startswith("airflow-provider") and not is_of_the_wait(one)
    ]
    local_seldon.requests.clear()
    return [f"{one.verb} {one.resource}" for one in without_conflicts(entries)]


def without_conflicts(entries: list[Any]) -> list[Any]:
    """Leave out writes that came too late, and the read after each: the operator had written a status meanwhile."""
    late = [place for place, one in enumerate(entries) if one.status == 409]
    return [one for place, one in enumerate(entries) if place not in late and place - 1 not in late]


def is_of_the_wait(one: Any) -> bool:
    return (
        one.verb == "watch"
        or one.resource == "deployments"
        or (one.verb == "list" and "managed-by" not in one.query)
    )


def test_a_deploy_is_one_read_and_one_write(hook: SeldonHook, local_seldon: Any) -> None:
    local_seldon.requests.clear()
    deploy()
    assert sent(local_seldon) == ["list seldondeployments", "apply seldondeployments", *PROOF]
    deploy(model_uri="s3://models/iris/2")
    assert sent(local_seldon) == ["list seldondeployments", "apply seldondeployments", *PROOF]
    deploy(model_uri="s3://models/iris/2")
    # Nothing is written, and so its children are looked at.
    assert requests_of_ours(local_seldon) == ["list seldondeployments", "list deployments"]


@pytest.mark.simulated_pods("the storage is made up")
def test_a_storage_secret_takes_one_request_when_it_is_made_and_one_look_afterwards(
    hook: SeldonHook, local_seldon: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MINIO", STORAGE["AIRFLOW_CONN_MINIO"])
    monkeypatch.setenv(
        "AIRFLOW_CONN_SELDON_DEFAULT", local_seldon.airflow_connection(storage_conn_id="minio")
    )
    local_seldon.requests.clear()
    first = deploy()
    assert sent(local_seldon) == [
        "list seldondeployments",
        "apply seldondeployments",
        "create secrets",
        *PROOF,
    ]
    deploy(model_uri="s3://models/iris/2")
    assert sent(local_seldon) == [
        "list seldondeployments",
        "get secrets",
        "apply seldondeployments",
        *PROOF,
    ]
    deploy(model_uri="s3://models/iris/2")
    assert sent(local_seldon) == ["list seldondeployments", "get secrets"]
    rotated = STORAGE["AIRFLOW_CONN_MINIO"].replace("hidden", "rotated")
    monkeypatch.setenv("AIRFLOW_CONN_MINIO", rotated)
    again = deploy(model_uri="s3://models/iris/2")
    assert sent(local_seldon) == [
        "list seldondeployments",
        # The new one is noted first, so that it is found should it never come to be used.
        "patch seldondeployments",
        "create secrets",
        "apply seldondeployments",
        *PROOF,
        # The old one is given up.
        "get seldondeployments",
        "get secrets",
        "delete secrets",
    ]
    assert (again["action"], again["name"]) == ("updated", first["name"])


def test_a_rollback_a_scaling_and_a_deletion_are_one_read_and_one_write(
    hook: SeldonHook, local_seldon: Any
) -> None:
    name = deploy()["name"]
    deploy(model_uri="s3://models/iris/2")
    sent(local_seldon)
    roll_back(name)
    assert sent(local_seldon) == ["get seldondeployments", "apply seldondeployments", *PROOF]
    scale(name, 2)
    assert sent(local_seldon) == ["get seldondeployments", "apply seldondeployments"]
    SeldonDeleteModelOperator(task_id="delete", name=name, wait_for_deletion=False).execute(context())
    assert sent(local_seldon) == ["get seldondeployments", "delete seldondeployments"]


def test_a_search_is_one_request_per_page(
    hook: SeldonHook, local_seldon: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for run in "abcde":
        deploy({"run_id": run}, replace=False, wait_for_available=False)
    sent(local_seldon)
    assert len(hook.find_model_servers(model_name="iris")) == 5
    assert requests_of_ours(local_seldon) == ["list seldondeployments"]
    local_seldon.requests.clear()
    monkeypatch.setattr("airflow_provider_seldon.kube.requests.pages.PAGE_SIZE", 2)
    assert len(hook.find_model_servers(model_name="iris")) == 5
    assert requests_of_ours(local_seldon) == ["list seldondeployments"] * 3


def test_a_retry_reports_what_its_run_did(hook: SeldonHook) -> None:
    deploy({"try_number": 1}, wait_for_available=False)
    assert deploy({"try_number": 2})["action"] == "created"
    assert deploy({"try_number": 3})["action"] == "created"
    assert deploy({"run_id": "run-2"})["action"] == "unchanged"
    deploy({"run_id": "run-2"}, model_uri="s3://models/iris/2", wait_for_available=False)
    assert deploy({"run_id": "run-2", "try_number": 2}, model_uri="s3://models/iris/2")["action"] == "updated"
    assert ANNOTATION_ACTION in hook.client.find()[0].annotations
