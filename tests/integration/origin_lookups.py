"""
Looks DAGs up in the metadata database of Airflow 2.11: ``python -m tests.integration.origin_lookups``.

Answers what is said of a task that is there and of one that is not, for DAGs of every kind. Airflow home comes with the
environment.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from airflow.models.dag import DagModel
from airflow.models.dagbag import DagBag
from airflow.models.errors import ParseImportError
from airflow.utils.db import initdb
from airflow.utils.session import create_session

from airflow_provider_seldon.hooks.origins.database import Database
from tests.python_process import answer

DAGS = """
from datetime import datetime
from airflow import DAG
from airflow.operators.empty import EmptyOperator
for name in ("known", "stale", "broken"):
    with DAG(name, schedule=None, start_date=datetime(2026, 1, 1)) as globals()[name]:
        EmptyOperator(task_id="deploy")
"""


def main() -> None:
    """Make the database, and look everything up."""
    folder = Path(os.environ["AIRFLOW_HOME"], "dags")
    folder.mkdir(parents=True)
    (folder / "models.py").write_text(DAGS)
    initdb()
    bag: Any = DagBag(str(folder), include_examples=False)
    bag.sync_to_db()
    session: Any
    with create_session() as session:
        session.get(DagModel, "stale").is_active = False
        broken = session.get(DagModel, "broken")
        broken.is_active, broken.fileloc = False, "/dags/broken.py"
        now = datetime.now(UTC)
        session.add(ParseImportError(timestamp=now, filename="/dags/broken.py", stacktrace="SyntaxError"))
    found = {name: Database().dag(name) for name in ("known", "stale", "broken", "nowhere")}
    answer({key: [one.whereabouts(task).origin for task in ("deploy", "old")] for key, one in found.items()})


if __name__ == "__main__":
    main()
