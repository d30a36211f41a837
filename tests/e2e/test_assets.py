"""DAGs that start because a model serves, or no longer does: the two examples, in a real scheduler and triggerer."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest

from airflow_provider_seldon.hooks.seldon import SeldonHook
from airflow_provider_seldon.operators.deploy import SeldonDeployModelOperator
from tests.airflow_version import AIRFLOW_3, AIRFLOW_3_3
from tests.e2e.conftest import NAMESPACE, Platform
from tests.e2e.rest import Rest, TaskInstance, eventually
from tests.integration.conftest import context

pytestmark = pytest.mark.timeout(600)


def first_run(rest: Rest, dag_id: str) -> dict[str, Any] | None:
    """The first run of a DAG, when it has ended well."""
    runs = rest.call("GET", f"/dags/{dag_id}/dagRuns?order_by=id")["dag_runs"]
    if not runs:
        return None
    run: dict[str, Any] = runs[0]
    assert run["state"] != "failed", run
    return run if run["state"] == "success" else None


def xcom(rest: Rest, dag_id: str, run: dict[str, Any], task: str) -> Any:
    """What a task has returned."""
    path = f"/dags/{dag_id}/dagRuns/{quote(run['dag_run_id'])}/taskInstances/{task}/xcomEntries/return_value"
    options = "" if AIRFLOW_3 else "?deserialize=false"
    return rest.call("GET", f"{path}{options}")["value"]


@pytest.fixture(scope="module")
def by_alias(platform: Platform) -> list[TaskInstance]:
    """
    Runs of DAGs that deploy with an alias as outlet.

    One after the other: Airflow 2.11 once started no DAG for one of two events of an alias that came at once.
    """
    rest = platform.airflow.rest
    first = rest.run("deploy_rose", day=1)
    first.wait_for("success")
    with platform.operator_paused():
        second = rest.run("deploy_rose_deferred", day=1)
        platform.airflow.wait_until_deferred(second)
    return [first, second]


@pytest.fixture(scope="module")
def deployed(platform: Platform, by_alias: list[TaskInstance]) -> dict[str, Any]:
    """A run of the DAG that deploys, and nothing else."""
    task = platform.airflow.rest.run("deploy_iris", day=1, version=1)
    task.wait_for("success")
    return {key: task.xcom(key) for key in ("revision", "prediction_url", "action")}


def test_a_version_that_serves_starts_the_dag_that_waits_for_it(
    platform: Platform, deployed: dict[str, Any]
) -> None:
    rest = platform.airflow.rest
    run = eventually("the downstream DAG has run", lambda: first_run(rest, "asset_triggered"))
    assert run["run_type"] in ("asset_triggered", "dataset_triggered")
    served = xcom(rest, "asset_triggered", run, "running_version")
    for fact in (deployed["revision"], deployed["prediction_url"], "s3://models/iris/1", "created"):
        assert fact in str(served)
    assert "s3://models/iris/1" in str(xcom(rest, "asset_triggered", run, "predict")), (
        "the new version served"
    )


def test_an_alias_starts_the_dag_that_waits_for_it_whatever_the_deployment_is_called(
    platform: Platform, by_alias: list[TaskInstance]
) -> None:
    rest = platform.airflow.rest
    for task in by_alias:
        task.wait_for("success")
        name, revision = task.xcom("name"), task.xcom("revision")
        served = eventually(f"a DAG knows of {name}", lambda n=name: told(rest, "alias_triggered", of=n))
        for fact in (revision, "s3://models/deploy_rose", "created", "0.9"):
            assert fact in served
    types = {run["run_type"] for run in rest.runs("alias_triggered")}
    assert types in ({"asset_triggered"}, {"dataset_triggered"})


def told(rest: Rest, dag_id: str, *, of: str) -> str | None:
    """What a run was told of a deployment, when there is one that was and that has ended well."""
    for run in rest.runs(dag_id):
        assert run["state"] != "failed", run
        if run["state"] == "success" and of in (facts := str(xcom(rest, dag_id, run, "running_version"))):
            return facts
    return None


@pytest.mark.skipif(not AIRFLOW_3, reason="Airflow 2 has no asset watchers")
def test_a_version_that_fails_starts_the_dag_that_rolls_it_back(
    platform: Platform, deployed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SELDON_DEFAULT", platform.local.airflow_connection())
    broken = {"annotations": {"local.seldon/behaviour": "never-ready"}, "progressDeadlineSeconds": 1}
    bad = SeldonDeployModelOperator(
        task_id="deploy",
        name="iris",
        model_name="iris",
        model_uri="s3://models/iris/2",
        implementation="SKLEARN_SERVER",
        model_server={"extra_args": broken},
        wait_for_available=False,
    ).execute(context(dag_id="deploy_iris", logical_date=datetime.now(UTC)))
    rest = platform.airflow.rest
    run = eventually("the watching DAG has run", lambda: first_run(rest, "failure_watcher"))
    told = str(xcom(rest, "failure_watcher", run, "alert"))
    for fact in ("failed", "ProgressDeadlineExceeded", bad["revision"], NAMESPACE):
        assert fact in told
    hook = SeldonHook()
    assert hook.get_model_server_info("iris").revision == deployed["revision"]
    if AIRFLOW_3_3:
        with closing(sqlite3.connect(platform.airflow.folder / "airflow.db")) as database:
            (remembered,) = database.execute("SELECT value FROM asset_state_store").fetchone()
        assert "failed" in remembered
