"""
One try of one task in its own process, which may die at any moment.

Importing Airflow and the Kubernetes client takes seconds, so a server process imports them once and forks for every try
(``multiprocessing``'s forkserver). This module is what it imports beforehand.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from typing import Any

import aiohttp  # noqa: F401
import kubernetes.client  # noqa: F401
from airflow.providers.common.compat.sdk import TaskDeferred

import airflow_provider_seldon.hooks.seldon  # noqa: F401
from airflow_provider_seldon.exceptions import RolloutError
from airflow_provider_seldon.kube.watch import wait
from airflow_provider_seldon.operators.apply import SeldonApplyOperator
from airflow_provider_seldon.operators.canary import SeldonCanaryOperator
from airflow_provider_seldon.operators.custom import SeldonDeployCustomModelOperator
from airflow_provider_seldon.operators.delete import SeldonDeleteModelOperator
from airflow_provider_seldon.operators.deploy import SeldonDeployModelOperator
from airflow_provider_seldon.operators.predict import SeldonPredictOperator
from airflow_provider_seldon.operators.rollback import SeldonRollbackOperator
from airflow_provider_seldon.operators.scale import SeldonScaleModelOperator
from tests.integration.conftest import context

OPERATORS = {
    "apply": SeldonApplyOperator,
    "canary": SeldonCanaryOperator,
    "custom": SeldonDeployCustomModelOperator,
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
    """Run one try here; its task is called like the operator. What is deferred is resumed by another worker."""
    task_context = context(task_id=operator, run_id=run_id, try_number=try_number)
    step: Callable[[], Any] = lambda: _worker(operator, arguments).execute(task_context)  # noqa: E731
    while True:
        try:
            return step()
        except TaskDeferred as deferral:
            event = asyncio.run(event_of(deferral.trigger))
            resume = getattr(_worker(operator, arguments), deferral.method_name)
            step = lambda resume=resume, event=event: resume(task_context, event)  # noqa: E731


def start(*arguments: Any) -> BaseProcess:
    """Start one try, with the arguments of :func:`run`, in a new process."""
    forks = multiprocessing.get_context("forkserver")
    forks.set_forkserver_preload(["pytest", __name__, f"{__package__}.staging_process"])
    environment = {key: value for key, value in os.environ.items() if key.startswith("AIRFLOW_CONN_")}
    process = forks.Process(target=_run, args=(environment, *arguments), daemon=True)
    process.start()
    return process


def _worker(operator: str, arguments: dict[str, Any]) -> Any:
    return OPERATORS[operator](task_id=operator, **arguments)


async def event_of(trigger: Any) -> Any:
    """What a triggerer gets from a trigger that went through the database."""
    _, arguments = trigger.serialize()
    event = await anext(type(trigger)(**json.loads(json.dumps(arguments))).run())
    return json.loads(json.dumps(event.payload))


def _run(environment: dict[str, str], *arguments: Any) -> None:
    os.environ.update(environment)
    wait.PODS_INTERVAL = PODS_INTERVAL
    try:
        run(*arguments)
    except RolloutError:
        os._exit(FAILED_AS_EXPECTED)
