"""Access for the fleet page: read-only, and without retries during an outage, because users wait for it."""

from __future__ import annotations

from airflow_provider_seldon import settings
from airflow_provider_seldon.delivery.inventory.survey import Survey
from airflow_provider_seldon.hooks.connection import SeldonConnectionHook
from airflow_provider_seldon.hooks.masking import redact


def survey(conn_id: str, namespace: str = "") -> Survey:
    """
    Return the survey of a namespace.

    :param conn_id: Airflow connection of type ``seldon`` or ``kubernetes``.
    :param namespace: defaults to the connection's when empty.
    :raises ConnectionConfigError: the connection cannot be used; the message names the field.
    """
    hook = SeldonConnectionHook(conn_id, namespace=namespace or None)
    client = hook.open_client(patience=0.0)
    return Survey(client, connection=conn_id, redact=redact, log_lines=settings.failure_log_lines())


def write_variable(name: str, value: str) -> None:
    """Write an Airflow Variable, from a task."""
    try:
        from airflow.sdk import Variable
    except ImportError:  # Airflow 2.11
        from airflow.models import Variable
    Variable.set(name, value)
