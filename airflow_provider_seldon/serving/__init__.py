"""What runs inside a custom model's container; imports no Airflow."""
