"""What Airflow 2.11's database says about where a deployment comes from; the APIs of Airflow 3 have unit tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.airflow_version import AIRFLOW_3
from tests.python_process import ask_python


@pytest.mark.skipif(AIRFLOW_3, reason="tasks have no access to the database there")
def test_the_database_reports_dags_and_tasks_and_an_import_error_makes_no_orphan(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "PYTHONWARNINGS": "ignore",
    }
    assert ask_python("-m", "tests.integration.origin_lookups", env=environment) == {
        "known": ["present", "gone"],
        "stale": ["gone", "gone"],
        "broken": ["unknown", "unknown"],
        "nowhere": ["unheard_of", "unheard_of"],
    }
