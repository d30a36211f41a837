"""One deployment for each thing that happens to it."""

from __future__ import annotations

from datetime import datetime

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_seldon.operators.deploy import SeldonDeployModelOperator

for name in ("update", "kept", "put-back", "resumed", "fenced", "crash", "inline", "linked", "fleet"):
    with DAG(name, schedule=None, start_date=datetime(2026, 1, 1)) as globals()[name]:
        SeldonDeployModelOperator(
            task_id="deploy",
            model_name=name,
            name=name,
            model_uri="{{ dag_run.conf['uri'] }}",
            implementation="SKLEARN_SERVER",
            replicas=2,
            model_server={
                # Pods need some seconds: Airflow 3.3 may fail a task that continues before its scheduler has heard of
                # the deferral (apache/airflow #71580).
                "extra_args": {
                    "annotations": {"local.seldon/behaviour": "{{ dag_run.conf.get('behaviour', 'slow:6') }}"}
                }
            },
            deferrable=name != "fleet",
            timeout=600,
            on_failure="keep" if name == "fleet" else "rollback",
            on_kill="rollback" if name == "put-back" else "keep",
        )
