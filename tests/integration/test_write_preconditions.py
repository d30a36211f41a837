"""Every write names what it expects: what another client did between two requests is never lost."""

from __future__ import annotations

import asyncio
import json
import random
import string
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException, TaskDeferred

from airflow_provider_seldon.core.identity.annotations import (
    ANNOTATION_DAG_ID,
    ANNOTATION_MODEL_URI,
    ANNOTATION_REVISION,
    LABEL_MANAGED_BY,
)
from airflow_provider_seldon.core.readiness.outcome import Ending
from airflow_provider_seldon.core.rollout.history import ProvenVersion
from airflow_provider_seldon.delivery.rollout.handoff import Rollout
from airflow_provider_seldon.exceptions import (
    ConflictError,
    InvalidModelServerError,
    NotManagedError,
    ReplacedError,
    RolloutTimeoutError,
    StaleRunError,
)
from airflow_provider_seldon.hooks.seldon import SeldonHook
from airflow_provider_seldon.kube.requests.transport import MERGE
from airflow_provider_seldon.local.faults import Fault
from airflow_provider_seldon.operators.rollback import SeldonRollbackOperator
from tests.clusters import patience
from tests.clusters.misbehaviour import behaving
from tests.integration.conftest import context, scale_by_kubectl
from tests.integration.interference import Interference
from tests.integration.task_thread import task_thread
from tests.integration.test_client import client, make_client, manifest  # noqa: F401
from tests.integration.test_deploy_operator import MONDAY, TUESDAY, deploy, operator
from tests.integration.test_rollback import _event, roll_back, uri

OLDER = {"run_id": "monday", "logical_date": MONDAY}
NEWER = {"run_id": "tuesday", "logical_date": TUESDAY}
NEW = "s3://models/iris/new"


@pytest.fixture
def interference(monkeypatch: pytest.MonkeyPatch) -> Interference:
    return Interference(monkeypatch)


def patch(hook: SeldonHook, name: str, body: dict[str, Any], *, manager: str = "kubectl-edit") -> None:
    """Do what ``kubectl edit`` does."""
    path = f"/apis/machinelearning.seldon.io/v1/namespaces/{hook.namespace}/seldondeployments/{name}"
    hook.client._transport.request(
        "PATCH", path, query={"fieldManager": manager}, body=body, content_type=MERGE
    )


def without_our_label(hook: SeldonHook, name: str) -> None:
    patch(hook, name, {"metadata": {"labels": {LABEL_MANAGED_BY: None}}})


def test_what_is_to_be_created_must_not_exist(client: Any) -> None:  # noqa: F811
    first = client.apply(manifest(), create=True)
    with pytest.raises(ConflictError):
        client.apply(manifest(uri="s3://models/iris/2"), create=True, force=True)
    assert client.get("iris").resource_version == first.resource_version


def test_what_was_created_can_be_taken_back_by_a_later_apply(client: Any) -> None:  # noqa: F811
    """The fields of a POST would belong to another operation of the field manager, and stay for ever."""
    created = client.apply(manifest(protocol="v2"), create=True)
    again = client.apply(manifest(), uid=created.uid, resource_version=created.resource_version)
    assert again.to_manifest()["spec"].keys() == {"predictors"}


def test_what_was_deleted_meanwhile_is_not_made_anew_by_an_update(client: Any) -> None:  # noqa: F811
    """An apply with a resource version alone creates what is not there."""
    created = client.apply(manifest(), create=True)
    client.delete("iris", propagation="Background")
    with pytest.raises(ConflictError):
        client.apply(manifest(), uid=created.uid, resource_version=created.resource_version)
    assert client.find() == []


def test_a_creation_that_is_delayed_does_not_overwrite_what_a_newer_run_has_created(
    hook: SeldonHook, local_seldon: Any
) -> None:
    fault = local_seldon.faults.add(
        Fault(verb="apply", resource="seldondeployments", status=429, retry_after=2)
    )
    ended: list[BaseException] = []

    def older() -> None:
        try:
            deploy(OLDER, on_failure="delete_if_created")
        except AirflowSkipException as skipped:
            ended.append(skipped)

    thread = task_thread(older)
    thread.start()
    while not fault.hits:
        time.sleep(0.02)
    newer = deploy(NEWER, model_uri=NEW)
    thread.join(60)
    assert "tuesday" in str(ended[0])
    assert uri(hook, newer["name"]) == NEW


def test_a_creation_that_comes_second_is_decided_anew(hook: SeldonHook, interference: Interference) -> None:
    with interference.before("PATCH", lambda: deploy(OLDER)) as met:
        second = deploy(NEWER, model_uri=NEW)
    assert (met[-1], second["action"]) == (f"PATCH {second['name']}", "updated")
    assert uri(hook, second["name"]) == NEW


def test_what_is_not_ours_any_more_is_not_overwritten(hook: SeldonHook) -> None:
    """Without the label no LIST shows it, so it looks as if there were nothing."""
    name = deploy()["name"]
    without_our_label(hook, name)
    try:
        with pytest.raises(NotManagedError, match=name):
            deploy(model_uri=NEW)
        assert uri(hook, name) == "s3://models/iris/1"
    finally:
        hook.client.delete(name, propagation="Background")
        hook.client.wait_until_deleted(name)


@pytest.mark.parametrize("task", ["update", "rollback"])
def test_what_somebody_deletes_before_the_write_is_not_written_as_if_it_were_there(
    hook: SeldonHook, interference: Interference, task: str
) -> None:
    name = deploy()["name"]
    deploy(model_uri="s3://models/iris/2")

    def delete() -> None:
        hook.client.delete(name, propagation="Background")
        hook.client.wait_until_deleted(name)

    with interference.before("PATCH", delete):
        if task == "update":
            assert deploy(model_uri=NEW)["action"] == "created"
            return
        with pytest.raises(Exception, match="no SeldonDeployment"):
            roll_back(name)
    assert hook.client.find() == []


def bad(**more: Any) -> dict[str, Any]:
    return {
        "model_uri": "s3://models/iris/bad",
        "model_server": behaving("never-ready"),
        "timeout": patience(3),
        **more,
    }


def while_it_waits(hook: SeldonHook, act: Callable[[str], Any]) -> threading.Thread:
    """Act once the bad version is stored."""

    def later() -> None:
        while True:
            found = [
                one for one in hook.client.find() if one.annotations[ANNOTATION_MODEL_URI].endswith("/bad")
            ]
            if found:
                act(found[0].name)
                return
            time.sleep(0.05)

    thread = threading.Thread(target=later)
    thread.start()
    return thread


@pytest.mark.parametrize("what", ["scaled", "labelled"])
def test_what_a_run_did_not_write_does_not_keep_it_from_rolling_back(hook: SeldonHook, what: str) -> None:
    name = deploy()["name"]

    def act(name: str) -> None:
        if what == "scaled":
            scale_by_kubectl(hook, name, 2)
        else:
            patch(hook, name, {"metadata": {"labels": {"team": "x"}}})

    thread = while_it_waits(hook, act)
    with pytest.raises(RolloutTimeoutError, match="which is ready"):
        deploy(**bad(timeout=patience(6)))
    thread.join()
    assert uri(hook, name) == "s3://models/iris/1"


def in_flight(**arguments: Any) -> Any:
    """A task that has written and is about to wait, and what it wrote."""
    task = operator(**arguments)
    return task, task._deploy(context(), task._server())


@pytest.mark.parametrize("on_failure", ["rollback", "delete_if_created"])
def test_the_first_try_of_a_task_does_not_undo_its_second(hook: SeldonHook, on_failure: str) -> None:
    """Airflow took it for dead, and it was not."""
    if on_failure == "rollback":
        deploy({"run_id": "before"})
    first, rollout = in_flight(model_uri=NEW, on_failure=on_failure)
    _, second = in_flight(model_uri=NEW)
    assert second.info.revision == rollout.info.revision
    assert first.undo(Rollout.from_json(json.loads(json.dumps(rollout.to_json())))) is None
    assert uri(hook, rollout.name) == NEW
    assert deploy(model_uri=NEW)["state"] == "Available"


def test_a_version_that_was_proven_meanwhile_is_not_undone(hook: SeldonHook) -> None:
    deploy({"run_id": "before"})
    task, rollout = in_flight(model_uri=NEW)
    outcome = hook.wait_for(rollout.name, expected=rollout.expected, deadline=time.time() + patience(30))
    assert outcome.ending is Ending.READY
    hook.complete(rollout)
    assert task.undo(rollout) is None
    assert uri(hook, rollout.name) == NEW


def test_what_was_deployed_to_meanwhile_is_not_deleted_as_superseded(hook: SeldonHook) -> None:
    other = deploy({"run_id": "other"}, replace=False)
    first = deploy({"run_id": "first"}, replace=False, name="iris")
    _, rollout = in_flight(name="iris", model_uri=NEW)
    assert sorted(rollout.superseded) == [other["name"]]
    deploy({"run_id": "other"}, replace=False, model_uri="s3://models/iris/3")
    assert hook.complete(rollout) == []
    assert {one.name for one in hook.client.find()} == {first["name"], other["name"]}


@pytest.mark.parametrize("by", ["failure", "operator"])
def test_going_back_does_not_depend_on_who_has_deployed_since(hook: SeldonHook, by: str) -> None:
    """Under a name of the user's own, another DAG may deploy, and another model."""
    before = deploy(name="prod")
    other = {"task": {"dag_id": "other_dag", **NEWER}, "name": "prod", "model_name": "rose"}
    if by == "failure":
        with pytest.raises(RolloutTimeoutError, match="which is ready"):
            deploy(**bad(**other))
    else:
        deploy(**other, model_uri=NEW)
        assert roll_back("prod")["model_name"] == "iris"
    stored = hook.client.get("prod")
    assert stored.annotations[ANNOTATION_DAG_ID] == "train_and_deploy"
    assert stored.annotations[ANNOTATION_REVISION] == before["revision"]
    assert deploy(name="prod")["action"] == "unchanged"


def test_annotations_that_could_never_be_proven_are_refused_before_anything_is_written(
    hook: SeldonHook,
) -> None:
    noise = "".join(random.Random(1).choices(string.ascii_letters + string.digits, k=90_000))
    with pytest.raises(InvalidModelServerError, match="ConfigMap"):
        deploy(model_server={"annotations": {"note": noise}})
    assert hook.client.find() == []
    assert deploy(model_server={"annotations": {"note": "A" * 90_000}})["state"] == "Available"
    assert deploy(model_server={"annotations": {"note": noise[:60_000]}})["state"] == "Available"


def ended_by_a_newer_run(*, deferrable: bool, on_stale: str) -> BaseException:
    """How an older run ends that a newer one deploys over while it waits."""
    arguments = bad(deferrable=deferrable, on_stale=on_stale, timeout=patience(30))
    task = operator(**arguments)
    if deferrable:
        with pytest.raises(TaskDeferred) as deferral:
            task.execute(context(**OLDER))
        deploy(NEWER, model_uri=NEW)
        event = asyncio.run(_event(deferral.value.trigger))
        with pytest.raises(Exception) as ended:  # noqa: PT011
            operator(**arguments).execute_complete(context(**OLDER), event)
        return ended.value
    rollout = task._deploy(context(**OLDER), task._server())
    deploy(NEWER, model_uri=NEW)
    with pytest.raises(Exception) as ended:  # noqa: PT011
        task.wait_for(rollout)
    return ended.value


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize(
    ("on_stale", "how"), [("skip", AirflowSkipException), ("fail", StaleRunError), ("deploy", ReplacedError)]
)
def test_a_run_that_is_overtaken_while_it_waits_ends_as_on_stale_says(
    hook: SeldonHook, deferrable: bool, on_stale: str, how: type[BaseException]
) -> None:
    ended = ended_by_a_newer_run(deferrable=deferrable, on_stale=on_stale)
    assert type(ended) is how
    assert on_stale == "deploy" or "newer run (2026-01-06T00:00:00+00:00 tuesday)" in str(ended)
    (stored,) = hook.client.find()
    assert stored.annotations[ANNOTATION_MODEL_URI] == NEW


@pytest.mark.parametrize("when", ["while it writes", "while it waits"])
def test_a_rollback_that_a_newer_run_overtakes_is_skipped(
    hook: SeldonHook, interference: Interference, when: str
) -> None:
    """Decided anew, or retried, it would go back from the newer run's version to the one that it was to leave."""
    saturday = {"run_id": "saturday", "logical_date": MONDAY.replace(day=3)}
    deploy(saturday)
    name = deploy(saturday | {"run_id": "sunday"}, model_uri="s3://models/iris/2")["name"]
    newer: Callable[[], Any] = lambda: deploy(NEWER, model_uri=NEW)  # noqa: E731
    if when == "while it writes":
        with interference.before("PATCH", newer), pytest.raises(AirflowSkipException, match="newer run"):
            roll_back(name, OLDER)
    else:
        task = SeldonRollbackOperator(task_id="back", name=name, timeout=patience(30), deferrable=False)
        order = task.order(context(**OLDER))
        rollout = hook.roll_back(name, by="monday", order=order)
        newer()
        with pytest.raises(AirflowSkipException, match="newer run"):
            task.wait_for(rollout)
    assert uri(hook, name) == NEW


def test_a_proof_is_that_of_the_run_which_deployed_the_revision_last(hook: SeldonHook) -> None:
    """Else the older one's metrics would be the opponent's, and its place in the order would be gone back to."""
    older = operator(metrics={"auc": 0.1})
    rollout = older._deploy(context(**OLDER), older._server())
    deploy(NEWER, metrics={"auc": 0.9})
    older.wait_for(rollout)
    last = ProvenVersion.last_of(hook.client.get(rollout.name))
    assert last is not None
    assert (last.run_id, '"auc": 0.9' in last.metrics) == ("tuesday", True)
