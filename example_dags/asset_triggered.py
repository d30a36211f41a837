"""Start another DAG whenever a new version of a model has become ready, with the details of that version."""

from __future__ import annotations

from datetime import datetime

from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_seldon.assets import seldon_asset
from airflow_provider_seldon.operators.deploy import SeldonDeployModelOperator
from airflow_provider_seldon.operators.predict import SeldonPredictOperator

IRIS = seldon_asset("models", "iris")

with DAG("deploy_iris", schedule=None, start_date=datetime(2026, 1, 1), params={"version": 1}):
    SeldonDeployModelOperator(
        task_id="deploy",
        namespace="models",
        name="iris",
        model_name="iris",
        model_uri="s3://models/iris/{{ params.version }}",
        implementation="SKLEARN_SERVER",
        outlets=[IRIS],
    )

with DAG("asset_triggered", schedule=[IRIS], start_date=datetime(2026, 1, 1), catchup=False):

    @task
    def running_version(**context) -> dict:
        """The details of the last event: revision, model_uri, prediction_url, action, metrics and names."""
        # Airflow 2 calls assets datasets.
        events = context.get("triggering_asset_events") or context["triggering_dataset_events"]
        return [event.extra for of_one_asset in events.values() for event in of_one_asset][-1]

    served = running_version()
    SeldonPredictOperator(
        task_id="predict", name=served["name"], namespace=served["namespace"], data=[[5.1, 3.5, 1.4, 0.2]]
    )
