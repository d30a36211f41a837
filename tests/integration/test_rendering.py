"""Every operator and the sensor, rendered by Airflow itself."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from airflow_provider_seldon.hooks.seldon import SeldonHook
from tests.clusters import patience
from tests.python_process import ask_python

ROOT = Path(__file__).parents[2]


def test_every_task_renders_for_real_and_only_manifest_is_a_file(
    hook: SeldonHook, local_seldon: Any, tmp_path: Path
) -> None:
    # Airflow 3 runs only what is in its DAG folder.
    dags = tmp_path / "dags"
    dags.mkdir()
    shutil.copy(Path(__file__).with_name("rendering_runs.py"), dags)
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW_CONN_SELDON_DEFAULT": local_seldon.airflow_connection(),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "ignore",
    }
    states = ask_python("-m", "tests.integration.rendering_runs", env=environment, timeout=patience(200))
    assert set(states) == {
        *("stage", "deploy", "replace", "apply", "ask", "scale", "roll_back", "wait", "delete0", "delete1")
    }
    assert set(states.values()) == {"success"}
