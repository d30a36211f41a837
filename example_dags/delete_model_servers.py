"""Take down every model server that a DAG run deployed, such as a preview."""

from __future__ import annotations

from datetime import datetime

from airflow.providers.common.compat.sdk import DAG, Param

from airflow_provider_seldon.operators.delete import SeldonDeleteModelOperator

with DAG(
    "delete_model_servers",
    start_date=datetime(2026, 1, 1),
    schedule=None,
    params={"dag_id": "continuous_deployment", "run_id": Param(None, type=["null", "string"])},
    tags=["seldon"],
):
    SeldonDeleteModelOperator(
        task_id="delete",
        dag_id_of_deployer="{{ params.dag_id }}",
        run_id_of_deployer="{{ params.run_id or '' }}",
    )
