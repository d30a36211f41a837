"""A model that the demo leaves broken, with ``UI=1``, so that there is something to find on the fleet page."""

from __future__ import annotations

from datetime import datetime

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_seldon.operators.deploy import SeldonDeployModelOperator

with DAG(
    "left_broken", schedule=None, start_date=datetime(2026, 1, 1), params={"store": "s3://ml", "uri": ""}
):
    SeldonDeployModelOperator(
        task_id="deploy",
        model_name="left-broken",
        model_uri="{{ params.uri }}",
        implementation="SKLEARN_SERVER",
        metrics={"accuracy": 0.9},
        # What fails stays as it is, instead of being rolled back.
        on_failure="keep",
    )
