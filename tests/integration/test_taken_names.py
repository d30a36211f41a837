"""Deploys that would take the place of one that is meant to stay."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

import pytest

from airflow_provider_seldon.core.identity.annotations import ANNOTATION_MODEL_URI
from airflow_provider_seldon.exceptions import InvalidModelServerError
from airflow_provider_seldon.hooks.seldon import SeldonHook
from tests.integration.conftest import context
from tests.integration.task_thread import task_thread
from tests.integration.test_deploy_operator import MONDAY, TUESDAY, deploy, operator


def uris(hook: SeldonHook) -> list[str]:
    return sorted(one.annotations[ANNOTATION_MODEL_URI] for one in hook.client.find())


def test_a_mapped_task_does_not_replace_what_another_of_its_run_has_deployed(hook: SeldonHook) -> None:
    first = deploy({"map_index": 0}, model_uri="s3://m/a")
    with pytest.raises(
        InvalidModelServerError, match=r"mapped task 0 of this run(.|\n)*expand over model_name"
    ):
        deploy({"map_index": 1}, model_uri="s3://m/b")
    assert uris(hook) == ["s3://m/a"]
    assert deploy({"map_index": 0, "try_number": 2}, model_uri="s3://m/a")["name"] == first["name"]
    assert deploy({"map_index": 1, "run_id": "next", "logical_date": TUESDAY}, model_uri="s3://m/b")[
        "action"
    ] == ("updated")


def test_of_mapped_tasks_that_begin_at_once_one_deploys_and_none_is_green_although_replaced(
    hook: SeldonHook,
) -> None:
    ended: dict[int, Any] = {}

    def run(index: int) -> None:
        try:
            ended[index] = operator(model_uri=f"s3://m/{index}").execute(context(map_index=index))
        except InvalidModelServerError as error:
            ended[index] = error

    threads = [task_thread(partial(run, index)) for index in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    green = [one["model_uri"] for one in ended.values() if isinstance(one, dict)]
    assert len(green) == 1
    assert uris(hook) == green


def test_mapped_tasks_with_names_of_their_own_or_without_replacing_have_a_deployment_each(
    hook: SeldonHook,
) -> None:
    for index, model in enumerate(("iris", "rose")):
        deploy({"map_index": index}, model_name=model)
    for index in range(2):
        deploy({"map_index": index}, model_name="tulip", model_uri=f"s3://m/{index}", replace=False)
    assert len(hook.client.find()) == 4


def test_replace_false_replaces_nothing_under_a_name_either(hook: SeldonHook) -> None:
    arguments: dict[str, Any] = {"name": "iris", "replace": False}
    deploy({"run_id": "one", "logical_date": MONDAY}, **arguments, model_uri="s3://m/1")
    with pytest.raises(InvalidModelServerError, match=r"name: iris is deployed already, by run one"):
        deploy({"run_id": "two", "logical_date": TUESDAY}, **arguments, model_uri="s3://m/2")
    assert uris(hook) == ["s3://m/1"]
    again = deploy({"run_id": "one", "logical_date": MONDAY}, **arguments, model_uri="s3://m/2")
    assert again["model_uri"] == "s3://m/2"


def test_another_dag_that_deploys_under_the_same_name_is_reported(
    hook: SeldonHook, caplog: pytest.LogCaptureFixture
) -> None:
    deploy({"dag_id": "train"}, name="prod", model_uri="s3://m/1")
    with caplog.at_level(logging.WARNING):
        deploy({"dag_id": "other", "run_id": "run-2"}, name="prod", model_uri="s3://m/2")
    assert "prod was deployed by DAG train, and DAG other now replaces it" in caplog.text
