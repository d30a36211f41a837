"""
The demo's DAG with a canary where it had a plain deploy.

The limits are held to what the model's own service orchestrator counts, read where Prometheus would read it: a fresh
machine has no Prometheus. With one, ``ErrorRatio`` and ``Latency`` do the same with a window of time.
"""

from __future__ import annotations

import json
import os
import re
import urllib.request
from collections import Counter
from datetime import datetime
from typing import Any

from airflow.providers.common.compat.sdk import DAG, ObjectStoragePath, task

from airflow_provider_seldon.analysis import Analysis, FunctionMetric
from airflow_provider_seldon.operators.canary import SeldonAbortCanaryOperator, SeldonCanaryOperator

#: Where the list of pods is that Prometheus would read.
TARGETS = "DEMO_TARGETS"
#: One line of Prometheus' text format: requests that one predictor has answered with one status.
COUNT = re.compile(r"seldon_api_executor_server_requests_seconds_count\{(.*)\} (\S+)")
#: Requests below which nothing is said.
ENOUGH = 20


def errors(*, deployment: str, predictor: str, namespace: str, window: float) -> float | None:
    """Return which share of a predictor's requests has failed since it began to serve; None while they are few."""
    counts: Counter[bool] = Counter()
    for target in read(os.environ[TARGETS], json.loads):
        text = read(f"http://{target['targets'][0]}{target['labels']['__metrics_path__']}", bytes.decode)
        for labels, value in COUNT.findall(text):
            found = dict(re.findall(r'(\w+)="([^"]*)"', labels))
            if (found["deployment_name"], found["predictor_name"]) == (deployment, predictor):
                counts[found["code"].startswith("5")] += int(float(value))
    return counts[True] / counts.total() if counts.total() >= ENOUGH else None


def read(url: str, decode: Any) -> Any:
    """Read a page."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        return decode(answer.read())


with DAG(
    "continuous_deployment",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    params={"store": "s3://ml", "max_depth": 2},
):

    @task(multiple_outputs=True)
    def train(params: dict, run_id: str) -> dict:  # type: ignore[type-arg]
        """Train a model."""
        import joblib
        from sklearn import datasets, model_selection, tree

        flowers, species = datasets.load_iris(return_X_y=True)
        model = tree.DecisionTreeClassifier(max_depth=params["max_depth"], random_state=0)
        accuracy = model_selection.cross_val_score(model, flowers, species).mean()
        folder = ObjectStoragePath(f"{params['store']}/iris/{run_id}")
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "model.joblib").open("wb") as file:
            joblib.dump(model.fit(flowers, species), file)
        return {"model_uri": str(folder), "accuracy": float(accuracy)}

    trained: Any = train()  # type: ignore[call-arg]
    canary = SeldonCanaryOperator(
        task_id="deploy",
        model_name="iris",
        model_uri=trained["model_uri"],
        implementation="SKLEARN_SERVER",
        metrics={"accuracy": trained["accuracy"]},
        steps=[25, 50],
        bake=2,
        look_interval=1,
        analysis=Analysis(metrics=[FunctionMetric(errors, at_most=0.05)]),
    )
    abort = SeldonAbortCanaryOperator(task_id="abort", model_name="iris")
    canary >> abort.as_teardown(setups=trained.operator)
