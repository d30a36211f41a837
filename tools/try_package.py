"""
Try an installed package as Airflow and its users do. Started by ``make package`` in its own environment.

Airflow has to list the provider and describe it, and every module that the provider names has to import.
"""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

PROVIDER = "airflow-provider-seldon"


def main() -> int:
    """Print what Airflow says of the provider; 0 when nothing is missing."""
    with tempfile.TemporaryDirectory(prefix="seldon-package-") as home:
        os.environ["AIRFLOW_HOME"] = home
        import airflow_provider_seldon
        from airflow_provider_seldon.get_provider_info import get_provider_info

        installed = Path(airflow_provider_seldon.__file__)
        assert installed.is_relative_to(sys.prefix), f"this is {installed}, not the installed package"
        listed = airflow("providers", "list", "--output", "plain")
        lines = [line for line in listed.splitlines() if PROVIDER in line]
        assert len(lines) == 1, listed
        print(lines[0].strip())
        described = airflow("providers", "get", PROVIDER, "--full", "--output", "json")
        info = get_provider_info()
        named = sorted(set(re.findall(r"airflow_provider_seldon(?:\.\w+)+", repr(info))))
        missing = [name for name in named if name not in described]
        assert not missing, f"Airflow does not know of {missing}:\n{described}"
        for name in named:
            resolve(name)
        print(
            f"Airflow {airflow('version').split()[-1]} knows all that is named, and all of it imports: {len(named)}"
        )
    return 0


def airflow(*arguments: str) -> str:
    """Run Airflow's command; what it printed."""
    command = [sys.executable, "-m", "airflow", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def resolve(name: str) -> object:
    """A module, or what is in one."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        module, _, member = name.rpartition(".")
        return getattr(importlib.import_module(module), member)


if __name__ == "__main__":
    sys.exit(main())
