"""What is known of DAGs and their tasks."""

from __future__ import annotations

from airflow_provider_seldon.fleet.owners import _task_ids


def test_tasks_are_read_of_a_serialised_dag_of_either_form() -> None:
    tasks = [{"__type": "operator", "__var": {"task_id": "deploy"}}, {"task_id": "old"}]
    assert set(_task_ids({"dag": {"tasks": tasks}})) == {"deploy", "old"}
    assert list(_task_ids(None)) == []
