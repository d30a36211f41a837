"""A reaper that cleans up one deployment, at once."""

from __future__ import annotations

from datetime import datetime

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_seldon.operators.reaper import SeldonReaperOperator

with DAG("reaper", schedule=None, start_date=datetime(2026, 1, 1)):
    SeldonReaperOperator(task_id="reap", grace=0, orphans="ignore", name="{{ dag_run.conf['name'] }}")
