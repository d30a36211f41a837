"""Seldon Core on this machine, without a cluster. Nothing else imports it, and it does not import Airflow."""
