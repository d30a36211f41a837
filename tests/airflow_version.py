"""What the Airflow has that the tests run on."""

from __future__ import annotations

from importlib.metadata import version

_NUMBER = tuple(map(int, version("apache-airflow").split(".")[:2]))
#: Assets and asset watchers, REST API v2, the UI of Airflow 3.
AIRFLOW_3 = _NUMBER >= (3, 0)
#: Retry policies, shared streams of triggers, a store of each asset's state, and ``on_kill`` of triggers.
AIRFLOW_3_3 = _NUMBER >= (3, 3)
#: A connection form without parts to open.
AIRFLOW_3_4 = _NUMBER >= (3, 4)
