"""Look up whether a DAG and its task still exist: in Airflow's database, REST API, or task API."""
