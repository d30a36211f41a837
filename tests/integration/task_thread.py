"""A task in a thread beside the test's own: what races with it is in the same process."""

from __future__ import annotations

import threading
from collections.abc import Callable

from tests.airflow_version import AIRFLOW_3


def task_thread(target: Callable[[], object]) -> threading.Thread:
    """Return a thread, not started, in which operators may be executed."""

    def run() -> None:
        if not AIRFLOW_3:
            # Airflow 2.11 keeps note of who calls ``execute`` for each thread, and makes the note for the first alone.
            from airflow.models.baseoperator import ExecutorSafeguard

            ExecutorSafeguard._sentinel.callers = {}
        target()

    return threading.Thread(target=run)
