"""Runs Python in a process of its own, for tests of what the process of the tests cannot be: a fresh Airflow."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path


def run_python(
    *arguments: str,
    env: Mapping[str, str],
    cwd: Path | None = None,
    given: str | None = None,
    timeout: float = 200,
) -> str:
    """
    Return what it printed; anything but success fails the test with all of its output.

    :param env: its environment.
    :param cwd: its working directory; that of the tests when left out.
    :param given: its standard input.
    :param timeout: seconds.
    """
    done = subprocess.run(
        [sys.executable, *arguments],
        env=env,
        cwd=cwd,
        input=given,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout, done.stderr)
    return done.stdout
