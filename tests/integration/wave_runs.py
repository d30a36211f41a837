"""
Runs the example ``waves`` in its own process: a run for each order, of which one is killed in the middle.

``python -m tests.integration.wave_runs`` reads orders from standard input, ``{"day": number, "conf": {...},
"killed_at": connection id or null}``, and answers as ``example_runs`` does; a run that was killed answers null. Two
orders of the same day are one run, of which everything was cleared in between.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from typing import Any

from tests.integration.example_runs import run
from tests.python_process import answer

#: Seconds within which a run has to come to where it is killed.
PATIENCE = 120.0


def main() -> None:
    """Make the database, run everything, answer what came out."""
    from airflow.utils.db import initdb

    orders = json.load(sys.stdin)
    initdb()
    answer([_killed(order) if order.get("killed_at") else _run(order) for order in orders])


def _run(order: dict[str, Any]) -> dict[str, Any]:
    return run({"dag": "waves", "conf": order["conf"], "same_run": True}, day=order["day"])


def _killed(order: dict[str, Any]) -> None:
    """Run in a process that is killed once it has written to a cluster, before that serves what it wrote."""
    from airflow import settings

    child = os.fork()
    if not child:
        settings.engine.dispose(close=False)
        _run(order)
        os._exit(0)
    deadline = time.monotonic() + PATIENCE
    while not _has_written(order["killed_at"], order["conf"]["version"]) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL, "it had ended before it was killed"


def _has_written(conn_id: str, version: int) -> bool:
    from airflow_provider_seldon.exceptions import SeldonError
    from airflow_provider_seldon.hooks.seldon import SeldonHook

    try:
        written = SeldonHook(conn_id).client.get("iris")
    except SeldonError:
        return False
    graph = written.predictors[0].graph
    return graph is not None and graph.model_uri == f"s3://models/iris/{version}"


if __name__ == "__main__":
    main()
