"""Abort canaries that no run leads, delete expired previews, and report orphans."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_seldon.operators.reaper import SeldonReaperOperator

with DAG(
    "seldon_reaper",
    schedule=timedelta(minutes=15),
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    params={"dry_run": True},  # check the reports of a few days, then set it to False
):
    SeldonReaperOperator(
        task_id="reap",
        dry_run="{{ params.dry_run }}",
        grace=timedelta(hours=1),
        orphans="report",
        retries=1,
        # On Airflow 3, reporting all orphans needs a connection to the REST API:
        # airflow_conn_id="airflow_api"
    )
