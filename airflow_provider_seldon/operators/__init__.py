"""Airflow operators: arguments, templates, deferral and XCom. Use cases are in delivery, decisions in core."""
