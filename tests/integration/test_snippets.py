"""What the documentation tells users to write and to type, on a machine where nothing was set up before."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tests.python_process import run_python

SNIPPETS = Path(__file__).parents[2] / "docs" / "snippets"


def test_the_tests_that_the_documentation_shows_pass(tmp_path: Path) -> None:
    ours = ("AIRFLOW", "PYTEST", "PYTHONPATH", "COV_")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(ours)} | {
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(SNIPPETS / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "PYTHONPATH": str(SNIPPETS / "dags"),
    }
    shutil.copy(SNIPPETS / "test_my_dag.py", tmp_path)
    for command in (["airflow", "db", "migrate"], ["pytest"]):
        printed = run_python("-m", *command, env=environment, cwd=tmp_path)
    assert "2 passed" in printed
