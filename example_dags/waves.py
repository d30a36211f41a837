"""Roll out a model to one cluster, let it bake there, then to the rest; if one fails, roll back all."""

from __future__ import annotations

import os
from datetime import datetime

from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_seldon.operators.predict import SeldonPredictOperator
from airflow_provider_seldon.waves import Waves

with DAG("waves", schedule=None, start_date=datetime(2026, 1, 1), params={"version": 1}):

    @task
    def train(version: str) -> str:
        return f"s3://models/iris/{version}"

    with Waves(
        "roll_out",
        name="iris",
        model_name="iris",
        model_uri=train("{{ params.version }}"),
        implementation="SKLEARN_SERVER",
        max_parallel=2,
        on_failure="roll_back",
    ) as waves:
        waves.wave(["seldon_eu"])
        waves.bake(seconds=float(os.environ.get("WAVES_BAKE", "1800")))
        # Any task may be a gate: an approval, an analysis, a smoke test.
        smoke_test = SeldonPredictOperator(
            task_id="smoke_test", name="iris", seldon_conn_id="seldon_eu", data=[[5.1, 3.5, 1.4, 0.2]]
        )
        waves.gate(smoke_test)
        waves.wave(["seldon_us", "seldon_asia", {"seldon_conn_id": "seldon_us", "namespace": "edge"}])
