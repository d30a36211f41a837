"""Train a model, decide whether it is good enough, deploy it, wait until it serves, and ask it for a prediction."""

from __future__ import annotations

import os
from datetime import datetime

from airflow.providers.common.compat.sdk import DAG, ObjectStoragePath, Param, task

from airflow_provider_seldon.operators.deploy import SeldonDeployModelOperator
from airflow_provider_seldon.operators.predict import SeldonPredictOperator

MODEL_STORE = os.environ.get("MODEL_STORE", "file:///tmp/seldon-models")

with DAG(
    "continuous_deployment",
    start_date=datetime(2026, 1, 1),
    schedule=None,
    params={"max_depth": Param(2, type="integer"), "model_file": "model.joblib", "min_accuracy": 0.9},
    tags=["seldon"],
):

    @task(multiple_outputs=True)
    def train(params: dict, run_id: str) -> dict:
        """Train a decision tree on iris flowers and store it where it will be served from."""
        import joblib
        from sklearn.datasets import load_iris
        from sklearn.model_selection import train_test_split
        from sklearn.tree import DecisionTreeClassifier

        features, species = load_iris(return_X_y=True)
        train_x, test_x, train_y, test_y = train_test_split(features, species, random_state=3)
        model = DecisionTreeClassifier(max_depth=params["max_depth"], random_state=0).fit(train_x, train_y)
        folder = ObjectStoragePath(MODEL_STORE) / "iris" / run_id
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / params["model_file"]).open("wb") as file:
            joblib.dump(model, file)
        return {"model_uri": str(folder), "accuracy": float(model.score(test_x, test_y))}

    @task
    def good_enough(accuracy: float, params: dict) -> bool:
        return accuracy >= params["min_accuracy"]

    trained = train()
    deploy = SeldonDeployModelOperator(
        task_id="deploy",
        model_name="iris",
        model_uri=trained["model_uri"],
        implementation="SKLEARN_SERVER",
        model_server={"parameters": {"method": "predict_proba"}},
        deploy_decision=good_enough(trained["accuracy"]),
        metrics={"accuracy": trained["accuracy"]},
        timeout=180,
    )
    deploy >> SeldonPredictOperator(
        task_id="predict", name=deploy.output["name"], data=[[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]]
    )
