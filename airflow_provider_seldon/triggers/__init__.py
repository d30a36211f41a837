"""Airflow triggers: the condition to wait for, as JSON, and its events. The wait itself is in delivery."""
