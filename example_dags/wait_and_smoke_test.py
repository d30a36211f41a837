"""Wait until a deployment of whoever really serves, then check that it answers as it should."""

from __future__ import annotations

from datetime import datetime

from airflow.providers.common.compat.sdk import DAG, Param

from airflow_provider_seldon.operators.predict import SeldonPredictOperator
from airflow_provider_seldon.sensors.deployment import SeldonDeploymentSensor

with DAG(
    "wait_and_smoke_test",
    start_date=datetime(2026, 1, 1),
    schedule=None,
    params={
        "name": Param("iris", type="string"),
        "rows": Param([[5.1, 3.5, 1.4, 0.2]], type="array"),
        "expected": Param([[1.0, 0.0, 0.0]], type="array"),
    },
    render_template_as_native_obj=True,
    tags=["seldon"],
):
    serves = SeldonDeploymentSensor(task_id="serves", name="{{ params.name }}", timeout=600, deferrable=True)
    serves >> SeldonPredictOperator(
        task_id="smoke_test",
        name="{{ params.name }}",
        data="{{ params.rows }}",
        expected="{{ params.expected }}",
        tolerance=0.01,
    )
