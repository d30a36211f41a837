"""An asset event for each version that was proven to serve, and none for anything else."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import Asset, AssetAlias, TaskDeferred

from airflow_provider_seldon.assets import seldon_asset
from airflow_provider_seldon.exceptions import RolloutFailedError
from airflow_provider_seldon.hooks.seldon import SeldonHook
from airflow_provider_seldon.operators.base import SeldonRolloutOperator
from airflow_provider_seldon.operators.rollback import SeldonRollbackOperator
from airflow_provider_seldon.operators.scale import SeldonScaleModelOperator
from tests.airflow_version import AIRFLOW_3
from tests.clusters import clusters, patience
from tests.clusters.misbehaviour import behaving
from tests.integration.conftest import context
from tests.integration.test_deploy_operator import operator

if AIRFLOW_3:
    from airflow.sdk.execution_time.context import OutletEventAccessors
else:
    from airflow.utils.context import OutletEventAccessors

NAMESPACE = clusters().namespace
ASSET, ALIAS = seldon_asset(NAMESPACE, "iris"), AssetAlias("iris-versions")
OUTLETS = {"outlets": [ASSET, ALIAS], "name": "iris"}


def finish(task: SeldonRolloutOperator, run: dict[str, Any]) -> dict[str, Any]:
    """Run a task as Airflow does, a deferral included, and return the ``extra`` of each event it would emit."""
    run["outlet_events"] = events = OutletEventAccessors()
    run["ti"].xcom_push = lambda **_: None  # Airflow 2.11 pushes the outlets in its own way
    try:
        task.execute(run)
    except TaskDeferred as deferral:
        event = json.loads(json.dumps(asyncio.run(anext(deferral.trigger.run())).payload))  # type: ignore[arg-type]
        task = operator(**OUTLETS, deferrable=True)
        getattr(task, deferral.method_name)(run, event)
    task.post_execute(run)
    found: dict[str, Any] = {}
    for outlet in task.outlets:
        accessor = events[outlet]
        if not isinstance(outlet, AssetAlias):
            found[outlet.uri] = accessor.extra
            continue
        for one in getattr(accessor, "asset_alias_events", None) or getattr(
            accessor, "dataset_alias_events", ()
        ):
            plain = one if isinstance(one, dict) else {"extra": one.extra, "key": one.dest_asset_key}
            found[outlet.name] = plain["extra"]
            assert (plain.get("dest_dataset_uri") or plain["key"].uri) == ASSET.uri
    return found


def deploy(task: dict[str, Any] | None = None, **arguments: Any) -> dict[str, Any]:
    return finish(operator(**{**OUTLETS, **arguments}), context(**(task or {})))


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_version_that_becomes_ready_is_reported_with_its_details(
    hook: SeldonHook, deferrable: bool
) -> None:
    events = deploy(metrics={"accuracy": 0.93}, deferrable=deferrable)
    extra = events[ASSET.uri]
    assert extra["prediction_url"].endswith(f"/seldon/{NAMESPACE}/iris/api/v1.0/predictions")
    assert len(extra["revision"]) == 10
    rest = {key: value for key, value in extra.items() if key not in ("prediction_url", "revision")}
    assert rest == {
        "namespace": NAMESPACE,
        "name": "iris",
        "model_name": "iris",
        "model_uri": "s3://models/iris/1",
        "action": "created",
        "metrics": {"accuracy": 0.93},
    }
    assert events["iris-versions"] == extra
    assert json.loads(json.dumps(events["iris-versions"])) == extra


def test_an_unchanged_version_sends_no_event_and_an_alias_gets_none(hook: SeldonHook) -> None:
    deploy()
    assert deploy({"run_id": "run-2"}) == {}
    assert deploy({"run_id": "run-2"}, model_uri="s3://models/iris/2", deploy_decision=False) == {}


def test_a_dry_run_and_a_task_without_a_wait_send_no_event(hook: SeldonHook) -> None:
    assert deploy(dry_run=True) == {}
    assert deploy(wait_for_available=False) == {}


def test_the_dag_keeps_its_outlets_when_a_run_sends_no_event(hook: SeldonHook) -> None:
    task = operator(**OUTLETS, dry_run=True)
    finish(task.prepare_for_execution(), context())
    assert task.outlets == [ASSET, ALIAS]


def test_a_retry_sends_the_event_that_a_killed_try_did_not_send(hook: SeldonHook) -> None:
    operator(**OUTLETS).execute(context())  # and dies before it reports
    assert deploy({"try_number": 2})[ASSET.uri]["action"] == "created"
    operator(**OUTLETS, model_uri="s3://models/iris/2").execute(context(run_id="run-2"))
    again = deploy({"try_number": 2, "run_id": "run-2"}, model_uri="s3://models/iris/2")
    assert again[ASSET.uri]["model_uri"] == "s3://models/iris/2"


def test_a_failed_rollout_sends_no_event(hook: SeldonHook) -> None:
    deploy()
    run = context(run_id="run-2")
    run["outlet_events"] = OutletEventAccessors()
    task = operator(**OUTLETS, model_uri="s3://models/iris/2", model_server=behaving("invalid-image"))
    with pytest.raises(RolloutFailedError):
        task.execute(run)
    assert len(run["outlet_events"]) == 0


def test_a_rollback_sends_an_event_of_the_restored_version_with_its_own_metrics(hook: SeldonHook) -> None:
    deploy(metrics={"accuracy": 0.93})
    deploy({"run_id": "run-2"}, model_uri="s3://models/iris/2", metrics={"accuracy": 0.5})
    task = SeldonRollbackOperator(
        task_id="back", name="iris", outlets=[ASSET], timeout=patience(30), deferrable=False
    )
    extra = finish(task, context(task_id="back"))[ASSET.uri]
    assert (extra["action"], extra["model_uri"], extra["metrics"]) == (
        "rolled_back",
        "s3://models/iris/1",
        {"accuracy": 0.93},
    )


def test_scaling_sends_an_event_unless_no_pod_is_left(hook: SeldonHook) -> None:
    deploy()

    def scale(replicas: int) -> dict[str, Any]:
        task = SeldonScaleModelOperator(
            task_id="scale",
            name="iris",
            replicas=replicas,
            outlets=[ASSET],
            timeout=patience(30),
            deferrable=False,
        )
        return finish(task, context(task_id="scale"))

    assert scale(0) == {}
    assert scale(1)[ASSET.uri]["action"] == "scaled"


def test_an_asset_of_another_deployment_gets_no_facts_but_one_by_name_does(hook: SeldonHook) -> None:
    named = Asset("iris-model")
    events = deploy(outlets=[seldon_asset(NAMESPACE, "other"), named])
    assert events[f"seldon://{NAMESPACE}/other"] == {}
    assert events[named.uri]["name"] == "iris"
