"""The code of a task that rolls a deployment back, to copy into a DAG file."""

from __future__ import annotations

import re

from airflow_provider_seldon.core.fleet.view import DetailView


def rollback_snippet(detail: DetailView) -> str:
    """Return the code of an operator that rolls a deployment back; "" if no version is left to go back to."""
    if not detail.roll_back_to:
        return ""
    view = detail.deployment
    # Airflow allows 250 characters.
    task_id = "roll_back_" + re.sub(r"[^A-Za-z0-9_]+", "_", view.model_name or view.name)[:200]
    arguments = {
        "task_id": task_id,
        "seldon_conn_id": view.connection,
        "namespace": view.namespace,
        "name": view.name,
        "to": detail.roll_back_to,
    }
    lines = "".join(f"    {key}={_literal(value)},\n" for key, value in arguments.items())
    return (
        "from airflow_provider_seldon.operators.rollback import SeldonRollbackOperator\n\n"
        f"SeldonRollbackOperator(\n{lines})\n"
    )


def _literal(text: str) -> str:
    quoted = repr(text)
    return f'"{quoted[1:-1]}"' if quoted[0] == "'" and '"' not in quoted else quoted
