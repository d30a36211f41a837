"""What Airflow reads first must not import anything: it is read while Airflow's configuration is being built."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from typing import Any

from airflow_provider_seldon.get_provider_info import get_provider_info

PROBE = """
import json, sys
before = set(sys.modules)
from airflow_provider_seldon.get_provider_info import get_provider_info
get_provider_info()
print(json.dumps(sorted(set(sys.modules) - before)))
"""

PARSE_PROBE = """
import json, sys
from airflow.providers.common.compat.sdk import BaseOperator, BaseSensorOperator  # Airflow 2 imports kubernetes
from airflow.triggers.base import BaseTrigger
before = set(sys.modules)
import airflow_provider_seldon.operators.deploy, airflow_provider_seldon.operators.delete
import airflow_provider_seldon.operators.predict, airflow_provider_seldon.sensors.deployment
import airflow_provider_seldon.triggers.deployment
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def run(probe: str) -> Any:
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def test_the_entry_point_imports_nothing_but_itself() -> None:
    assert run(PROBE) == ["airflow_provider_seldon", "airflow_provider_seldon.get_provider_info"]


def test_parsing_a_dag_imports_no_kubernetes_client() -> None:
    imported = run(PARSE_PROBE)
    heavy = ("kubernetes", "kubernetes_asyncio", "airflow.providers.cncf.kubernetes.hooks.kubernetes")
    assert "airflow_provider_seldon.operators.deploy" in imported
    assert not set(heavy) & set(imported)


def test_every_module_and_class_that_is_named_imports() -> None:
    info: dict[str, Any] = get_provider_info()
    for kind in ("hooks", "operators", "sensors", "triggers"):
        for entry in info[kind]:
            for module in entry["python-modules"]:
                importlib.import_module(module)
    for connection_type in info["connection-types"]:
        module, _, name = connection_type["hook-class-name"].rpartition(".")
        hook = getattr(importlib.import_module(module), name)
        assert hook.conn_type == connection_type["connection-type"]


def test_airflow_discovers_the_provider() -> None:
    from airflow.providers_manager import ProvidersManager

    manager = ProvidersManager()
    manager.initialize_providers_list()
    assert "airflow-provider-seldon" in manager.providers
    assert manager.hooks["seldon"].hook_name == "Seldon Core"  # type: ignore[union-attr]


def test_no_extra_field_is_named_so_that_airflow_masks_its_harmless_value() -> None:
    """Airflow masks, in every log, the value of a field whose name contains one of these words."""
    info: dict[str, Any] = get_provider_info()
    fields = info["connection-types"][0]["conn-fields"]
    masked = {
        name
        for name in fields
        if any(word in name for word in ("secret", "token", "password", "private_key", "service_account"))
    }
    assert masked == {"ingress_token"}
