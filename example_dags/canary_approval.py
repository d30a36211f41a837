"""
A canary that a person promotes or rejects, with a watch until then: it cannot stay at its weight for ever.

The approval needs Airflow 3.1. In earlier versions, the canary promotes itself; everything else is the same.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta

from airflow import __version__
from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_seldon.analysis import Analysis, FunctionMetric
from airflow_provider_seldon.operators.canary import (
    SeldonAbortCanaryOperator,
    SeldonCanaryOperator,
    SeldonPromoteCanaryOperator,
)
from airflow_provider_seldon.sensors.canary import SeldonCanarySensor

APPROVAL = tuple(map(int, __version__.split(".")[:2])) >= (3, 1)
BAKE = float(os.environ.get("CANARY_BAKE", "600"))


def error_ratio(*, deployment: str, predictor: str, namespace: str, window: float) -> float:
    """A substitute for ErrorRatio(at_most=0.01), which needs a Prometheus."""
    return float(os.environ.get("CANARY_ERRORS", "0.002"))


LIMITS = Analysis(metrics=[FunctionMetric(error_ratio, at_most=0.01)])

with DAG("canary_approval", schedule=None, start_date=datetime(2026, 1, 1), params={"version": 1}):

    @task
    def train(version: str) -> str:
        return f"s3://models/iris/{version}"

    trained = train("{{ params.version }}")
    canary = SeldonCanaryOperator(
        task_id="canary",
        model_name="iris",
        model_uri=trained,
        implementation="SKLEARN_SERVER",
        steps=[5, 25],
        bake=BAKE,
        analysis=LIMITS,
        hold_at=25 if APPROVAL else None,
    )
    # Aborts a canary that is left over by a killed task, or by a run that a user marked as failed. It is a
    # teardown of the task before the canary, because Airflow runs a teardown only if its setup has succeeded.
    abort = SeldonAbortCanaryOperator(task_id="abort", model_name="iris")
    abort.as_teardown(setups=trained.operator)

    if APPROVAL:
        from airflow.providers.standard.operators.hitl import HITLBranchOperator

        name = canary.output["name"]

        @task.short_circuit
        def held(action: str) -> bool:
            """Skip the approval if no canary is held: after a first deploy, or of an unchanged version."""
            return action == "held"

        # Without a response, "Reject" applies. ApprovalOperator would skip the downstream tasks, and keep the
        # 25 %.
        approve = HITLBranchOperator(
            task_id="approve",
            subject="Promote version {{ params.version }} of iris?",
            body="It has 25 % of the traffic: {{ ti.xcom_pull('canary', key='canary') }}",
            options=["Promote", "Reject"],
            options_mapping={"Promote": "promote", "Reject": "reject"},
            defaults=["Reject"],
            response_timeout=timedelta(hours=8),
        )
        promote = SeldonPromoteCanaryOperator(task_id="promote", name=name)
        reject = SeldonAbortCanaryOperator(task_id="reject", name=name)
        # In parallel to the approval: it aborts if a limit is exceeded meanwhile, or if there is no response
        # in time.
        watch = SeldonCanarySensor(
            task_id="watch",
            name=name,
            analysis=LIMITS,
            mode="reschedule",
            deferrable=False,
            poke_interval=min(60.0, BAKE),
            timeout=9 * 3600,
        )
        held(canary.output["action"]) >> [approve, watch]
        approve >> [promote, reject]
        [promote, reject, watch] >> abort
    else:
        canary >> abort
