"""
The fleet page in Airflow's own UI, for Airflow 3.1 and later: a plugin, and the web application that it mounts.

It reads, and writes nothing. What a deployment looks like is decided in ``core.fleet``; looking is done by
``delivery.inventory.survey``. Only ``plugin`` is imported outside of the API server.
"""
