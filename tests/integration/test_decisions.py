"""Deploy decisions, from the DAG file to the cluster: templating, serialization, metrics, negative answers."""

from __future__ import annotations

import copy
import json
from datetime import datetime
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowSkipException, XComArg

from airflow_provider_seldon.analysis import ErrorRatio
from airflow_provider_seldon.core.identity.annotations import ANNOTATION_METRICS, ANNOTATION_MODEL_URI
from airflow_provider_seldon.core.request.model_metrics import RecordedMetrics
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
from airflow_provider_seldon.decisions import (
    AllOf,
    AnyOf,
    BeatsServing,
    Decision,
    Evidence,
    MetricThreshold,
    RunningVersionFails,
)
from airflow_provider_seldon.exceptions import (
    ConflictError,
    DeployDecisionError,
    InvalidModelServerError,
    RolloutFailedError,
    TurnedDownError,
)
from airflow_provider_seldon.hooks.seldon import SeldonHook
from airflow_provider_seldon.kube.requests.client import SeldonClient
from airflow_provider_seldon.operators.deploy import SeldonDeployModelOperator
from tests.clusters.misbehaviour import behaving
from tests.integration.conftest import context, scale_by_kubectl
from tests.integration.test_deploy_operator import deploy, operator, requests_of_ours
from tests.integration.test_seed_defects import operator_paused, set_status

BEATS = BeatsServing("auc", minimum_gain=0.01)


def candidate(version: int, auc: float, **more: Any) -> dict[str, Any]:
    return {
        "model_uri": f"s3://models/iris/{version}",
        "metrics": {"auc": auc},
        "deploy_decision": BEATS,
        **more,
    }


def serving_uri(hook: SeldonHook) -> str:
    return hook.client.find()[0].annotations[ANNOTATION_MODEL_URI]


def test_the_candidate_has_to_beat_the_running_version(hook: SeldonHook) -> None:
    first = deploy(**candidate(1, 0.9))
    assert first["action"] == "created"
    assert "no version is running" in first["decision"]
    worse = deploy(**candidate(2, 0.905))
    assert (worse["action"], worse["model_uri"]) == ("reused", "s3://models/iris/1")
    assert "auc 0.905 against 0.9 of the running" in worse["decision"]
    better = deploy(**candidate(3, 0.91))
    assert (better["action"], better["model_uri"]) == ("updated", "s3://models/iris/3")
    assert better["decision"].startswith("deploy: BeatsServing: auc 0.91 against 0.9")
    recorded = hook.client.get(better["name"]).annotations[ANNOTATION_METRICS]
    assert RecordedMetrics.from_json(recorded).values == {"auc": 0.91}


def test_a_version_that_never_served_is_not_the_one_to_beat(hook: SeldonHook) -> None:
    deploy(**candidate(1, 0.9))
    broken = behaving("crash")
    with pytest.raises(RolloutFailedError):
        deploy(**candidate(2, 0.99), model_server=broken, on_failure="keep")
    better = deploy(**candidate(3, 0.95))
    assert (better["action"], better["model_uri"]) == ("updated", "s3://models/iris/3")


def test_a_rule_sees_only_what_the_write_is_made_on(hook: SeldonHook, local_seldon: Any) -> None:
    """A better model that is deployed between the read and the write turns the decision around."""
    from airflow_provider_seldon.local.faults import Fault

    deploy(**candidate(1, 0.9))
    local_seldon.faults.add(Fault(verb="apply", resource="seldondeployments", status=409))
    asked = []

    def decide(evidence: Evidence) -> Decision:
        asked.append(evidence.deployment)
        return Decision(deploy=True, reason="test")

    assert deploy(model_uri="s3://models/iris/2", deploy_decision=decide)["action"] == "updated"
    assert len(asked) == 2


@pytest.mark.parametrize("state", ["serving", "stopped"])
def test_a_negative_decision_can_keep_things_exactly_as_they_are(
    hook: SeldonHook, local_seldon: Any, state: str
) -> None:
    first = deploy()
    if state == "stopped":
        hook.stop(first["name"])
    before = hook.client.get(first["name"]).to_manifest()["spec"]
    local_seldon.requests.clear()
    assert deploy(model_uri="s3://x/2", deploy_decision=False, on_negative="keep")["action"] == "kept"
    assert requests_of_ours(local_seldon) == ["list seldondeployments"]
    assert hook.client.get(first["name"]).to_manifest()["spec"] == before


def test_a_deployment_that_was_stopped_by_hand_is_started_again(hook: SeldonHook) -> None:
    name = deploy()["name"]
    scale_by_kubectl(hook, name, 0)
    again = deploy(model_uri="s3://models/iris/worse", deploy_decision=False)
    assert (again["action"], again["state"], again["model_uri"]) == (
        "restarted",
        "Available",
        "s3://models/iris/1",
    )
    assert [child["status"]["availableReplicas"] for child in hook.client.children(name)] == [1]


@pytest.mark.own_operator("it pauses")
def test_a_repair_by_hand_is_not_undone_unless_forced(hook: SeldonHook, local_seldon: Any) -> None:
    deploy()
    name = deploy(model_uri="s3://models/iris/2", wait_for_available=False)["name"]
    by_hand = hook.client.get(name).to_manifest()
    by_hand["spec"]["predictors"][0]["graph"]["modelUri"] = "s3://models/iris/by-hand"
    client = SeldonClient(hook.api_client, namespace=hook.namespace, field_manager="kubectl-edit")
    with operator_paused(local_seldon):
        client.apply(SeldonDeployment.from_manifest(by_hand), force=True)
        set_status(hook, name, {"state": "Failed", "description": "broken"})
        with pytest.raises(ConflictError, match="kubectl-edit"):
            deploy(deploy_decision=False, wait_for_available=False)
        again = deploy(deploy_decision=False, wait_for_available=False, force_conflicts=True)
        assert (again["action"], again["model_uri"]) == ("restarted", "s3://models/iris/1")


def test_a_negative_decision_can_skip_or_fail_the_task(hook: SeldonHook) -> None:
    deploy(**candidate(1, 0.9))
    with pytest.raises(AirflowSkipException, match=r"auc 0.5 against 0.9"):
        deploy(**candidate(2, 0.5), on_negative="skip")
    with pytest.raises(TurnedDownError, match=r"auc 0.5 against 0.9"):
        deploy(**candidate(2, 0.5), on_negative="fail")
    assert serving_uri(hook) == "s3://models/iris/1"


def test_a_negative_decision_with_nothing_there_can_skip_or_fail(hook: SeldonHook) -> None:
    threshold = {"metrics": {"auc": 0.5}, "deploy_decision": MetricThreshold("auc", at_least=0.8)}
    with pytest.raises(AirflowSkipException, match=r"auc 0.5 is not at least 0.8"):
        deploy(**threshold, on_negative_empty="skip")
    with pytest.raises(DeployDecisionError, match="no version of this model is running"):
        deploy(**threshold, on_negative_empty="fail")
    assert hook.client.find() == []
    assert deploy(**threshold)["action"] == "created"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"deploy_decision": BEATS}, DeployDecisionError),
        ({"deploy_decision": BEATS, "metrics": "{'auc': 1}"}, InvalidModelServerError),
        ({"deploy_decision": AllOf(True, "None")}, DeployDecisionError),
    ],
)
def test_a_decision_that_cannot_be_made_deploys_nothing(
    hook: SeldonHook, arguments: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        deploy(**arguments)
    assert hook.client.find() == []


def always(evidence: Evidence) -> bool:
    return bool(evidence.candidate)


def rendered(task: SeldonDeployModelOperator, **variables: Any) -> SeldonDeployModelOperator:
    """The task as a worker gets it: copied, and with its templates rendered."""
    worker = copy.deepcopy(task)
    worker.render_template_fields({**context(), **variables})
    return worker


@pytest.mark.parametrize(
    "decision",
    [
        BEATS,
        MetricThreshold("auc", at_least=0.8),
        AllOf(MetricThreshold("auc", at_least=0.8), "{{ approved }}"),
        AnyOf("{{ approved }}", always),
        always,
    ],
)
def test_decision_objects_survive_templating(decision: Any) -> None:
    from airflow_provider_seldon.core.rollout.decision import decide

    with DAG("train", schedule=None, start_date=datetime(2026, 1, 1)):
        task = operator(deploy_decision=decision, metrics="{{ metrics | tojson }}")
    evidence = Evidence(
        candidate={"auc": 0.9}, serving={"auc": 0.5}, deployment="x", now=datetime(2026, 1, 1)
    )
    for approved in (True, False):
        worker = rendered(task, approved=approved, metrics={"auc": 0.9})
        assert json.loads(worker.metrics) == {"auc": 0.9}
        said = decide(worker.deploy_decision, evidence)
        assert said.deploy is (approved or not isinstance(decision, AllOf) or isinstance(decision, AnyOf))


def test_an_xcom_inside_of_a_decision_makes_a_dependency() -> None:
    from airflow.providers.common.compat.sdk import BaseOperator

    with DAG("train", schedule=None, start_date=datetime(2026, 1, 1)):
        approve = BaseOperator(task_id="approve")
        task = operator(deploy_decision=AllOf(BEATS, XComArg(approve)))
    assert task.upstream_task_ids == {"approve"}


class ResolvesTo:
    """What an XCom is to a worker of Airflow 2.11, which leaves it as it is when it is false."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def resolve(self, context: Any) -> Any:
        return self._value


def test_an_xcom_that_is_false_is_a_no_on_every_airflow(hook: SeldonHook) -> None:
    with pytest.raises(AirflowSkipException):
        deploy(deploy_decision=ResolvesTo(False), on_negative_empty="skip")


@pytest.mark.parametrize("mapped", [False, True])
def test_decision_objects_survive_serialization_of_the_dag_and_do_not_change_its_version(
    mapped: bool,
) -> None:
    def serialized() -> str:
        with DAG("train", schedule=None, start_date=datetime(2026, 1, 1)) as dag:
            running = RunningVersionFails(metrics=[ErrorRatio(at_most=0.01)])
            decision = AllOf(BEATS, MetricThreshold("auc", at_most=1), running, always)
            if mapped:
                partial = SeldonDeployModelOperator.partial(
                    task_id="deploy", model_uri="s3://x/1", implementation="X", deploy_decision=decision
                )
                partial.expand(model_name=["a", "b"])
            else:
                operator(deploy_decision=decision)
        return json.dumps(serializer().to_dict(dag), sort_keys=True, default=str)

    text = serialized()
    assert text == serialized()
    assert " at 0x" not in text
    assert "BeatsServing" in text
    assert "ErrorRatio(at_most=0.01" in text
    serializer().from_dict(json.loads(text))


def serializer() -> Any:
    try:
        from airflow.serialization.serialized_objects import DagSerialization  # Airflow 3.1 and later
    except ImportError:
        from airflow.serialization.serialized_objects import SerializedDAG as DagSerialization
    return DagSerialization
