"""
One try of one task in a process of its own, which may die at any moment.

Importing Airflow and the Kubernetes client takes seconds, so a server process imports them once and forks for every try
(``multiprocessing``'s forkserver). This module is what it imports beforehand.
"""

from __future__ import annotations

import multiprocessing
import os
from multiprocessing.process import BaseProcess
from typing import Any

import aiohttp  # noqa: F401
import kubernetes.client  # noqa: F401

import airflow_provider_seldon.hooks.seldon  # noqa: F401
from airflow_provider_seldon.exceptions import RolloutError
from airflow_provider_seldon.kube import waiting
from airflow_provider_seldon.operators.delete import SeldonDeleteModelOperator
from airflow_provider_seldon.operators.deploy import SeldonDeployModelOperator
from airflow_provider_seldon.operators.predict import SeldonPredictOperator
from airflow_provider_seldon.operators.rollback import SeldonRollbackOperator
from airflow_provider_seldon.operators.scale import SeldonScaleModelOperator

from .conftest import context

OPERATORS = {
    "deploy": SeldonDeployModelOperator,
    "delete": SeldonDeleteModelOperator,
    "predict": SeldonPredictOperator,
    "roll_back": SeldonRollbackOperator,
    "scale": SeldonScaleModelOperator,
}
#: Exit code of a try that failed as it should.
FAILED_AS_EXPECTED = 3
#: Seconds between two looks at pods; in production they are not in such a hurry.
PODS_INTERVAL = 0.2


def run(operator: str, arguments: dict[str, Any], run_id: str = "run-1", try_number: int = 1) -> Any:
    """Run one try here; its task is called like the operator."""
    task = OPERATORS[operator](task_id=operator, **arguments)
    return task.execute(context(task_id=operator, run_id=run_id, try_number=try_number))


def start(*arguments: Any) -> BaseProcess:
    """Start one try, with the arguments of :func:`run`, in a new process."""
    forks = multiprocessing.get_context("forkserver")
    forks.set_forkserver_preload(["pytest", __name__])
    environment = {key: value for key, value in os.environ.items() if key.startswith("AIRFLOW_CONN_")}
    process = forks.Process(target=_run, args=(environment, *arguments), daemon=True)
    process.start()
    return process


def _run(environment: dict[str, str], *arguments: Any) -> None:
    os.environ.update(environment)
    waiting.PODS_INTERVAL = PODS_INTERVAL
    try:
        run(*arguments)
    except RolloutError:
        os._exit(FAILED_AS_EXPECTED)
