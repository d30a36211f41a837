"""Airflow triggers: what is waited for, as JSON, and the events of it. The wait itself is in delivery."""
