"""Apply an inference graph, a transformer in front of a model, from a manifest that is a template."""

from __future__ import annotations

from datetime import datetime

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_seldon.operators.apply import SeldonApplyOperator
from airflow_provider_seldon.operators.predict import SeldonPredictOperator

PARAMS = {
    "transformer_image": "my-registry/flower-features:1",
    "model_uri": "gs://seldon-models/v1.19.0-dev/sklearn/iris",
}

with DAG("inference_graph", schedule=None, start_date=datetime(2026, 1, 1), params=PARAMS):
    apply = SeldonApplyOperator(task_id="apply", manifest="inference_graph.yaml")
    SeldonPredictOperator(task_id="predict", name=apply.output["name"], data=[[5.1, 3.5, 1.4, 0.2]])
