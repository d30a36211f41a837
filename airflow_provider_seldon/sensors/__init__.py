"""Airflow sensors: thin, like the operators; core evaluates the condition that they wait for."""
