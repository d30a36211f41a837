"""A deployment whose name no DAG knows when it is parsed: what starts then waits for an alias."""

from __future__ import annotations

from datetime import datetime

from airflow.providers.common.compat.sdk import DAG, AssetAlias, task

from airflow_provider_seldon.operators.deploy import SeldonDeployModelOperator

VERSIONS = AssetAlias("rose-versions")

for dag_id, deferrable in (("deploy_rose", False), ("deploy_rose_deferred", True)):
    with DAG(dag_id, schedule=None, start_date=datetime(2026, 1, 1)) as globals()[dag_id]:
        SeldonDeployModelOperator(
            task_id="deploy",
            model_name="rose",
            model_uri="s3://models/{{ dag.dag_id }}",
            implementation="SKLEARN_SERVER",
            metrics={"accuracy": 0.9},
            deferrable=deferrable,
            outlets=[VERSIONS],
        )

with DAG("alias_triggered", schedule=[VERSIONS], start_date=datetime(2026, 1, 1), catchup=False):

    @task
    def running_version(**context) -> list:
        """The facts of each event."""
        events = context.get("triggering_asset_events") or context["triggering_dataset_events"]
        return [event.extra for of_one_asset in events.values() for event in of_one_asset]

    running_version()
