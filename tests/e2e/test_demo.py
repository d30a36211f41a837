"""The README's first command, as a new user runs it: real Airflow, real model servers, eight runs of three DAGs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"


def table(text: str) -> list[list[str]]:
    """The rows of the demo's table without their times: what the README shows is what the demo prints."""
    lines = text[text.index("run             accuracy") :].split("\n\n")[0].splitlines()
    return [[line[:16].strip(), *line[16:].split()[:4], *line.split()[-2:]] for line in lines[1:]]


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
    assert table(done.stdout) == table(README.read_text())
    assert list(tmp_path.iterdir()) == [], "the demo left something in the home directory"
