"""Airflow operator links: from a task to what it deployed. They read XCom only, never the cluster."""
