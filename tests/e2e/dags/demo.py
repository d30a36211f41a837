"""The demo DAG where operators are deferrable by default, as they are in this file's processes only."""

from __future__ import annotations

import os

os.environ["AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE"] = "True"

# It makes a DAG, and Airflow looks for files that speak of one.
import continuous_deployment  # noqa: F401
