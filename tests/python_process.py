"""Runs Python in its own process, for tests of what the process of the tests cannot be: a fresh Airflow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

#: Names the file for the answer of :func:`ask_python`; standard output belongs to whoever warns first.
ANSWER = "SELDON_TEST_ANSWER"


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


def ask_python(*arguments: str, env: Mapping[str, str], **options: Any) -> Any:
    """Return what it gave to :func:`answer`; the rest is as with :func:`run_python`."""
    with tempfile.TemporaryDirectory(prefix="seldon-answer-") as folder:
        file = Path(folder, "answer.json")
        run_python(*arguments, env={**env, ANSWER: str(file)}, **options)
        return json.loads(file.read_text())


def answer(value: Any) -> None:
    """Give JSON data to the process that asked."""
    Path(os.environ[ANSWER]).write_text(json.dumps(value))
