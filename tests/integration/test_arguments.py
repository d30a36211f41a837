"""Every argument of everything that a DAG author writes, and of the hook: what is none is refused before any write."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowNotFoundException

from airflow_provider_seldon.analysis import Analysis, ErrorRatio
from airflow_provider_seldon.core.identity.identity import Identity
from airflow_provider_seldon.core.request.model_server import ModelServer
from airflow_provider_seldon.exceptions import InvalidModelServerError, SeldonError
from airflow_provider_seldon.hooks.inventory import InventoryHook
from airflow_provider_seldon.hooks.prediction import PredictionHook
from airflow_provider_seldon.hooks.seldon import SeldonHook
from airflow_provider_seldon.operators.apply import SeldonApplyOperator
from airflow_provider_seldon.operators.canary import (
    SeldonAbortCanaryOperator,
    SeldonCanaryOperator,
    SeldonPromoteCanaryOperator,
)
from airflow_provider_seldon.operators.custom import SeldonDeployCustomModelOperator
from airflow_provider_seldon.operators.delete import SeldonDeleteModelOperator
from airflow_provider_seldon.operators.deploy import SeldonDeployModelOperator
from airflow_provider_seldon.operators.predict import SeldonPredictOperator
from airflow_provider_seldon.operators.reaper import SeldonReaperOperator
from airflow_provider_seldon.operators.rollback import SeldonRollbackOperator
from airflow_provider_seldon.operators.scale import SeldonScaleModelOperator
from airflow_provider_seldon.operators.stage import SeldonStageModelOperator
from airflow_provider_seldon.sensors.canary import SeldonCanarySensor
from airflow_provider_seldon.sensors.deployment import SeldonDeploymentSensor
from airflow_provider_seldon.triggers.canary import SeldonCanaryTrigger
from airflow_provider_seldon.triggers.deployment import SeldonDeploymentTrigger
from airflow_provider_seldon.triggers.event import SeldonDeploymentEventTrigger
from tests.integration.conftest import context

PACKAGE = "airflow_provider_seldon"
SKLEARN = {"model_name": "iris", "model_uri": "s3://models/iris/1", "implementation": "SKLEARN_SERVER"}
GRAPH = {"name": "classifier", "implementation": "SKLEARN_SERVER", "modelUri": "s3://models/iris/1"}
#: What makes each a task that would do something.
GOOD: dict[type, dict[str, Any]] = {
    SeldonDeployModelOperator: {**SKLEARN, "wait_for_available": False},
    SeldonApplyOperator: {"manifest": GRAPH, "model_name": "iris", "wait_for_available": False},
    SeldonDeployCustomModelOperator: {
        "model_name": "iris",
        "image": "models/iris:1",
        "predict_function": "user_code:predict",
        "wait_for_available": False,
    },
    SeldonCanaryOperator: {**SKLEARN, "wait_for_available": False, "steps": [5]},
    SeldonPromoteCanaryOperator: {"name": "iris"},
    SeldonAbortCanaryOperator: {"name": "iris"},
    SeldonDeleteModelOperator: {"name": "iris"},
    SeldonReaperOperator: {"orphans": "ignore"},
    SeldonPredictOperator: {"name": "iris", "data": [[1.0]], "retry_for": 0},
    SeldonRollbackOperator: {"name": "iris", "timeout": 1},
    SeldonScaleModelOperator: {"name": "iris", "replicas": 0, "timeout": 1},
    SeldonStageModelOperator: {"source": "/nowhere/model", "target": "/nowhere/models"},
    SeldonDeploymentSensor: {"name": "iris", "timeout": 0, "poke_interval": 0.1},
    SeldonDeploymentTrigger: {"name": "iris", "seldon_conn_id": "seldon_default", "timeout": 0},
    SeldonCanaryTrigger: {"name": "iris", "seldon_conn_id": "seldon_default", "timeout": 0},
    SeldonDeploymentEventTrigger: {"name": "iris", "grace": 0},
}
TRIGGERS = (SeldonDeploymentTrigger, SeldonCanaryTrigger, SeldonDeploymentEventTrigger)


class Odd:
    """A value of a kind that no argument has."""


def arguments_of(kind: type) -> list[str]:
    """Return the names of all arguments that this package's own constructors have."""
    found: dict[str, None] = {}
    for one in kind.__mro__:
        if one.__module__.startswith(PACKAGE) and "__init__" in vars(one):
            parameters = inspect.signature(vars(one)["__init__"]).parameters.values()
            found |= dict.fromkeys(p.name for p in parameters if p.kind is p.KEYWORD_ONLY)
    return list(found)


ALL = [(kind, name) for kind in GOOD for name in arguments_of(kind)]
#: A function or an object may be anything: what expects an answer is asked when there is one, which writes nothing.
FREE = {
    (SeldonPredictOperator, "expected"),
    (SeldonDeploymentTrigger, "handoff"),
    (SeldonCanaryTrigger, "handoff"),
}


async def first_event(trigger: Any) -> None:
    async for _ in trigger.run():
        return


def run(kind: type, **arguments: Any) -> None:
    """Make a task or a trigger, and let it do what it does."""
    if kind in TRIGGERS:
        asyncio.run(asyncio.wait_for(first_event(kind(**{**GOOD[kind], **arguments})), 20))
        return
    task = kind(**{"task_id": "task", **GOOD[kind], **arguments})
    task.execute(context())


@pytest.fixture
def writes(hook: SeldonHook, local_seldon: Any) -> Callable[[], list[str]]:
    """The writes of this provider since the test began."""
    local_seldon.requests.clear()

    def found() -> list[str]:
        entries = [
            one for one in local_seldon.requests.entries() if one.user_agent.startswith("airflow-provider")
        ]
        return [f"{one.verb} {one.resource}" for one in entries if one.verb not in {"get", "list", "watch"}]

    return found


@pytest.mark.parametrize(("kind", "name"), ALL, ids=[f"{kind.__name__}-{name}" for kind, name in ALL])
def test_an_argument_of_no_kind_is_refused_before_anything_is_written(
    kind: type, name: str, writes: Callable[[], list[str]]
) -> None:
    if (kind, name) in FREE:
        return
    with pytest.raises(SeldonError) as refused:
        run(kind, **{name: Odd()})
    assert name.removeprefix("deploy_") in str(refused.value)
    assert writes() == []


#: Valid arguments of the hook's methods, where they need any.
CALLS: dict[str, dict[str, Any]] = {
    "deploy_model": {"server": ModelServer.create(**SKLEARN), "identity": Identity(model_name="iris")},
    "deploy": {"request": None},
    "stored_by": {"request": None},
    "complete": {"rollout": None},
    "wait_for": {"name": "iris", "deadline": 0},
    "raise_for_outcome": {"outcome": None},
    "find_model_servers": {},
    "get_model_server_info": {"deployment": "iris"},
    "delete_model_server": {"name": "iris"},
    "roll_back": {"name": "iris"},
    "undo": {"failed": None},
    "undo_run": {"name": "iris", "dag_id": "train", "run_id": "run-1"},
    "overtaken": {"rollout": None},
    "still_serves": {"rollout": None, "ready": None},
    "scale": {"name": "iris", "replicas": 1},
    "stop": {"name": "iris"},
    "start": {"name": "iris"},
    "predict": {"name": "iris", "data": [[1.0]]},
    "predictions": {"name": "iris", "data": [[1.0]]},
    "get_logs": {"name": "iris"},
}
METHODS = [
    name
    for part in (SeldonHook, InventoryHook, PredictionHook)
    for name, value in vars(part).items()
    if inspect.isfunction(value) and not name.startswith("_") and name != "test_connection"
]
#: Only recorded, or said by whoever calls.
RECORDED = {"action", "by"}
HOOKS = [
    (method, name)
    for method in METHODS
    for name, one in inspect.signature(getattr(SeldonHook, method)).parameters.items()
    if name != "self" and one.kind is not one.VAR_KEYWORD and name not in RECORDED
]


@pytest.mark.parametrize(("method", "name"), HOOKS, ids=["-".join(one) for one in HOOKS])
def test_an_argument_of_the_hook_is_refused_before_anything_is_written(
    method: str, name: str, hook: SeldonHook, writes: Callable[[], list[str]]
) -> None:
    with pytest.raises(SeldonError, match=name):
        getattr(hook, method)(**{**CALLS[method], name: Odd()})
    assert writes() == []


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        (SeldonDeployModelOperator, "on_failure", "rolback"),
        (SeldonDeployModelOperator, "on_failure", None),
        (SeldonDeployModelOperator, "on_negative", "ensure"),
        (SeldonDeployModelOperator, "on_negative_empty", "none"),
        (SeldonDeployModelOperator, "on_stale", "ignore"),
        (SeldonDeployModelOperator, "on_kill", "Keep"),
        (SeldonDeployModelOperator, "replace", "False"),
        (SeldonDeployModelOperator, "timeout", float("nan")),
        (SeldonDeployModelOperator, "timeout", "10 minutes"),
        (SeldonDeployModelOperator, "timeout", None),
        (SeldonDeployModelOperator, "timeout", timedelta(days=-1)),
        (SeldonCanaryOperator, "hold_at", 25),
        (SeldonDeployModelOperator, "model_name", "None"),
        (SeldonDeployModelOperator, "failure_policy", {"suspect_after": float("inf")}),
        (SeldonDeployModelOperator, "failure_policy", {"suspect": 1}),
        (SeldonPredictOperator, "name", None),
        (SeldonPredictOperator, "name", ""),
        (SeldonPredictOperator, "name", "None"),
        (SeldonPredictOperator, "path", "../../other/iris/api"),
        (SeldonScaleModelOperator, "replicas", 2**40),
        (SeldonScaleModelOperator, "replicas", True),
        (SeldonDeleteModelOperator, "name", "a/b"),
        (SeldonRollbackOperator, "to", ""),
        (SeldonDeploymentSensor, "name", "Iris_Model"),
        (SeldonDeploymentSensor, "timeout", "soon"),
        (SeldonDeployCustomModelOperator, "image_pull_secrets", "registry"),
    ],
)
def test_a_literal_that_no_argument_takes_is_refused_when_the_dag_is_parsed(
    kind: type, name: str, value: Any
) -> None:
    with pytest.raises(InvalidModelServerError, match=name):
        kind(**{"task_id": "task", **GOOD[kind], name: value})


def test_a_prometheus_connection_that_does_not_exist_is_told_before_anything_is_written(
    writes: Callable[[], list[str]],
) -> None:
    limits = Analysis(metrics=[ErrorRatio(at_most=0.01)])
    with pytest.raises(AirflowNotFoundException):
        run(SeldonCanaryOperator, analysis=limits, prometheus_conn_id="nowhere")
    with pytest.raises(InvalidModelServerError, match=r"prometheus_conn_id: is missing"):
        SeldonCanarySensor(task_id="watch", name="iris", analysis=limits, timeout=1).execute(context())
    assert writes() == []


def test_what_a_template_renders_to_is_checked_when_the_task_runs(writes: Callable[[], list[str]]) -> None:
    task = SeldonScaleModelOperator(task_id="task", name="{{ name }}", replicas="{{ n }}")
    task.name = "None"
    with pytest.raises(InvalidModelServerError, match="did the task before push it"):
        task.execute(context())
    task = SeldonScaleModelOperator(task_id="task", name="iris", replicas="{{ n }}")
    task.replicas = "many"
    with pytest.raises(InvalidModelServerError, match="replicas"):
        task.execute(context())
    assert writes() == []


def test_times_may_be_timedeltas_and_numbers_the_text_that_a_template_renders(hook: SeldonHook) -> None:
    deploy = SeldonDeployModelOperator(
        task_id="task",
        **{**SKLEARN, "replicas": "2", "model_server": '{"labels": {"team": "flowers"}}'},
        timeout=timedelta(minutes=1),
    )
    result = deploy.execute(context())
    found = hook.client.get(result["name"])
    assert (found.predictors[0].replicas, found.labels["team"]) == (2, "flowers")
