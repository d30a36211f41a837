"""Gives the tests their own Airflow home, before anything imports Airflow."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from typing import Any

import pytest

_HOME = tempfile.mkdtemp(prefix="seldon-tests-")
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)
os.environ["AIRFLOW_HOME"] = _HOME
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__CORE__UNIT_TEST_MODE"] = "False"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Say what pytest-xdist runs in one process: a file, whose fixtures cost something; all that share an Airflow."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            if file.startswith("tests/e2e/") and not file.endswith("test_demo.py"):
                return "tests/e2e"
            # Each of its tests has its own processes, and takes long.
            return nodeid if file.endswith("test_crash_safety.py") else file

    return Scheduling(config, log)
