"""Airflow sensors: thin, like the operators; core evaluates their condition."""
