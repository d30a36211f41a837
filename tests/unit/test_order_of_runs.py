"""
The order of runs, with the runs that Airflow's own timetables make.

Each test lists runs in the order in which they were meant to run; the tokens that the deploying task makes for them
have to have the same order, whichever of them runs, or is retried, when.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pendulum
import pytest
from airflow.models.dagrun import DagRun
from airflow.timetables.base import DataInterval, TimeRestriction, Timetable
from airflow.timetables.interval import CronDataIntervalTimetable, DeltaDataIntervalTimetable
from airflow.timetables.trigger import CronTriggerTimetable
from airflow.utils.types import DagRunType

from airflow_provider_seldon.core.identity.annotations import ANNOTATION_ORDER, LABEL_MANAGED_BY, MANAGER
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
from airflow_provider_seldon.core.rollout.fence import OrderToken, order_of, overtaken_by
from airflow_provider_seldon.operators.deploy import SeldonDeployModelOperator
from tests.airflow_version import AIRFLOW_3

MONDAY = pendulum.datetime(2026, 1, 5, tz="UTC")
TIMETABLES: dict[str, Timetable] = {
    "daily intervals": CronDataIntervalTimetable("0 3 * * *", timezone=pendulum.timezone("UTC")),
    "weekly intervals": CronDataIntervalTimetable("0 3 * * 2", timezone=pendulum.timezone("UTC")),
    "daily intervals, with summer time": CronDataIntervalTimetable(
        "30 2 * * *", timezone=pendulum.timezone("Europe/Paris")
    ),
    "every 36 hours": DeltaDataIntervalTimetable(timedelta(hours=36)),
    "daily triggers": CronTriggerTimetable("0 3 * * *", timezone="UTC"),
    "weekly triggers for a week": CronTriggerTimetable(
        "0 3 * * 2", timezone="UTC", interval=timedelta(days=7)
    ),
}
OPERATOR = SeldonDeployModelOperator(task_id="deploy", model_name="iris", model_uri="s3://models/iris/1")


def run_of(kind: DagRunType, run_id: str, **facts: Any) -> DagRun:
    """Return a run as this Airflow has it; a fact that it does not know is left out."""
    if AIRFLOW_3:
        return DagRun(dag_id="train", run_id=run_id, run_type=kind, **facts)
    facts.pop("run_after")
    return DagRun(
        dag_id="train", run_id=run_id, run_type=kind, execution_date=facts.pop("logical_date"), **facts
    )


def scheduled(timetable: Timetable, count: int, *, kind: DagRunType = DagRunType.SCHEDULED) -> list[DagRun]:
    """Return the first runs that a timetable makes, as the scheduler or a backfill creates them."""
    last: DataInterval | None = None
    runs = []
    for _ in range(count):
        info = timetable.next_dagrun_info(
            last_automated_data_interval=last,
            restriction=TimeRestriction(earliest=MONDAY, latest=None, catchup=True),
        )
        assert info is not None
        last = info.data_interval
        named_after = info.run_after if AIRFLOW_3 else info.logical_date
        runs.append(
            run_of(
                kind,
                f"{kind.value}__{named_after.isoformat()}",
                logical_date=info.logical_date,
                data_interval=(last.start, last.end),
                run_after=info.run_after,
            )
        )
    return runs


def manual(timetable: Timetable, at: datetime) -> DagRun:
    """Return a run that somebody triggers at a time."""
    moment = pendulum.instance(at)
    interval = timetable.infer_manual_data_interval(run_after=moment)
    return run_of(
        DagRunType.MANUAL,
        f"manual__{moment.isoformat()}",
        logical_date=moment,
        data_interval=(interval.start, interval.end),
        run_after=moment,
    )


def asset_triggered(at: datetime, *, source: DagRun) -> DagRun:
    """Return a run that an event of a source run triggers; on 2.11 it has the data interval of that."""
    moment = pendulum.instance(at)
    if AIRFLOW_3:
        return run_of(
            DagRunType.ASSET_TRIGGERED,
            f"asset_triggered__{moment.isoformat()}_x",
            logical_date=None,
            run_after=moment,
            data_interval=None,
        )
    from airflow.datasets import Dataset
    from airflow.models.dataset import DatasetEvent
    from airflow.timetables.simple import DatasetTriggeredTimetable

    event = DatasetEvent(timestamp=moment)
    event.source_dag_run = source
    interval = DatasetTriggeredTimetable(Dataset("seldon://models/iris")).data_interval_for_events(
        moment, [event]
    )
    return run_of(
        DagRunType.DATASET_TRIGGERED,
        f"dataset_triggered__{moment.isoformat()}",
        logical_date=moment,
        run_after=moment,
        data_interval=(interval.start, interval.end),
    )


def ran_at(run: DagRun) -> datetime:
    """Return when Airflow runs it, by its own rule."""
    return run.run_after if AIRFLOW_3 else run.data_interval_end


def token_of(run: DagRun) -> OrderToken:
    token = OPERATOR.order({"dag_run": run})  # type: ignore[arg-type]
    assert token is not None
    return token


def deployed_by(token: OrderToken | str, **metadata: Any) -> SeldonDeployment:
    return SeldonDeployment.from_manifest(
        {
            "kind": "SeldonDeployment",
            "metadata": {
                "name": "iris",
                "labels": {LABEL_MANAGED_BY: MANAGER},
                "annotations": {ANNOTATION_ORDER: str(token)},
                **metadata,
            },
        }
    )


def assert_ordered(runs: Sequence[DagRun]) -> None:
    tokens = [token_of(run) for run in runs]
    assert tokens == sorted(set(tokens)), [str(token) for token in tokens]
    for older, newer in pairwise(tokens):
        assert overtaken_by(newer, [deployed_by(older)]) is None
        assert overtaken_by(older, [deployed_by(newer)]) is not None


@pytest.mark.parametrize("name", TIMETABLES)
def test_scheduled_runs_are_ordered_by_when_they_run(name: str) -> None:
    assert_ordered(scheduled(TIMETABLES[name], 5))


@pytest.mark.parametrize("name", TIMETABLES)
def test_a_manual_run_between_does_not_make_the_next_scheduled_one_stale(name: str) -> None:
    first, second, third = scheduled(TIMETABLES[name], 3)
    soon = manual(TIMETABLES[name], ran_at(first) + timedelta(minutes=1))
    late = manual(TIMETABLES[name], ran_at(third) - timedelta(minutes=1))
    assert_ordered([first, soon, second, late, third])


@pytest.mark.parametrize("name", TIMETABLES)
def test_an_asset_triggered_run_between_does_not_either(name: str) -> None:
    first, second, third = scheduled(TIMETABLES[name], 3)
    soon = asset_triggered(ran_at(first) + timedelta(minutes=1), source=first)
    late = asset_triggered(ran_at(third) - timedelta(minutes=1), source=first)
    assert_ordered([first, soon, second, late, third])


@pytest.mark.parametrize("name", TIMETABLES)
def test_a_rollback_between_blocks_only_what_is_older(name: str) -> None:
    first, second, third = scheduled(TIMETABLES[name], 3)
    rollback = token_of(manual(TIMETABLES[name], ran_at(second) + timedelta(hours=5)))
    rolled_back = deployed_by(rollback)
    assert overtaken_by(token_of(first), [rolled_back]) is rolled_back
    assert overtaken_by(token_of(second), [rolled_back]) is rolled_back
    assert overtaken_by(token_of(third), [rolled_back]) is None


@pytest.mark.parametrize("name", TIMETABLES)
def test_a_backfill_is_as_old_as_what_it_fills_in(name: str) -> None:
    *before, now = scheduled(TIMETABLES[name], 4)
    filled = scheduled(TIMETABLES[name], 3, kind=DagRunType.BACKFILL_JOB)
    assert_ordered([*filled, now])
    assert all(overtaken_by(token_of(run), [deployed_by(token_of(now))]) for run in filled)
    assert [token_of(run).moment for run in filled] == [token_of(run).moment for run in before]


@pytest.mark.parametrize("name", TIMETABLES)
def test_sixteen_runs_that_catch_up_at_once_end_with_the_newest(name: str) -> None:
    runs = scheduled(TIMETABLES[name], 16)
    shuffled = random.Random(7).sample(runs, k=16)
    with ThreadPoolExecutor(16) as pool:
        tokens = list(pool.map(token_of, shuffled))
    present = tokens[0]
    for token in tokens[1:]:
        if overtaken_by(token, [deployed_by(present)]) is None:
            present = token
    assert present == token_of(runs[-1])


@pytest.mark.parametrize("name", TIMETABLES)
def test_tokens_that_an_earlier_version_stored_let_the_next_run_pass_and_no_older_one(name: str) -> None:
    first, second, third = scheduled(TIMETABLES[name], 3)
    moment = second.logical_date if AIRFLOW_3 else second.execution_date
    stored = deployed_by(f"{moment.astimezone(UTC).isoformat()} {second.run_id}")
    assert overtaken_by(token_of(first), [stored]) is stored
    assert overtaken_by(token_of(second), [stored]) is None
    assert overtaken_by(token_of(third), [stored]) is None


def test_a_date_in_the_far_future_counts_as_the_time_of_writing() -> None:
    future = manual(TIMETABLES["daily intervals"], datetime(2199, 1, 1, tzinfo=UTC))
    before = datetime.now(UTC)
    token = token_of(future)
    assert before <= token.moment <= datetime.now(UTC)
    tomorrow = OrderToken.of(datetime.now(UTC) + timedelta(seconds=1), "scheduled__x")
    assert overtaken_by(tomorrow, [deployed_by(token)]) is None


def test_a_logical_date_in_the_future_does_not_count_where_the_run_says_when_it_was_to_run() -> None:
    run = SimpleNamespace(
        run_id="manual__x", run_after=MONDAY, logical_date=datetime(2199, 1, 1, tzinfo=UTC), start_date=None
    )
    assert token_of(run).moment == MONDAY  # type: ignore[arg-type]


def test_every_try_of_a_run_from_the_future_has_the_same_place() -> None:
    future = manual(TIMETABLES["daily intervals"], datetime(2199, 1, 1, tzinfo=UTC))
    future.start_date = datetime(2026, 2, 1, tzinfo=UTC)
    assert token_of(future).moment == future.start_date
    assert token_of(future) == token_of(future)


def test_the_start_of_a_run_moves_no_other_token() -> None:
    run = scheduled(TIMETABLES["daily intervals"], 1)[0]
    expected = token_of(run)
    run.start_date = expected.moment - timedelta(days=1)
    assert token_of(run) == expected


def test_a_token_from_the_far_future_that_is_stored_counts_from_when_it_was_written() -> None:
    written = datetime(2026, 2, 1, tzinfo=UTC)
    fields = [
        {"manager": "kubectl", "time": "2026-03-01T00:00:00Z"},
        {"manager": MANAGER, "time": "2026-02-01T00:00:00Z"},
        {"manager": MANAGER, "time": "2026-01-01T00:00:00Z"},
    ]
    future = OrderToken.of(datetime(2199, 1, 1, tzinfo=UTC), "manual__2199")
    stored = deployed_by(future, managedFields=fields, creationTimestamp="2025-12-01T00:00:00Z")
    now = datetime(2026, 4, 1, tzinfo=UTC)
    assert order_of(stored, now=now) == OrderToken.of(written, "manual__2199")
    later = OrderToken.of(written + timedelta(seconds=1), "scheduled__x")
    assert overtaken_by(later, [stored], now=now) is None
    earlier = OrderToken.of(written - timedelta(seconds=1), "scheduled__x")
    assert overtaken_by(earlier, [stored], now=now) is stored
