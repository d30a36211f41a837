"""What Airflow's plugin manager gets: a page where there can be one, nothing elsewhere, and at no cost to speak of."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from tests.airflow_version import AIRFLOW_3

ROOT = Path(__file__).parents[3]
CODE = """
import json, sys
import airflow.configuration, airflow.plugins_manager
before = set(sys.modules)
from airflow_provider_seldon.fleet.plugin import SeldonFleetPlugin as plugin
after = sorted(set(sys.modules) - before)
if getattr(airflow.plugins_manager, "plugins", "") is None:
    airflow.plugins_manager.plugins = []  # as the loader of Airflow 3.1 does first
valid = bool(plugin) and airflow.plugins_manager.is_valid_plugin(plugin)
print(json.dumps([valid, [view["destination"] for view in plugin.external_views] if plugin else [], after]))
"""
#: What the plugin itself is.
OWN = {"airflow_provider_seldon", "airflow_provider_seldon.fleet", "airflow_provider_seldon.fleet.plugin"}


def loaded(connections: str) -> Any:
    environment = {**os.environ, "AIRFLOW__SELDON__FLEET_CONNECTIONS": connections}
    done = subprocess.run(
        [sys.executable, "-c", CODE], env=environment, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(("connections", "there"), [("seldon_default", AIRFLOW_3), ("", False), (" ", False)])
def test_the_plugin_is_loaded_only_when_configured_and_supported_and_imports_nothing(
    connections: str, there: bool
) -> None:
    valid, destinations, modules = loaded(connections)
    assert valid is there
    assert destinations == (["nav", "dag", "task"] if there else [])
    assert set(modules) <= OWN, "every process of Airflow pays for this"


def test_the_entry_point_names_the_plugin() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["airflow.plugins"] == {
        "seldon_fleet": "airflow_provider_seldon.fleet.plugin:SeldonFleetPlugin"
    }


def test_the_pages_files_lie_in_the_package() -> None:
    package = files("airflow_provider_seldon.fleet")
    assert {"fleet.html", "deployment.html"} <= {one.name for one in (package / "templates").iterdir()}
    assert {"page.js", "page.css"} == {one.name for one in (package / "static").iterdir()}
