"""Wait until a deployment is really ready, whoever created it, then check its predictions."""

from __future__ import annotations

from datetime import datetime

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_seldon.operators.predict import SeldonPredictOperator
from airflow_provider_seldon.sensors.deployment import SeldonDeploymentSensor

with DAG("wait_and_smoke_test", schedule=None, start_date=datetime(2026, 1, 1), params={"name": "iris"}):
    serves = SeldonDeploymentSensor(task_id="serves", name="{{ params.name }}", timeout=600, deferrable=True)
    serves >> SeldonPredictOperator(
        task_id="smoke_test",
        name="{{ params.name }}",
        data=[[5.1, 3.5, 1.4, 0.2]],
        expected=[[1.0, 0.0, 0.0]],
        tolerance=0.01,
    )
