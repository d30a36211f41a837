"""The demo DAG where operators are deferrable by default, as they are in this file's processes only, with retries."""

from __future__ import annotations

import os
from datetime import timedelta

os.environ["AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE"] = "True"

# It makes a DAG, and Airflow looks for files that speak of one.
import continuous_deployment

# As the documentation advises: Airflow may fail a task whose wait is over soon after it began (apache/airflow #71580).
for task in continuous_deployment.deploy.dag.tasks:
    task.retries, task.retry_delay = 2, timedelta(0)
