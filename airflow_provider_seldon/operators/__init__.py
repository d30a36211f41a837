"""Airflow operators: arguments, templates, deferral, XCom. What is carried out is in delivery, what is decided in core."""
