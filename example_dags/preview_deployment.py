"""Serve a model while it is evaluated. Delete it afterwards, whatever the result."""

from __future__ import annotations

from datetime import datetime

from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_seldon.operators.delete import SeldonDeleteModelOperator
from airflow_provider_seldon.operators.deploy import SeldonDeployModelOperator

PARAMS = {"model_uri": "gs://seldon-models/v1.19.0-dev/sklearn/iris"}

with DAG("preview_deployment", schedule=None, start_date=datetime(2026, 1, 1), params=PARAMS):
    preview = SeldonDeployModelOperator(
        task_id="preview",
        model_name="iris-preview",
        model_uri="{{ params.model_uri }}",
        implementation="SKLEARN_SERVER",
        replace=False,  # every run has its own preview
        on_failure="delete_if_created",
    )
    take_down = SeldonDeleteModelOperator(task_id="take_down", name=preview.output["name"])

    @task
    def accuracy(name: str) -> float:
        from sklearn.datasets import load_iris

        from airflow_provider_seldon.hooks.seldon import SeldonHook

        flowers, species = load_iris(return_X_y=True)
        predicted = [row.index(max(row)) for row in SeldonHook().predictions(name, flowers)]
        return float((predicted == species).mean())

    with take_down.as_teardown(setups=preview):
        accuracy(preview.output["name"])
