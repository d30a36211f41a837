"""Apache Airflow provider for Seldon Core."""

__version__ = "0.1.0"
