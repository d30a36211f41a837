"""When a running model fails, send an alert and roll back to the previous version (Airflow 3)."""

from __future__ import annotations

import logging
from datetime import datetime

from airflow.sdk import DAG, Asset, AssetWatcher, task

from airflow_provider_seldon.operators.rollback import SeldonRollbackOperator
from airflow_provider_seldon.triggers.event import SeldonDeploymentEventTrigger

trigger = SeldonDeploymentEventTrigger(namespace="models", name="iris", events=["failed"], grace=10)
FAILURES = Asset("iris_failures", watchers=[AssetWatcher(name="iris", trigger=trigger)])

with DAG(
    "failure_watcher",
    schedule=[FAILURES],
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    tags=["seldon"],
):

    @task
    def alert(triggering_asset_events: dict) -> dict:
        """Send an alert; this one is written to the task's log."""
        failure = triggering_asset_events[FAILURES][-1].extra["payload"]
        logging.getLogger(__name__).error("%(namespace)s/%(name)s failed: %(reason)s: %(message)s", failure)
        return failure

    failed = alert()
    SeldonRollbackOperator(task_id="roll_back", name=failed["name"], namespace=failed["namespace"])
