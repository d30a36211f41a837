"""Asking Airflow whether a DAG and its task still exist: its database, its REST API, or its task API."""
