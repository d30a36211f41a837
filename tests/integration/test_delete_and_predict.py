"""Deleting and asking for predictions, against Seldon Core on this machine."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
from airflow_provider_seldon.exceptions import (
    InvalidModelServerError,
    NotManagedError,
    PredictionError,
    RolloutTimeoutError,
)
from airflow_provider_seldon.hooks.seldon import SeldonHook
from airflow_provider_seldon.kube.requests.client import SeldonClient
from airflow_provider_seldon.operators.delete import SeldonDeleteModelOperator
from airflow_provider_seldon.operators.deploy import SeldonDeployModelOperator
from airflow_provider_seldon.operators.predict import SeldonPredictOperator
from tests.clusters import patience
from tests.clusters.misbehaviour import behaving
from tests.integration.conftest import context


def deploy(dag_id: str = "train", run_id: str = "run", **arguments: Any) -> str:
    defaults: dict[str, Any] = {
        "task_id": "deploy",
        "model_name": "iris",
        "model_uri": "s3://models/iris",
        "implementation": "SKLEARN_SERVER",
        "timeout": patience(30),
        "deferrable": False,
    }
    operator = SeldonDeployModelOperator(**{**defaults, **arguments})
    return str(operator.execute(context(dag_id=dag_id, run_id=run_id))["name"])


def delete(**arguments: Any) -> list[str]:
    return SeldonDeleteModelOperator(task_id="delete", timeout=patience(30), **arguments).execute(context())


def predict(**arguments: Any) -> Any:
    return SeldonPredictOperator(task_id="predict", retry_for=2, **arguments).execute(context())


def test_a_deployment_goes_with_its_children_and_a_retry_finds_nothing_to_do(hook: SeldonHook) -> None:
    name = deploy()
    assert delete(name=name) == [name]
    assert hook.client.find() == []
    assert hook.client.children(name) == []
    assert hook.client.pods.of_deployment(name) == []
    assert delete(name=name) == []


def test_selectors_combine(hook: SeldonHook) -> None:
    kept = deploy("other")
    gone = {deploy(run_id="a", replace=False), deploy(run_id="b", replace=False)}
    assert set(delete(model_name="iris", dag_id_of_deployer="train")) == gone
    assert [one.name for one in hook.client.find()] == [kept]


def test_nothing_given_deletes_nothing(hook: SeldonHook) -> None:
    deploy()
    with pytest.raises(InvalidModelServerError, match="deleting everything is not supported"):
        delete(name="", model_name=None)
    assert len(hook.client.find()) == 1


def test_another_owners_deployment_is_deleted_only_on_request(hook: SeldonHook) -> None:
    graph = {"name": "m", "implementation": "SKLEARN_SERVER", "modelUri": "gs://theirs"}
    theirs = {
        "apiVersion": "machinelearning.seldon.io/v1",
        "kind": "SeldonDeployment",
        "metadata": {"name": "theirs"},
        "spec": {"predictors": [{"name": "main", "graph": graph}]},
    }
    SeldonClient(hook.api_client, namespace=hook.namespace, field_manager="kubectl").apply(
        SeldonDeployment.from_manifest(theirs)
    )
    with pytest.raises(NotManagedError, match="kubectl"):
        delete(name="theirs")
    assert delete(name="theirs", managed_only=False) == ["theirs"]


@pytest.mark.parametrize("protocol", ["seldon", "v2"])
def test_a_prediction_in_the_deployments_own_protocol(hook: SeldonHook, protocol: str) -> None:
    name = deploy(protocol=protocol)
    rows = hook.predictions(name, [[1.0, 2.0], [3.0, 4.0]])
    assert len(rows) == 2
    assert predict(name=name, data=[[1.0, 2.0], [3.0, 4.0]], expected=rows)
    assert predict(name=name, data="[[1.0, 2.0]]", expected=lambda answer: bool(answer))


def test_a_deletion_does_not_wait_for_the_pods_of_what_has_the_name_by_now(hook: SeldonHook) -> None:
    deleted = hook.client.get(deploy(name="iris"))
    hook.delete_model_server("iris", timeout=patience(20))
    assert hook.client.get(deploy(name="iris")).uid != deleted.uid
    hook.client.wait_until_deleted("iris", uid=deleted.uid, timeout=0)
    with pytest.raises(RolloutTimeoutError, match="the deployment itself"):
        hook.client.wait_until_deleted("iris", timeout=0)


def test_a_wrong_prediction_fails_the_smoke_test_with_both_values(hook: SeldonHook) -> None:
    name = deploy()
    with pytest.raises(PredictionError, match="expected"):
        predict(name=name, data=[[1.0, 2.0]], expected=[[9.0, 9.0]])


def test_a_model_that_does_not_respond_is_reported_after_a_while(hook: SeldonHook) -> None:
    name = deploy(model_server=behaving("never-ready"), wait_for_available=False)
    with pytest.raises(PredictionError, match="503") as caught:
        predict(name=name, data=[[1.0]])
    assert caught.value.status == 503


def test_stopped_and_started_again_it_serves_with_its_own_configuration(hook: SeldonHook) -> None:
    name = deploy(replicas=2)
    hook.stop(name)
    assert hook.client.get(name).to_manifest()["spec"]["predictors"][0]["replicas"] == 0
    hook.start(name)
    assert hook.client.get(name).to_manifest()["spec"]["predictors"][0]["replicas"] == 2


def test_logs_of_every_container_that_has_something_to_say(hook: SeldonHook) -> None:
    name = deploy()
    lines = list(hook.get_logs(name, tail=5))
    assert any("classifier]" in line for line in lines)
    assert any("seldon-container-engine]" in line for line in lines)


def test_the_filters_of_a_search(hook: SeldonHook) -> None:
    name = deploy("train", "run-7")
    assert [one.name for one in hook.find_model_servers(running=True, run_id="run-7")] == [name]
    assert hook.find_model_servers(run_id="run-8") == []
    assert hook.find_model_servers(model_uri="s3://models/other") == []
    assert [one.name for one in hook.find_model_servers(implementation="SKLEARN_SERVER")] == [name]
    assert hook.get_model_server_info(name).to_dict()["run_id"] == "run-7"


def test_the_connection_test_says_what_is_missing(hook: SeldonHook, monkeypatch: pytest.MonkeyPatch) -> None:
    assert hook.test_connection()[0] is True
    monkeypatch.setenv(
        "AIRFLOW_CONN_NOWHERE",
        '{"conn_type": "seldon", "extra": {"kube_config_path": "/nowhere/kubeconfig"}}',
    )
    works, message = SeldonHook("nowhere").test_connection()
    assert works is False
    assert "/nowhere/kubeconfig" in message
