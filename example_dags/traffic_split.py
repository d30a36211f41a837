"""Give a challenger a part of the traffic (an A/B test), from a manifest. Run it again to change the part."""

from __future__ import annotations

from datetime import datetime

from airflow.providers.common.compat.sdk import DAG, Param

from airflow_provider_seldon.operators.apply import SeldonApplyOperator

PARAMS = {
    "champion": "gs://seldon-models/v1.19.0-dev/sklearn/iris",
    "challenger": "gs://seldon-models/v1.18.0/sklearn/iris",
    "challenger_traffic": Param(10, type="integer", minimum=0, maximum=100),
}

with DAG("traffic_split", schedule=None, start_date=datetime(2026, 1, 1), params=PARAMS):
    apply = SeldonApplyOperator(
        task_id="apply",
        manifest="traffic_split.yaml",
        smoke_test={"data": [[5.1, 3.5, 1.4, 0.2]]},
    )
