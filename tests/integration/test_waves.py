"""One model to three clusters in waves, run by a real Airflow: a run is killed and cleared, and one cluster breaks."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_seldon.local.cluster import LocalSeldon
from airflow_provider_seldon.local.faults import Fault
from airflow_provider_seldon.local.options import LocalOptions
from tests.clusters import namespaces
from tests.integration.test_deploy_operator import deploy
from tests.python_process import ask_python

pytestmark = [pytest.mark.xdist_group("waves"), pytest.mark.timeout(400)]

ROOT = Path(__file__).parents[2]
EARLIER = datetime(2025, 12, 1, tzinfo=UTC)
V1 = "s3://models/iris/1"


@pytest.fixture(scope="module")
def connections() -> Iterator[dict[str, str]]:
    """Three clusters that serve version 1; from then on, one of them refuses to have it changed."""
    slow = LocalOptions(token=None, kubelet="simulated", pod_startup=(0.8, 0.8))
    fast = LocalOptions(token=None, kubelet="simulated", pod_startup=(0.02, 0.1))
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        clusters = {
            region: stack.enter_context(LocalSeldon(slow if region == "eu" else fast))
            for region in ("eu", "us", "asia")
        }
        found = {
            f"AIRFLOW_CONN_SELDON_{region.upper()}": one.airflow_connection()
            for region, one in clusters.items()
        }
        for name, connection in found.items():
            patch.setenv(name, connection)
        namespaces.create(clusters["us"].api_url, "edge")
        for region in clusters:
            who = {"dag_id": "waves", "task_id": f"roll_out.wave_{1 if region == 'eu' else 2}"}
            deploy(
                {**who, "run_id": "before", "logical_date": EARLIER},
                name="iris",
                model_uri=V1,
                seldon_conn_id=f"seldon_{region}",
            )
        clusters["asia"].faults.add(Fault(verb="apply", resource="seldondeployments", count=None, status=403))
        yield found


@pytest.fixture(scope="module")
def runs(connections: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Version 2, killed in the first wave, and the same run cleared; then a run of version 1, which serves already."""
    orders = [
        {"day": 0, "conf": {"version": 2}, "killed_at": "seldon_eu"},
        {"day": 0, "conf": {"version": 2}},
        {"day": 1, "conf": {"version": 1}},
    ]
    folder = tmp_path_factory.mktemp("waves")
    (folder / "dags").mkdir()
    shutil.copy(ROOT / "example_dags" / "waves.py", folder / "dags")
    environment = {
        **os.environ,
        **connections,
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags"),
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "ignore",
        "WAVES_BAKE": "0.1",
    }
    answers: list[dict[str, Any]] = ask_python(
        "-m", "tests.integration.wave_runs", env=environment, given=json.dumps(orders), timeout=380
    )
    return answers


def test_a_run_that_was_killed_and_cleared_undoes_everything_once_a_cluster_breaks(
    runs: list[dict[str, Any]],
) -> None:
    killed, cleared, after = runs
    assert killed is None
    tasks = cleared["tasks"]
    assert cleared["state"] == "failed"
    assert tasks["roll_out.wave_1[0]"] == "success"
    assert tasks["roll_out.wave_2[1]"] == "failed", "Asia refuses"
    for index in (0, 2):
        # Airflow begins them in any order: those that had not begun by then did not begin at all.
        begun = tasks[f"roll_out.wave_2[{index}]"] == "success"
        assert tasks[f"roll_out.wave_2[{index}]"] in {"success", "skipped"}
        assert tasks[f"roll_out.roll_back_2[{index}]"] == ("success" if begun else "skipped")
    back = cleared["xcoms"]["roll_out.roll_back_1[0]"]
    assert (back["action"], back["model_uri"], back["state"]) == ("rolled_back", V1, "Available")
    assert tasks["roll_out.roll_back_2[1]"] == "skipped", "Asia was not changed"
    assert tasks["roll_out.ended"] == "upstream_failed"
    # The next run finds everywhere what it wants, proven to serve; the place that was new is new again.
    actions = {
        name: told and told["action"]
        for name, told in after["xcoms"].items()
        if "wave_" in name and "[" in name and "serves" not in name
    }
    assert actions == {
        "roll_out.wave_1[0]": "unchanged",
        "roll_out.wave_2[0]": "unchanged",
        "roll_out.wave_2[1]": "unchanged",
        "roll_out.wave_2[2]": "created",
    }


def test_a_run_in_which_nothing_fails_succeeds_and_rolls_nothing_back(runs: list[dict[str, Any]]) -> None:
    after = runs[-1]
    assert after["state"] == "success"
    assert after["tasks"]["roll_out.ended"] == "success"
    assert {
        state for name, state in after["tasks"].items() if "roll_back" in name or "some_failed" in name
    } == {"skipped"}
