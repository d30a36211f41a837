"""How waves are laid out: what comes after what, and what a failure leads to; and what is refused."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_seldon.exceptions import InvalidModelServerError
from airflow_provider_seldon.waves import SeldonWaveCanaryOperator, Waves
from tests.airflow_version import AIRFLOW_3_3

MODEL = {
    "name": "iris",
    "model_name": "iris",
    "model_uri": "s3://models/1",
    "implementation": "SKLEARN_SERVER",
}


def laid_out(**arguments: Any) -> dict[str, Any]:
    """The tasks of a small rollout, by the last part of their id."""
    with (
        DAG("rollout", schedule=None, start_date=datetime(2026, 1, 1)) as dag,
        Waves("waves", **{**MODEL, **arguments}) as waves,
    ):
        waves.wave(["a"])
        waves.bake(seconds=1)
        waves.wave([{"seldon_conn_id": "b", "replicas": 1}, {"seldon_conn_id": "c", "namespace": "edge"}])
    return {task.task_id.removeprefix("waves."): task for task in dag.tasks}


def upstream(task: Any) -> set[str]:
    return {one.removeprefix("waves.") for one in task.upstream_task_ids}


def test_each_wave_waits_for_all_before_it_and_a_failure_leads_to_a_rollback_of_every_wave() -> None:
    tasks = laid_out()
    assert upstream(tasks["wave_1"]) == set()
    assert upstream(tasks["bake"]) == {"wave_1"}
    assert upstream(tasks["wave_1_serves"]) == {"bake"}
    assert upstream(tasks["wave_2"]) == {"wave_1_serves"}
    steps = {"wave_1", "bake", "wave_1_serves", "wave_2"}
    assert upstream(tasks["all_ended"]) == upstream(tasks["some_failed"]) == steps
    assert (tasks["all_ended"].trigger_rule, tasks["some_failed"].trigger_rule) == ("all_done", "one_failed")
    for number in (1, 2):
        assert upstream(tasks[f"roll_back_{number}"]) == {"all_ended", "some_failed"}
    assert upstream(tasks["ended"]) == {*steps, "roll_back_1", "roll_back_2"}
    assert tasks["ended"].trigger_rule == "none_failed"


def test_a_rollback_goes_where_its_wave_went_without_what_only_a_deploy_takes() -> None:
    tasks = laid_out(timeout=30)
    assert tasks["wave_2"].expand_input.value == [
        {"seldon_conn_id": "b", "replicas": 1},
        {"seldon_conn_id": "c", "namespace": "edge"},
    ]
    assert tasks["roll_back_2"].expand_input.value == [
        {"seldon_conn_id": "b"},
        {"seldon_conn_id": "c", "namespace": "edge"},
    ]
    assert tasks["roll_back_2"].partial_kwargs["timeout"] == 30
    assert tasks["roll_back_2"].partial_kwargs["to"] == "before_run"
    assert "model_uri" not in tasks["roll_back_2"].partial_kwargs


def test_a_target_overrides_what_the_group_gives_for_the_rollback_as_for_the_deploy() -> None:
    from airflow.providers.common.compat.sdk import task

    with DAG("overridden", schedule=None, start_date=datetime(2026, 1, 1)) as dag:

        @task
        def clusters() -> list[dict[str, str]]:
            return [{"seldon_conn_id": "a"}]

        with Waves("waves", namespace="models", timeout=30, **MODEL) as waves:
            waves.wave(clusters())
            waves.bake(seconds=1)
            waves.wave(["a", {"seldon_conn_id": "b", "namespace": "edge", "name": "iris-b"}])
    for task_id in ("wave_1", "wave_1_serves", "roll_back_1", "wave_2", "roll_back_2"):
        mapped = dag.get_task(f"waves.{task_id}")
        common = mapped.unmap({"seldon_conn_id": "a"})
        assert (common.seldon_conn_id, common.namespace, common.name) == ("a", "models", "iris"), task_id
        own = mapped.unmap({"seldon_conn_id": "b", "namespace": "edge", "name": "iris-b"})
        assert (own.namespace, own.name, own.timeout) == ("edge", "iris-b", 30), task_id
    assert dag.get_task("waves.roll_back_2").expand_input.value[1] == {
        "seldon_conn_id": "b",
        "namespace": "edge",
        "name": "iris-b",
    }


@pytest.mark.parametrize("parallel", [0, -1, "many", True])
def test_a_limit_that_would_limit_nothing_or_let_nothing_begin_is_refused(parallel: Any) -> None:
    with pytest.raises(InvalidModelServerError, match="max_parallel"):
        laid_out(max_parallel=parallel)


@pytest.mark.parametrize("seconds", ["30m", -1, None, float("nan")])
def test_a_bake_time_is_refused_before_the_first_wave_and_not_after_it(seconds: Any) -> None:
    with (
        DAG("refused", schedule=None, start_date=datetime(2026, 1, 1)),
        pytest.raises(InvalidModelServerError, match="bake"),
        Waves(**MODEL) as waves,
    ):
        waves.bake(seconds=seconds)


def test_to_stop_lays_out_no_rollback() -> None:
    tasks = laid_out(on_failure="stop")
    assert set(tasks) == {"wave_1", "bake", "wave_1_serves", "wave_2", "ended"}


def test_parallel_deploys_are_limited_also_where_airflow_does_not_count_deferred_ones() -> None:
    task = laid_out(max_parallel=2)["wave_2"]
    assert task.partial_kwargs["max_active_tis_per_dagrun"] == 2
    if AIRFLOW_3_3:
        assert "deferrable" not in task.partial_kwargs
        return
    assert task.partial_kwargs["deferrable"] is False
    with pytest.raises(InvalidModelServerError, match="does not count deferred"):
        laid_out(max_parallel=2, deferrable=True)


@pytest.mark.parametrize("targets", ["seldon_eu", [], [1]])
def test_what_is_no_list_of_clusters_is_refused(targets: Any) -> None:
    with (
        DAG("refused", schedule=None, start_date=datetime(2026, 1, 1)),
        pytest.raises(InvalidModelServerError, match="takes a list of clusters"),
        Waves(**MODEL) as waves,
    ):
        waves.wave(targets)


def test_a_wave_may_be_a_canary_and_where_to_go_may_be_found_out_by_a_task() -> None:
    from airflow.providers.common.compat.sdk import task

    with DAG("found_out", schedule=None, start_date=datetime(2026, 1, 1)) as dag:

        @task
        def clusters() -> list[dict[str, str]]:
            return [{"seldon_conn_id": "a"}]

        with Waves("waves", **MODEL) as waves:
            first = waves.wave(clusters(), operator=SeldonWaveCanaryOperator, steps=[50])
    assert first.operator_class is SeldonWaveCanaryOperator
    assert "waves.clusters" in dag.get_task("waves.roll_back_1").upstream_task_ids


def test_an_unknown_end_is_refused() -> None:
    with pytest.raises(InvalidModelServerError, match="neither stop nor roll_back"):
        Waves(**MODEL, on_failure="explode")  # type: ignore[arg-type]
