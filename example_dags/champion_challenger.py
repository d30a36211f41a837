"""Train challengers in parallel; the best one replaces the running champion if it is better by a margin."""

from __future__ import annotations

from datetime import datetime

from airflow.providers.common.compat.sdk import DAG, ObjectStoragePath, task

from airflow_provider_seldon.decisions import BeatsServing
from airflow_provider_seldon.operators.deploy import SeldonDeployModelOperator

with DAG("champion_challenger", schedule=None, start_date=datetime(2026, 1, 1), params={"store": "s3://ml"}):

    @task
    def train(max_depth: int, params: dict, run_id: str) -> dict:
        import joblib
        from sklearn import datasets, model_selection, tree

        flowers, species = datasets.load_iris(return_X_y=True)
        model = tree.DecisionTreeClassifier(max_depth=max_depth, random_state=0)
        accuracy = model_selection.cross_val_score(model, flowers, species).mean()
        folder = ObjectStoragePath(f"{params['store']}/iris/{run_id}/depth-{max_depth}")
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "model.joblib").open("wb") as file:
            joblib.dump(model.fit(flowers, species), file)
        return {"model_uri": str(folder), "accuracy": float(accuracy)}

    @task(multiple_outputs=True)
    def best(challengers: list[dict]) -> dict:
        return max(challengers, key=lambda challenger: challenger["accuracy"])

    challenger = best(train.expand(max_depth=[1, 2, 3]))
    SeldonDeployModelOperator(
        task_id="deploy",
        model_name="iris",
        model_uri=challenger["model_uri"],
        implementation="SKLEARN_SERVER",
        metrics={"accuracy": challenger["accuracy"]},  # recorded, for the next challenger to beat
        deploy_decision=BeatsServing("accuracy", minimum_gain=0.01),
    )
