"""Airflow 2.11: the metadata database, which tasks may read there. On Airflow 3 they may not."""

from __future__ import annotations

from typing import Any

from airflow_provider_seldon.core.reaping.origin import Origin
from airflow_provider_seldon.hooks.origins.known_dag import KnownDag, broken, gone, unheard_of


class Database:
    """Reads ``DagModel``, the import errors and the serialised DAG."""

    def dag(self, dag_id: str) -> KnownDag:
        """Return the state of a DAG."""
        from airflow.models.dag import DagModel
        from airflow.models.errors import ParseImportError
        from airflow.models.serialized_dag import SerializedDagModel
        from airflow.utils.session import create_session

        session: Any
        with create_session() as session:
            row: Any = session.get(DagModel, dag_id)
            if row is None:
                return unheard_of(dag_id)
            failed = session.query(ParseImportError).filter(ParseImportError.filename == row.fileloc).first()
            if failed is not None:
                return broken(dag_id)
            if not row.is_active:
                return gone(dag_id)
            serialised: Any = SerializedDagModel.get(dag_id, session=session)
            tasks = frozenset(serialised.dag.task_dict) if serialised is not None else None
        return KnownDag(Origin.PRESENT, tasks=tasks)
