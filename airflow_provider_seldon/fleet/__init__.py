"""
The fleet page in Airflow's own UI, for Airflow 3.1 and later: a plugin, and the web application that it mounts.

It only reads. ``core.fleet`` decides what the page shows about a deployment; ``delivery.inventory.survey``
reads the cluster. Only ``plugin`` is imported outside of the API server.
"""
