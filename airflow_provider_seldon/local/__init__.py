"""Seldon Core on this machine, without a cluster. Nothing outside of it imports it, and it imports no Airflow."""
