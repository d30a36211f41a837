"""Asset events in Airflow's database, and events of the real OpenLineage provider, after real runs with dag.test()."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_seldon.local.cluster import LocalSeldon
from airflow_provider_seldon.local.options import LocalOptions
from tests.python_process import run_python

ROOT = Path(__file__).parents[2]
SCRIPT = """
import json, os
from airflow.models.dagbag import DagBag
from airflow.utils.db import initdb
from tests.airflow_version import AIRFLOW_3
from tests.integration.example_runs import run

initdb()
if not AIRFLOW_3:
    # There dag.test() does not tell the database of the DAG's assets, as the scheduler does.
    DagBag(os.environ["AIRFLOW__CORE__DAGS_FOLDER"]).sync_to_db()
states = [run({"dag": "flowers", "conf": conf}, day=day)["state"] for day, conf in enumerate(CONFS)]
with open("states", "w") as file:
    json.dump(states, file)
"""
DAG = """
from datetime import datetime
from airflow.providers.common.compat.sdk import AssetAlias, DAG
from airflow_provider_seldon.assets import seldon_asset
from airflow_provider_seldon.operators.deploy import SeldonDeployModelOperator

with DAG("flowers", schedule=None, start_date=datetime(2026, 1, 1)):
    SeldonDeployModelOperator(
        task_id="deploy",
        model_name="iris",
        name="iris",
        model_uri="s3://store/iris/{{ dag_run.conf['version'] }}",
        implementation="SKLEARN_SERVER",
        metrics={"accuracy": 0.93},
        model_server={
            "extra_args": {"annotations": {"local.seldon/behaviour": "{{ dag_run.conf.get('behaviour', '') }}"}}
        },
        failure_policy={"suspect_after": 0.2},
        outlets=[seldon_asset("models", "iris"), AssetAlias("irises")],
        deferrable=True,
        timeout=60,
    )
"""
#: One run that deploys, one that changes nothing, one that fails and is rolled back.
CONFS = [{"version": 1}, {"version": 1}, {"version": 2, "behaviour": "invalid-image"}]


@dataclass(frozen=True, kw_only=True)
class Told:
    """
    What the three runs have told.

    :param states: how each ended.
    :param assets: URI and extra of each asset event.
    :param lineage: OpenLineage events of the task.
    """

    states: list[str]
    assets: list[tuple[str, dict[str, Any]]]
    lineage: list[dict[str, Any]]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    folder = tmp_path_factory.mktemp("lineage")
    (folder / "dags").mkdir()
    (folder / "dags" / "flowers.py").write_text(DAG)
    transport = {"type": "file", "log_file_path": str(folder / "lineage.jsonl"), "append": True}
    with LocalSeldon(LocalOptions(kubelet="simulated", namespace="models", pod_startup=(0.02, 0.1))) as local:
        environment = {
            **os.environ,
            "AIRFLOW_HOME": str(folder / "airflow"),
            "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags"),
            "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(transport),
            "AIRFLOW_CONN_SELDON_DEFAULT": local.airflow_connection(),
            "PYTHONPATH": str(ROOT),
            "PYTHONWARNINGS": "ignore",
        }
        run_python("-c", f"CONFS = {CONFS}{SCRIPT}", env=environment, cwd=folder)
    events = [json.loads(line) for line in (folder / "lineage.jsonl").read_text().splitlines()]
    return Told(
        states=json.loads((folder / "states").read_text()),
        assets=asset_events(folder / "airflow" / "airflow.db"),
        lineage=[one for one in events if one["job"]["name"] == "flowers.deploy"],
    )


def asset_events(database: Path) -> list[tuple[str, dict[str, Any]]]:
    with closing(sqlite3.connect(database)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        kind = "asset" if "asset_event" in tables else "dataset"
        rows = connection.execute(
            f"SELECT {kind}.uri, {kind}_event.extra FROM {kind}_event JOIN {kind} ON {kind}.id = {kind}_id "
            f"ORDER BY {kind}_event.id"
        )
        return [(uri, json.loads(extra)) for uri, extra in rows]


def test_only_a_new_running_version_has_an_event_by_its_asset_and_by_its_alias(told: Told) -> None:
    assert told.states == ["success", "success", "failed"]
    (uri, extra), (same_uri, same_extra) = told.assets
    assert uri == same_uri == "seldon://models/iris"
    assert extra == same_extra
    assert (extra["action"], extra["model_uri"], extra["metrics"]) == (
        "created",
        "s3://store/iris/1",
        {"accuracy": 0.93},
    )
    assert extra["prediction_url"].endswith("/seldon/models/iris/api/v1.0/predictions")


def test_a_version_that_serves_goes_from_its_model_to_its_endpoint(told: Told) -> None:
    first, unchanged = (one for one in told.lineage if one["eventType"] == "COMPLETE")
    for event in (first, unchanged):
        assert names(event["inputs"]) == [("s3://store", "iris/1")]
        assert names(event["outputs"]) == [("seldon://models", "iris")]
    facets = first["outputs"][0]["facets"]
    _, extra = told.assets[0]
    assert facets["version"]["datasetVersion"] == extra["revision"]
    assert (facets["dataSource"]["name"], facets["dataSource"]["uri"]) == ("iris", extra["prediction_url"])


def test_a_version_that_failed_names_what_should_have_served_but_no_version(told: Told) -> None:
    (failed,) = (one for one in told.lineage if one["eventType"] == "FAIL")
    assert names(failed["inputs"]) == [("s3://store", "iris/2")]
    assert names(failed["outputs"]) == [("seldon://models", "iris")]
    assert "version" not in failed["outputs"][0].get("facets", {})


def names(datasets: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(one["namespace"], one["name"]) for one in datasets]
