"""
What Airflow reads about this provider.

This module imports nothing: Airflow calls it while its own configuration is still being built, and an
import of ``airflow.sdk`` here ends every Airflow 3.3 process.
"""


def get_provider_info() -> dict[str, object]:
    """Return the provider's metadata in the shape of Airflow's ``provider_info.schema.json``."""
    return {
        "package-name": "airflow-provider-seldon",
        "name": "Seldon Core",
        "description": "Deploy models with Seldon Core and wait until they really serve.",
    }
