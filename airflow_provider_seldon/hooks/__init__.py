"""What Airflow calls a hook: the facade, the connection, its form, its test, masking. Use cases are in delivery."""
