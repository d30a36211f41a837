"""A deploying DAG against Seldon Core on this machine."""

import pytest
from my_dag import dag  # a file in [core] dags_folder, which is on PYTHONPATH

from airflow_provider_seldon.hooks.seldon import SeldonHook
from airflow_provider_seldon.local.cluster import LocalOptions, LocalSeldon
from airflow_provider_seldon.local.faults import Fault


@pytest.fixture(scope="session")
def seldon():
    with LocalSeldon(LocalOptions(kubelet="simulated")) as local:
        yield local


@pytest.fixture(autouse=True)
def connection(seldon, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_SELDON_DEFAULT", seldon.airflow_connection())


def test_the_model_is_deployed_although_the_api_server_is_busy(seldon):
    seldon.faults.add(Fault(verb="patch", resource="seldondeployments", status=503))
    run = dag.test()
    assert run.state == "success"
    (deployment,) = SeldonHook().find_model_servers(model_name="iris", running=True)
    assert deployment.predictors[0].graph.model_uri.endswith("sklearn/iris")


def test_a_model_whose_files_are_missing_fails_the_task(seldon, monkeypatch):
    misbehave = {"extra_args": {"annotations": {"local.seldon/behaviour": "init-crash"}}}
    monkeypatch.setattr(dag.get_task("deploy"), "model_server", misbehave)
    assert dag.test().state == "failed"
