"""A task writes down what the fleet page shows, so that the API server needs no credentials of the cluster."""

from __future__ import annotations

import pytest

from airflow_provider_seldon.core.fleet.snapshot import Snapshot
from airflow_provider_seldon.exceptions import RolloutError
from airflow_provider_seldon.hooks import fleet
from airflow_provider_seldon.local.cluster import LocalSeldon
from airflow_provider_seldon.operators.deploy import SeldonDeployModelOperator
from airflow_provider_seldon.operators.fleet import SeldonFleetSnapshotOperator
from tests.integration.conftest import context


def test_the_picture_has_what_failed_with_its_diagnosis_and_the_failed_task_says_why(
    local_seldon: LocalSeldon, fresh_namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SELDON_DEFAULT", local_seldon.airflow_connection())
    task = SeldonDeployModelOperator(
        task_id="deploy",
        model_name="iris",
        model_uri="s3://models/iris/1",
        implementation="SKLEARN_SERVER",
        namespace=fresh_namespace,
        model_server={"extra_args": {"annotations": {"local.seldon/behaviour": "crash:3"}}},
        on_failure="keep",
        timeout=60,
    )
    run = context()
    with pytest.raises(RolloutError) as raised:
        task.execute(run)
    assert run["ti"].pushed["failure"] == str(raised.value).partition("\n")[0][:500]
    assert "does not become ready" in run["ti"].pushed["failure"]

    # A task that runs in Airflow writes by Airflow's own API; here nobody runs it.
    written: dict[str, str] = {}
    monkeypatch.setattr(fleet, "write_variable", written.__setitem__)
    counts = SeldonFleetSnapshotOperator(task_id="look", namespace=fresh_namespace).execute(context())
    assert counts == {"failed": 1}
    (name, text) = written.popitem()
    assert name == f"seldon_fleet.seldon_default.{fresh_namespace}"
    (detail,) = Snapshot.unpack(text).details
    assert detail.deployment.model_uri == "s3://models/iris/1"
    assert "exit code 3" in detail.deployment.cause
    assert "exit code 3" in detail.diagnosis
