"""What is known of DAGs and their tasks."""

from __future__ import annotations

from airflow_provider_seldon.core.reaping.origin import Origin
from airflow_provider_seldon.fleet.owners import Owners, _task_ids


def test_tasks_are_read_of_a_serialised_dag_of_either_form() -> None:
    tasks = [{"__type": "operator", "__var": {"task_id": "deploy"}}, {"task_id": "old"}]
    assert set(_task_ids({"dag": {"tasks": tasks}})) == {"deploy", "old"}
    assert list(_task_ids(None)) == []


def test_no_database_is_asked_for_what_cannot_be_an_id() -> None:
    owners = Owners()
    for strange in ("", "a\0b", "\ud800", "a b", "x" * 300, "'; drop table dag; --"):
        assert owners.dags([strange])[strange].origin is Origin.UNHEARD_OF
        assert owners.failures([("train", strange)]) == {}
        assert list(owners.runs(dag_id="train", task_id=strange, name="iris")) == []
