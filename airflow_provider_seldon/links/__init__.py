"""Airflow operator links: from a task to its deployment. They read only XComs, never the cluster."""
