"""Send a new version 5, 25 and 50 % of the traffic before it replaces the old one; abort it in every other case."""

from __future__ import annotations

import os
from datetime import datetime

from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_seldon.analysis import Analysis, FunctionMetric
from airflow_provider_seldon.operators.canary import SeldonAbortCanaryOperator, SeldonCanaryOperator


def disagreement(*, deployment: str, predictor: str, namespace: str, window: float) -> float:
    """Query a warehouse, a feedback store, a drift monitor; None as long as there is no data."""
    return 0.004


with DAG("canary", schedule=None, start_date=datetime(2026, 1, 1), params={"version": 1}):

    @task
    def train(version: str) -> str:
        return f"s3://models/iris/{version}"

    trained = train("{{ params.version }}")
    canary = SeldonCanaryOperator(
        task_id="canary",
        model_name="iris",
        model_uri=trained,
        implementation="SKLEARN_SERVER",
        steps=[5, 25, 50],
        bake=float(os.environ.get("CANARY_BAKE", "600")),
        analysis=Analysis(metrics=[FunctionMetric(disagreement, at_most=0.02, at_most_delta=0.01)]),
        deferrable=True,
    )
    # A teardown of the task before the canary runs however the canary ends, also if a user marks the run as
    # failed.
    abort = SeldonAbortCanaryOperator(task_id="abort", model_name="iris")
    canary >> abort.as_teardown(setups=trained.operator)
