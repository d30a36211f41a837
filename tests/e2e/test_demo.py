"""The README's first command, as a new user runs it: real Airflow, real model servers, four runs of the example DAG."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.mlserver
@pytest.mark.timeout(600)
@pytest.mark.parametrize("deferrable", [True])
def test_the_demo_deploys_replaces_turns_down_and_survives_a_broken_model(
    tmp_path: Path, deferrable: bool
) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "demo.py")],
        env={**os.environ, "HOME": str(tmp_path), "AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE": str(deferrable)},
        capture_output=True,
        text=True,
        timeout=580,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    table = {
        line[:14].strip(): line.split()[3:] for line in done.stdout.splitlines() if line.startswith("a ")
    }
    assert [row[2:4] for row in table.values()][:1] == [["created", "success"]], done.stdout
    assert list(tmp_path.iterdir()) == [], "the demo left something in the home directory"
