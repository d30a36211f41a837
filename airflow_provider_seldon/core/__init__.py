"""Pure decisions: no Airflow, no Kubernetes client, no I/O."""
