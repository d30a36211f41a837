"""``smoke_test=``: a version with wrong responses is a failed rollout, and no older one was deleted for it."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred

from airflow_provider_seldon.core.identity.annotations import ANNOTATION_LAST_AVAILABLE
from airflow_provider_seldon.core.readiness.outcome import Outcome
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
from airflow_provider_seldon.core.rollout.history import ProvenVersion, proven_versions
from airflow_provider_seldon.delivery.prediction import smoke_test
from airflow_provider_seldon.delivery.rollout.handoff import Rollout
from airflow_provider_seldon.delivery.target import Target
from airflow_provider_seldon.exceptions import (
    ConnectionConfigError,
    InvalidModelServerError,
    RolloutFailedError,
)
from airflow_provider_seldon.hooks.seldon import SeldonHook
from airflow_provider_seldon.kube.requests.transport import MERGE
from tests.integration.conftest import context
from tests.integration.test_claims import edit, set_uri
from tests.integration.test_deploy_operator import deploy, operator, requests_of_ours
from tests.integration.test_rollback import _event, uri
from tests.integration.test_scale import scale

ROWS = [[5.1, 3.5, 1.4, 0.2]]
RIGHT = {"data": ROWS, "expected": [[0.25, 0.75]]}
WRONG = {"data": ROWS, "expected": [[1.0, 0.0]]}
SECOND = "s3://models/iris/2"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smoke_test, "SETTLE", 0.6)


@pytest.mark.parametrize(
    "given",
    [
        RIGHT,
        [RIGHT, {"data": [*ROWS, *ROWS]}],
        json.dumps(RIGHT),
        {"data": json.dumps(ROWS), "expected": "[[0.3, 0.7]]", "tolerance": "0.06"},
        {"data": {"data": {"ndarray": ROWS}}, "expected": [[0.25, 0.75]]},
    ],
    ids=["dict", "list", "text", "rendered templates", "raw body"],
)
def test_a_version_that_answers_as_expected_is_deployed(hook: SeldonHook, given: Any) -> None:
    result = deploy(smoke_test=given)
    assert (result["action"], result["state"]) == ("created", "Available")
    assert ProvenVersion.last_of(hook.client.get(result["name"])) is not None


def test_a_wrong_answer_is_rolled_back_and_reported_with_request_and_both_answers(hook: SeldonHook) -> None:
    first = deploy(smoke_test=RIGHT)
    with pytest.raises(RolloutFailedError) as caught:
        deploy(model_uri=SECOND, smoke_test=[RIGHT, WRONG])
    text = str(caught.value)
    assert "is ready, but fails its smoke test: " in text
    assert "SmokeTestFailed: request 2 of 2, [[5.1, 3.5, 1.4, 0.2]]" in text
    assert "answered with [[0.25, 0.75]], expected was [[1.0, 0.0]]" in text
    assert f"Rolled back to revision {first['revision']}, which is ready." in text
    assert (caught.value.reason, caught.value.rolled_back_to) == ("SmokeTestFailed", first["revision"])
    assert uri(hook, first["name"]) == "s3://models/iris/1"


def test_a_wrong_answer_is_found_after_a_deferral_as_well(hook: SeldonHook) -> None:
    first = deploy()
    arguments: dict[str, Any] = {"model_uri": SECOND, "smoke_test": WRONG, "deferrable": True}
    with pytest.raises(TaskDeferred) as deployed:
        operator(**arguments).execute(context())
    event = asyncio.run(_event(deployed.value.trigger))
    with pytest.raises(TaskDeferred) as rolled_back:
        operator(**arguments).execute_complete(context(), event)
    event = asyncio.run(_event(rolled_back.value.trigger))
    with pytest.raises(RolloutFailedError, match=r"answered with .* which is ready"):
        operator(**arguments).execute_complete(context(), event)
    assert uri(hook, first["name"]) == "s3://models/iris/1"


def test_nothing_older_is_deleted_and_nothing_is_proven_by_a_version_that_answers_wrongly(
    hook: SeldonHook,
) -> None:
    older = deploy({"run_id": "a"}, replace=False)
    newer = deploy({"run_id": "b"}, replace=False)
    with pytest.raises(RolloutFailedError):
        deploy(model_uri=SECOND, smoke_test=WRONG, on_failure="keep")
    assert {one.name for one in hook.client.find()} == {older["name"], newer["name"]}
    for one in hook.client.find():
        proven = ProvenVersion.last_of(one)
        assert proven is not None
        assert proven.config["model_uri"] == "s3://models/iris/1"


def deploy_while_another_task_sees_it_ready(**arguments: Any) -> None:
    """Scale it to what it has between readiness and smoke test; a reuse would do the same."""
    task = operator(model_uri=SECOND, smoke_test=WRONG, **arguments)
    ask = task.verify

    def verify(rollout: Rollout, outcome: Outcome) -> Outcome:
        assert scale(rollout.name, "configured")["state"] == "Available"
        return ask(rollout, outcome)

    task.verify = verify  # type: ignore[method-assign]
    task.execute(context())


def test_a_wrong_answer_counts_for_more_than_that_another_task_has_seen_it_ready(hook: SeldonHook) -> None:
    first = deploy()
    with pytest.raises(RolloutFailedError, match="which is ready"):
        deploy_while_another_task_sees_it_ready()
    stored = hook.client.get(first["name"])
    assert uri(hook, first["name"]) == "s3://models/iris/1"
    assert [one.withdrawn for one in proven_versions(stored)] == [False, True]
    with pytest.raises(InvalidModelServerError, match="no proven version to go back to"):
        hook.roll_back(first["name"])


def test_what_another_task_has_seen_ready_is_not_deleted_for_a_wrong_answer(hook: SeldonHook) -> None:
    with pytest.raises(RolloutFailedError, match="SmokeTestFailed"):
        deploy_while_another_task_sees_it_ready(on_failure="delete_if_created")
    (left,) = hook.client.find()
    assert not left.to_manifest()["metadata"].get("deletionTimestamp")


def test_a_version_that_was_proven_before_is_left_as_it_is_when_it_answers_wrongly(hook: SeldonHook) -> None:
    deploy()
    name = deploy(model_uri=SECOND)["name"]
    edit(hook, name, set_uri)
    with pytest.raises(RolloutFailedError, match="SmokeTestFailed"):
        deploy(model_uri=SECOND, smoke_test=WRONG)
    assert uri(hook, name) == SECOND


def test_a_retry_after_a_wrong_answer_asks_again(hook: SeldonHook) -> None:
    for _ in range(2):
        with pytest.raises(RolloutFailedError, match="SmokeTestFailed"):
            deploy(smoke_test=WRONG)
    assert deploy(smoke_test=RIGHT)["action"] == "created"


def test_what_this_run_created_can_be_deleted_when_it_answers_wrongly(hook: SeldonHook) -> None:
    with pytest.raises(RolloutFailedError, match="SmokeTestFailed"):
        deploy(smoke_test=WRONG, on_failure="delete_if_created")
    assert [
        one for one in hook.client.find() if not one.to_manifest()["metadata"].get("deletionTimestamp")
    ] == []


def test_a_version_that_the_decision_keeps_or_restarts_gets_no_smoke_test(hook: SeldonHook) -> None:
    first = deploy()
    assert deploy(smoke_test=WRONG, deploy_decision=False)["action"] == "reused"
    hook.stop(first["name"])
    assert deploy(smoke_test=WRONG, deploy_decision=False)["action"] == "restarted"


def test_no_answer_is_a_wrong_answer(
    hook: SeldonHook, local_seldon: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smoke_test, "RETRY_FOR", 0.2)
    connection = json.loads(local_seldon.airflow_connection(ingress_url="http://127.0.0.1:9"))
    monkeypatch.setenv("AIRFLOW_CONN_SELDON_DEFAULT", json.dumps(connection))
    with pytest.raises(RolloutFailedError, match="got no prediction"):
        deploy(smoke_test=RIGHT)


@pytest.fixture
def answered(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The answers to sample requests: who gave them, and how the deployment's children were at that moment."""
    answers: list[dict[str, Any]] = []
    predict = smoke_test.predict

    def note(target: Target, deployment: SeldonDeployment, *arguments: Any, **options: Any) -> Any:
        statuses = [child["status"] for child in target.client.children(deployment.name)]
        done = all(one["updatedReplicas"] == one["replicas"] == one["availableReplicas"] for one in statuses)
        ending = [
            pod["metadata"]["name"]
            for pod in target.client.pods.of_deployment(deployment.name)
            if pod["metadata"].get("deletionTimestamp")
        ]
        answer = predict(target, deployment, *arguments, **options)
        answers.append({**answer["meta"]["tags"], "done": done, "ending": ending})
        return answer

    monkeypatch.setattr(smoke_test, "predict", note)
    return answers


@pytest.mark.simulated_pods("they tell in their answers who they are")
def test_a_sample_is_sent_when_all_that_serves_is_new_and_answered_by_the_new_version(
    hook: SeldonHook, answered: list[dict[str, Any]], local_seldon: Any
) -> None:
    name = deploy(replicas=2)["name"]
    pods = f"/api/v1/namespaces/{hook.namespace}/pods"
    straggler = {
        "metadata": {"name": "old", "labels": {"seldon-deployment-id": name}, "finalizers": ["test/kept"]},
        "spec": {"containers": [{"name": "model", "image": "old:1"}]},
    }
    hook.client._transport.request("POST", pods, body={"apiVersion": "v1", "kind": "Pod", **straggler})
    hook.client._transport.request("DELETE", f"{pods}/old", body={})
    ended = threading.Timer(
        1.5,
        lambda: hook.client._transport.request(
            "PATCH", f"{pods}/old", body={"metadata": {"finalizers": None}}, content_type=MERGE
        ),
    )
    ended.start()
    deploy(model_uri=SECOND, replicas=2, smoke_test=[RIGHT] * 5)
    ended.join()
    assert [(one["modelUri"], one["done"], one["ending"]) for one in answered] == [(SECOND, True, [])] * 5


def test_a_pod_that_does_not_terminate_is_reported_and_blocks_nothing(
    hook: SeldonHook, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(smoke_test, "DRAIN", 0.0)
    monkeypatch.setattr(smoke_test.SmokeTest, "_ending", lambda *_: ["old"])
    assert deploy(smoke_test=RIGHT)["action"] == "created"
    assert "pod old is still terminating" in caplog.text


def split(champion: str = "classifier", challenger: str = "classifier") -> dict[str, Any]:
    """Two predictors, whose graph nodes are called so."""
    return {
        "predictors": [
            {
                "name": name,
                "traffic": traffic,
                "graph": {
                    "name": node,
                    "implementation": "SKLEARN_SERVER",
                    "modelUri": f"s3://models/{name}",
                },
            }
            for name, traffic, node in (("champion", 75, champion), ("challenger", 25, challenger))
        ]
    }


@pytest.mark.simulated_pods("they tell in their answers who they are")
@pytest.mark.parametrize("nodes", [("classifier", "classifier"), ("champion", "challenger")])
def test_each_predictor_with_traffic_is_tested(
    hook: SeldonHook, answered: list[dict[str, Any]], nodes: tuple[str, str]
) -> None:
    deploy(model_uri=None, implementation=None, manifest=split(*nodes), smoke_test=RIGHT)
    assert {one["predictor"] for one in answered} == {"champion", "challenger"}
    if len(set(nodes)) == 1:
        assert len(answered) == 25
    else:
        assert len([one for one in answered if one["predictor"] == "challenger"]) == 1 or len(answered) < 25


def test_a_predictor_that_never_answers_is_a_wrong_answer(
    hook: SeldonHook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the gateway has not taken over the new split."""
    answer = {"data": {"ndarray": [[0.25, 0.75]]}, "meta": {"requestPath": {"champion": ""}}}
    monkeypatch.setattr(smoke_test, "predict", lambda *_, **__: answer)
    with pytest.raises(
        RolloutFailedError, match="not answered by predictor challenger, although it was sent 75"
    ):
        deploy(
            model_uri=None,
            implementation=None,
            manifest=split("champion", "challenger"),
            smoke_test=RIGHT,
        )


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"rows": ROWS}, "data"),
        ([], "empty list"),
        ("five", "smoke_test"),
        ([RIGHT, 5], r"smoke_test\[1\]"),
        ({**RIGHT, "tolerance": "small"}, "tolerance"),
    ],
)
def test_a_smoke_test_that_is_none_is_refused_before_anything_is_sent(
    hook: SeldonHook, local_seldon: Any, given: Any, told: str
) -> None:
    local_seldon.requests.clear()
    with pytest.raises(InvalidModelServerError, match=told):
        deploy(smoke_test=given)
    assert requests_of_ours(local_seldon) == []


def test_without_an_ingress_nothing_is_deployed(
    hook: SeldonHook, local_seldon: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = json.loads(local_seldon.airflow_connection())
    del connection["extra"]["ingress_url"]
    monkeypatch.setenv("AIRFLOW_CONN_SELDON_DEFAULT", json.dumps(connection))
    with pytest.raises(ConnectionConfigError, match="ingress_url"):
        deploy(smoke_test=RIGHT)
    assert hook.client.find() == []


def test_a_smoke_test_needs_the_wait() -> None:
    with pytest.raises(ValueError, match="wait_for_available"):
        operator(smoke_test=RIGHT, wait_for_available=False)


def test_the_proof_is_recorded_only_after_the_answers(hook: SeldonHook) -> None:
    with pytest.raises(RolloutFailedError):
        deploy(smoke_test=WRONG)
    (kept,) = hook.client.find()
    assert ANNOTATION_LAST_AVAILABLE not in kept.annotations
