"""Serve a trained model with your own Python function, in your own image (custom_model.Dockerfile)."""

from __future__ import annotations

from datetime import datetime

from airflow.providers.common.compat.sdk import DAG, ObjectStoragePath, task

from airflow_provider_seldon.operators.custom import SeldonDeployCustomModelOperator
from airflow_provider_seldon.operators.predict import SeldonPredictOperator
from airflow_provider_seldon.operators.stage import SeldonStageModelOperator

FUNCTIONS = "airflow_provider_seldon.serving.examples"  # in your image: my_package.my_module
PARAMS = {"store": "s3://ml", "image": "my-registry/line:1", "slope": 2.0}

with DAG("custom_model", schedule=None, start_date=datetime(2026, 1, 1), params=PARAMS):

    @task
    def train(params: dict, run_id: str) -> str:
        folder = ObjectStoragePath(f"{params['store']}/trained/{run_id}")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "line.json").write_text(f'{{"slope": {params["slope"]}, "intercept": 1.0}}')
        return str(folder)

    stage = SeldonStageModelOperator(
        task_id="stage", source=train(), target="{{ params.store }}/line", keep=5
    )
    deploy = SeldonDeployCustomModelOperator(
        task_id="deploy",
        model_name="line",
        model_uri=stage.output["model_uri"],
        image="{{ params.image }}",
        load_function=f"{FUNCTIONS}:load_line",
        predict_function=f"{FUNCTIONS}:predict_line",
    )
    SeldonPredictOperator(task_id="predict", name=deploy.output["name"], data=[[1.0], [2.0]])
