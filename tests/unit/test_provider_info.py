"""The provider info for Airflow: valid, complete, importing nothing, and shown by Airflow's own commands."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import pkgutil
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from airflow.providers.common.compat.sdk import BaseHook, BaseOperator, BaseOperatorLink, BaseSensorOperator
from airflow.triggers.base import BaseTrigger

import airflow_provider_seldon
from airflow_provider_seldon.get_provider_info import get_provider_info
from tests.python_process import ask_python

INFO: dict[str, Any] = get_provider_info()
PACKAGE = "airflow_provider_seldon"

#: Airflow reads the information while its own configuration is being built, so nothing may be imported.
PROBE = """
import sys
before = set(sys.modules)
from airflow_provider_seldon.get_provider_info import get_provider_info
get_provider_info()
answer(sorted(set(sys.modules) - before))
"""

#: Each costs seconds to start, so all run in one process.
COMMANDS = {
    "list": "providers list -o json",
    "get": "providers get airflow-provider-seldon --full -o json",
    "hooks": "providers hooks -o json",
    "links": "providers links -o json",
    "triggers": "providers triggers -o json",
    "configs": "providers configs -o json",
    "options": "config list --section seldon --default --include-descriptions --include-examples",
}
COMMAND_PROBE = f"""
import contextlib, io, json, sys
from airflow.__main__ import main
said = {{}}
for name, command in {COMMANDS!r}.items():
    sys.argv = ["airflow", *command.split()]
    with contextlib.redirect_stdout(io.StringIO()) as out:
        main()
    said[name] = out.getvalue()
answer(said)
"""


def run(probe: str, **environment: str) -> Any:
    probe = f"from tests.python_process import answer\n{probe}"
    return ask_python("-W", "ignore", "-c", probe, env={**os.environ, **environment})


def load(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def listed(kind: str) -> set[str]:
    return {module for entry in INFO[kind] for module in entry["python-modules"]}


def test_the_entry_point_imports_nothing_but_itself() -> None:
    assert run(PROBE) == ["airflow_provider_seldon", "airflow_provider_seldon.get_provider_info"]


def test_it_is_valid_by_the_schema_of_this_airflow() -> None:
    schema = json.loads(files("airflow").joinpath("provider_info.schema.json").read_text())
    jsonschema.validate(INFO, schema)
    # That of Airflow 2.11 lets any key pass, and does not know what is only for documentation.
    if "operators" in schema["properties"]:
        assert set(INFO) <= set(schema["properties"])


@pytest.mark.parametrize(
    ("kind", "base"),
    [
        ("operators", BaseOperator),
        ("sensors", BaseSensorOperator),
        ("triggers", BaseTrigger),
        ("hooks", BaseHook),
    ],
)
def test_every_module_with_a_class_for_users_is_named_and_imports(kind: str, base: type) -> None:
    assert {module for module in listed(kind) if not _offers(module, base)} == set()
    package = importlib.import_module(f"{PACKAGE}.{kind}")
    prefix = f"{PACKAGE}.{kind}."
    modules = {found.name for found in pkgutil.walk_packages(package.__path__, prefix) if not found.ispkg}
    # These hold what others inherit from, and what a hook gives.
    parts = ("connection", "connection_kubernetes", "inventory", "prediction")
    modules -= {f"{PACKAGE}.operators.base", *(f"{PACKAGE}.hooks.{part}" for part in parts)}
    assert {module for module in modules if _offers(module, base)} == listed(kind)


def _offers(module: str, base: type) -> bool:
    classes = vars(importlib.import_module(module)).values()
    return any(inspect.isclass(one) and issubclass(one, base) and one.__module__ == module for one in classes)


def test_every_link_is_named() -> None:
    """Airflow 2.11 drops all links of a task of which one is not."""
    from airflow_provider_seldon.links.canary import CANARY_LINKS

    assert INFO["extra-links"] == [
        f"{type(link).__module__}.{type(link).__qualname__}" for link in CANARY_LINKS
    ]
    assert all(issubclass(load(path), BaseOperatorLink) for path in INFO["extra-links"])


def test_every_function_for_assets_exists() -> None:
    assert INFO["asset-uris"] == INFO["dataset-uris"]
    for entry in INFO["asset-uris"]:
        assert all(callable(load(path)) for key, path in entry.items() if key != "schemes")


def test_the_hook_is_the_connection_types() -> None:
    for connection_type in INFO["connection-types"]:
        hook = load(connection_type["hook-class-name"])
        assert (hook.conn_type, hook.hook_name) == (
            connection_type["connection-type"],
            connection_type["hook-name"],
        )


def test_airflows_own_commands_show_everything(tmp_path: Path) -> None:
    said = run(COMMAND_PROBE, AIRFLOW_HOME=str(tmp_path), AIRFLOW__CORE__LAZY_LOAD_PROVIDERS="True")
    told = {name: json.loads(text) for name, text in said.items() if name != "options"}
    (provider,) = [one for one in told["list"] if one["package_name"] == "airflow-provider-seldon"]
    assert provider["version"] == airflow_provider_seldon.__version__
    assert "Deploy models with Seldon Core" in provider["description"]
    assert "Seldon Core" in json.dumps(told["get"])
    (hook,) = [one for one in told["hooks"] if one["connection_type"] == "seldon"]
    assert hook["class"] == INFO["connection-types"][0]["hook-class-name"]
    assert hook["hook_name"] == "Seldon Core"
    links = {one["extra_link_class_name"] for one in told["links"]}
    assert set(INFO["extra-links"]) <= links
    triggers = {one["class"] for one in told["triggers"] if one["package_name"] == "airflow-provider-seldon"}
    assert triggers == listed("triggers")
    assert "seldon" in json.dumps(told["configs"])
    for option in INFO["config"]["seldon"]["options"]:
        assert option in said["options"]


def test_no_extra_field_is_named_so_that_airflow_masks_its_harmless_value() -> None:
    """Airflow masks, in every log, the value of a field whose name contains one of these words."""
    fields = INFO["connection-types"][0]["conn-fields"]
    masked = {
        name
        for name in fields
        if any(word in name for word in ("secret", "token", "password", "private_key", "service_account"))
    }
    assert masked == {"ingress_token"}
