"""What the triggerer can look at, and what is left to a worker; lines for the log."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Any

import pytest

from airflow_provider_seldon.core.analysis.analysis import Analysis
from airflow_provider_seldon.core.analysis.metrics import ErrorRatio, FunctionMetric, GoldenSet, TrafficMetric
from airflow_provider_seldon.core.analysis.queries import Sides
from airflow_provider_seldon.core.analysis.samples import Requests, Sample
from airflow_provider_seldon.core.canary.looks import Look, Plan
from airflow_provider_seldon.core.canary.steps import Step
from airflow_provider_seldon.delivery.canary.analysis_run import AnalysisRun, for_triggerer, from_anything

ERRORS = ErrorRatio(at_most=0.1)
DRIFT = FunctionMetric(lambda **_: 0.5, at_most=1, label="drift")
ROWS = GoldenSet("rows.jsonl")
SIDES = Sides(deployment="iris", candidate="canary", baseline="main")
GOOD = Sample(candidate=Requests(total=1000, errors=0))


def analysis_run(
    *metrics: TrafficMetric, since: float = 0.0, measure: Any = None, **step: float
) -> AnalysisRun:
    given = {"bake": 600.0, "interval": 60.0, **step}
    plan = Plan(
        analysis=Analysis(metrics=metrics) if metrics else None,
        step=Step(weight=5, bake=given["bake"]),
        since=since,
        interval=given["interval"],
    )
    return AnalysisRun(plan=plan, progress=plan.begun(), measure=measure, logger=logging.getLogger("looks"))


def test_the_triggerer_looks_where_no_worker_is_needed_before_the_end_of_the_step() -> None:
    alone = analysis_run(ERRORS)
    assert for_triggerer(alone, until=2000) == (alone.plan, 2000)
    for metrics in ((), (DRIFT,), (ERRORS, DRIFT), (ROWS,)):
        assert for_triggerer(analysis_run(*metrics), until=2000) is None
    both = analysis_run(ERRORS, ROWS)
    plan, until = for_triggerer(both, until=2000) or (None, 0.0)
    assert plan is not None
    assert (list(plan.metrics), until) == ([ERRORS], 600.0)
    for _ in range(9):
        both.progress = both.plan.after(both.progress, {"ErrorRatio": GOOD})
    assert both.plan.due(both.progress).concludes
    assert for_triggerer(both, until=2000) is None


def test_a_metric_of_a_users_own_class_is_measured_by_a_worker() -> None:
    class Internal(ErrorRatio):
        """The triggerer may not have the file of the DAG."""

    assert for_triggerer(analysis_run(Internal(at_most=0.1)), until=2000) is None
    assert for_triggerer(analysis_run(Internal(at_most=0.1), ROWS), until=2000) is None


def test_the_look_at_a_moment_is_left_to_whoever_is_woken_then() -> None:
    found: list[Look] = []

    async def measure(look: Look) -> Mapping[str, Sample]:
        found.append(look)
        return {"ErrorRatio": GOOD}

    past = analysis_run(ERRORS, since=time.time() - 10_000, measure=measure)
    asyncio.run(past.look_until(past.plan.since + 600))
    assert [look.concludes for look in found] == [False] * 9
    asyncio.run(past.look_until(time.time()))
    assert past.over
    assert len(found) == 10


def test_looks_of_the_past_leave_out_what_only_the_present_knows_but_at_the_end() -> None:
    now = time.time()
    compare = lambda metric, sides: Sample(candidate=0.0)  # noqa: E731
    of = analysis_run(DRIFT, ROWS, since=now - 300).plan
    measure = from_anything(of, SIDES, None, compare=compare)
    found = [
        set(asyncio.run(measure(Look(at=at, window=60, concludes=concludes)))) for at, concludes in
        ((now - 120, False), (now, False), (now - 120, True))
    ]  # fmt: skip
    assert found == [set(), {"drift"}, {"drift", "GoldenSet"}]


def test_a_look_is_logged_once_for_each_interval_and_those_of_the_past_in_one_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def measure(_: Look) -> Mapping[str, Sample]:
        return {"ErrorRatio": Sample()}

    with caplog.at_level(logging.INFO, "looks"):
        begun = analysis_run(ERRORS, since=time.time() - 9.05, bake=9, interval=3, measure=measure)
        asyncio.run(begun.look_until(time.time() + 1.2))
    told = [record.getMessage() for record in caplog.records]
    assert begun.progress.taken == 4, "the one at the end was made again after a second"
    assert told[0] == "2 overdue measurements were made, as of their times"
    assert len(told) == 2, told
    assert "no data of the candidate" in told[1]
