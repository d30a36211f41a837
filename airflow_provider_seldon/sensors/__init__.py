"""Airflow sensors: thin, as operators are; what is waited for is judged in core."""
