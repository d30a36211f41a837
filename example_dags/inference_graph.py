"""Serve two versions of a model side by side (an A/B test) from a manifest, and ask for a prediction first."""

from __future__ import annotations

from datetime import datetime

from airflow.providers.common.compat.sdk import DAG, Param

from airflow_provider_seldon.operators.apply import SeldonApplyOperator

with DAG(
    "inference_graph",
    start_date=datetime(2026, 1, 1),
    schedule=None,
    params={
        "champion": "gs://seldon-models/v1.19.0-dev/sklearn/iris",
        "challenger": "gs://seldon-models/v1.18.0/sklearn/iris",
        "challenger_traffic": Param(10, type="integer", minimum=0, maximum=100),
    },
    tags=["seldon"],
):
    apply = SeldonApplyOperator(
        task_id="apply",
        manifest="inference_graph.yaml",
        smoke_test={"data": [[5.1, 3.5, 1.4, 0.2]]},
        timeout=600,
        deferrable=True,
    )
