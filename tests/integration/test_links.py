"""Links and retries as a user meets them: real task runs, and the links asked for as the web server does."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
from airflow_provider_seldon.hooks.seldon import SeldonHook
from tests.airflow_version import AIRFLOW_3_3
from tests.clusters import clusters, patience
from tests.clusters.model_store import readable
from tests.python_process import ask_python

ROOT = Path(__file__).parents[2]
#: A deployment of another owner, in another protocol.
FOREIGN = {
    "apiVersion": "machinelearning.seldon.io/v1",
    "kind": "SeldonDeployment",
    "metadata": {"name": "theirs"},
    "spec": {
        "protocol": "v2",
        "predictors": [
            {
                "name": "default",
                "graph": readable(
                    {
                        "name": "model",
                        "implementation": "SKLEARN_SERVER",
                        "modelUri": "s3://models/theirs",
                        "type": "MODEL",
                    }
                ),
            }
        ],
    },
}


@pytest.fixture(scope="module")
def local(shared_local_seldon: Any) -> Any:
    return shared_local_seldon


@pytest.fixture(scope="module")
def runs(local: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What a process of its own tells of its DAG runs."""
    home = tmp_path_factory.mktemp("links")
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW_CONN_SELDON_DEFAULT": local.airflow_connection(),
        "AIRFLOW__SELDON__DASHBOARD_URL": "https://grafana.example.com/d/1?ns={namespace}&d={name}&r={revision}",
        "AIRFLOW__CORE__DAGS_FOLDER": str(Path(__file__).parent / "dags"),
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "ignore",
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_SELDON_DEFAULT", local.airflow_connection())
        hook = SeldonHook()
        hook.client.apply(SeldonDeployment.from_manifest(FOREIGN))
        try:
            told = ask_python("-m", "tests.integration.task_runs", env=environment, timeout=patience(200))
        finally:
            for deployment in hook.client.find():
                hook.client.delete(deployment.name, propagation="Background")
    return told


def links(base: str, name: str, *, protocol: str = "seldon") -> dict[str, str]:
    """The links of a task that works on a deployment; the dashboard's without a revision."""
    namespace = clusters().namespace
    url = f"{base}/seldon/{namespace}/{name}"
    v2 = protocol == "v2"
    return {
        "Prediction endpoint": url + ("/v2/models/model/infer" if v2 else "/api/v1.0/predictions"),
        "Seldon API": url + ("/v2/docs/" if v2 else "/api/v1.0/doc/"),
        "Dashboard": f"https://grafana.example.com/d/1?ns={namespace}&d={name}&r=",
    }


def without_revision(told: dict[str, str]) -> dict[str, str]:
    return {**told, "Dashboard": told["Dashboard"].split("&r=")[0] + "&r="}


def test_the_tasks_end_as_they_should(runs: Any) -> None:
    failed = {"fail", "forget", "wait_for_broken", "refuse"}
    assert {key for key, state in runs["states"].items() if state == "failed" and "." not in key} == failed
    assert {key for key, state in runs["states"].items() if state == "success"} == {
        *("deploy", "replace", "scale", "roll_back", "predict[0]", "predict[1]", "wait")
    }


@pytest.mark.parametrize(
    ("task", "name"),
    [
        *((task, "linked") for task in ("deploy", "replace", "scale", "roll_back")),
        *((task, "broken") for task in ("fail", "wait_for_broken")),
        ("forget", "forgotten"),
    ],
)
def test_links_are_there_while_the_task_is_deferred_and_stay(
    runs: Any, local: Any, task: str, name: str
) -> None:
    told = runs["deferred"][task]
    assert without_revision(told) == links(local.gateway_url, name)
    assert runs["ended"][task] == told


def test_the_dashboard_gets_the_revision_that_the_task_is_about(runs: Any) -> None:
    revision = {task: told["Dashboard"].split("&r=")[1] for task, told in runs["ended"].items()}
    assert len({revision["deploy"], revision["replace"], revision["scale"]}) == 3
    assert revision["roll_back"] == revision["replace"] == revision["predict[0]"]
    assert revision["wait_for_broken"] == revision["fail"]


def test_a_mapped_task_has_the_links_of_each_deployment(runs: Any, local: Any) -> None:
    assert without_revision(runs["ended"]["predict[0]"]) == links(local.gateway_url, "linked")
    assert runs["ended"]["predict[1]"] == links(local.gateway_url, "theirs", protocol="v2")


def test_a_sensor_links_to_the_deployment_of_another_owner(runs: Any, local: Any) -> None:
    assert runs["ended"]["wait"] == links(local.gateway_url, "theirs", protocol="v2")


def test_what_was_refused_before_anything_was_sent_has_no_links_and_is_not_tried_again(runs: Any) -> None:
    assert "refuse" not in runs["ended"]
    assert runs["tries"]["refuse"] == 1


@pytest.mark.parametrize(
    ("error", "without_policy", "with_policy"),
    [
        ("InvalidModelServerError", 1, 1),
        ("ForbiddenError", 2, 1),
        ("ServerUnavailableError", 2, 2),
        ("RolloutFailedError", 2, 2),
    ],
)
def test_a_task_is_tried_again_where_that_can_help(
    runs: Any, error: str, without_policy: int, with_policy: int
) -> None:
    assert runs["tries"][f"plain.{error}"] == without_policy
    if AIRFLOW_3_3:
        assert runs["tries"][f"policy.{error}"] == with_policy
