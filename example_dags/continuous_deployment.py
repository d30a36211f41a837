"""Train a model, deploy it if it is good enough, wait until it is ready, and request a prediction."""

from __future__ import annotations

from datetime import datetime

from airflow.providers.common.compat.sdk import DAG, ObjectStoragePath, task

from airflow_provider_seldon.decisions import MetricThreshold
from airflow_provider_seldon.operators.deploy import SeldonDeployModelOperator
from airflow_provider_seldon.operators.predict import SeldonPredictOperator

PARAMS = {"store": "s3://ml", "file": "model.joblib", "max_depth": 2}

with DAG("continuous_deployment", schedule=None, start_date=datetime(2026, 1, 1), params=PARAMS):

    @task(multiple_outputs=True)
    def train(params: dict, run_id: str) -> dict:
        import joblib
        from sklearn import datasets, model_selection, tree

        flowers, species = datasets.load_iris(return_X_y=True)
        model = tree.DecisionTreeClassifier(max_depth=params["max_depth"], random_state=0)
        accuracy = model_selection.cross_val_score(model, flowers, species).mean()
        folder = ObjectStoragePath(f"{params['store']}/iris/{run_id}")
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / params["file"]).open("wb") as file:
            joblib.dump(model.fit(flowers, species), file)
        return {"model_uri": str(folder), "accuracy": float(accuracy)}

    trained = train()
    deploy = SeldonDeployModelOperator(
        task_id="deploy",
        model_name="iris",
        model_uri=trained["model_uri"],
        implementation="SKLEARN_SERVER",
        metrics={"accuracy": trained["accuracy"]},
        deploy_decision=MetricThreshold("accuracy", at_least=0.9),
    )
    SeldonPredictOperator(task_id="predict", name=deploy.output["name"], data=[[5.1, 3.5, 1.4, 0.2]])
