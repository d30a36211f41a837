"""Stage a trained model, serve it with a Python function of your own, and ask it for a prediction."""

from __future__ import annotations

import os
from datetime import datetime

from airflow.providers.common.compat.sdk import DAG, ObjectStoragePath, task

from airflow_provider_seldon.operators.custom import SeldonDeployCustomModelOperator
from airflow_provider_seldon.operators.predict import SeldonPredictOperator
from airflow_provider_seldon.operators.stage import SeldonStageModelOperator

STORE = os.environ.get("MODEL_STORE", "file:///tmp/seldon-models")
FUNCTIONS = "airflow_provider_seldon.serving.examples"  # in your image: my_package.my_module

with DAG("custom_model", start_date=datetime(2026, 1, 1), schedule=None, tags=["seldon"]):

    @task
    def train(run_id: str) -> str:
        """Pretend to train: the model is a line of JSON."""
        path = ObjectStoragePath(STORE) / "trained" / run_id / "line.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('{"slope": 2.0, "intercept": 1.0}')
        return str(path)

    staged = SeldonStageModelOperator(task_id="stage", source=train(), target=f"{STORE}/line", keep=5)
    deploy = SeldonDeployCustomModelOperator(
        task_id="deploy",
        model_name="line",
        model_uri=staged.output["model_uri"],
        image=os.environ.get("MODEL_IMAGE", "my-models/line:1"),
        predict_function=f"{FUNCTIONS}:predict_line",
        load_function=f"{FUNCTIONS}:load_line",
    )
    deploy >> SeldonPredictOperator(
        task_id="predict", name=deploy.output["name"], data=[[1.0], [2.0]], expected=[[3.0], [5.0]]
    )
