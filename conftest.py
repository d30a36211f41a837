"""Gives the tests an Airflow home of their own, before anything imports Airflow."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import PurePath

import pytest

_HOME = tempfile.mkdtemp(prefix="seldon-tests-")
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)
os.environ["AIRFLOW_HOME"] = _HOME
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__CORE__UNIT_TEST_MODE"] = "False"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tell pytest-xdist what belongs into one process: a file, whose fixtures cost something, and one Airflow."""
    if not config.pluginmanager.hasplugin("xdist"):
        return
    for item in items:
        path = PurePath(item.location[0])
        if path.name == "test_crash_safety.py":
            continue  # each test has processes of its own, and takes long
        shares_airflow = "platform" in getattr(item, "fixturenames", ())
        item.add_marker(pytest.mark.xdist_group("airflow" if shares_airflow else path.as_posix()))
