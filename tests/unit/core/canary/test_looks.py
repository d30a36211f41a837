"""The measurements of a step: when they are due, their result, and that it does not depend on the process."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from itertools import product
from typing import Any

import pytest

from airflow_provider_seldon.core.analysis.analysis import Analysis
from airflow_provider_seldon.core.analysis.analysis_json import analysis_from_json, analysis_to_json
from airflow_provider_seldon.core.analysis.assessment import Grade
from airflow_provider_seldon.core.analysis.metrics import (
    ErrorRatio,
    FunctionMetric,
    GoldenSet,
    Latency,
    PromQL,
)
from airflow_provider_seldon.core.analysis.samples import Requests, Sample
from airflow_provider_seldon.core.canary.lease import Lease
from airflow_provider_seldon.core.canary.looks import Look, Plan, Progress
from airflow_provider_seldon.core.canary.steps import Step, steps_of
from airflow_provider_seldon.core.canary.transition import Next, bakes_on, next_of

SINCE = 1000.0
Samples = Mapping[str, Sample]


def rates(mine: int, theirs: int = 10, total: int = 1000) -> Samples:
    return {
        "ErrorRatio": Sample(
            candidate=Requests(total=total, errors=mine), baseline=Requests(total=total, errors=theirs)
        )
    }


GOOD, BAD, FEW, GONE = rates(10), rates(200), rates(0, total=3), {"ErrorRatio": Sample(error="gone")}
COMPARED = ErrorRatio(at_most=0.1, at_most_ratio=1.5)


def plan(*metrics: Any, bake: float = 600, interval: float = 60, patience: float = 120, **more: Any) -> Plan:
    analysis = Analysis(metrics=metrics or [COMPARED], **more)
    return Plan(
        analysis=analysis,
        step=Step(weight=5, bake=bake),
        since=SINCE,
        interval=interval,
        patience=patience,
    )


def made(of: Plan, answers: Callable[[Look], Samples], progress: Progress | None = None) -> Progress:
    """All looks that a step takes."""
    progress = progress or of.begun()
    while not of.over(progress):
        progress = of.after(progress, answers(of.due(progress)))
        assert progress.taken < 10_000
    return progress


def dues(of: Plan, samples: Samples) -> list[Look]:
    found: list[Look] = []
    made(of, lambda look: found.append(look) or samples)  # type: ignore[func-returns-value]
    return found


def test_looks_are_due_at_fixed_times_and_the_last_one_concludes() -> None:
    found = dues(plan(bake=200), GOOD)
    assert [(look.at - SINCE, look.window, look.concludes) for look in found] == [
        (60, 60, False),
        (120, 120, False),
        (180, 180, False),
        (200, 200, True),
    ]
    assert [look.at - SINCE for look in dues(plan(bake=120), GOOD)] == [60, 120]
    assert [look.at - SINCE for look in dues(plan(bake=0), GOOD)] == [0]
    rows = plan(GoldenSet("rows.jsonl"))
    assert [look.at - SINCE for look in dues(rows, {"GoldenSet": Sample(candidate=0.0)})] == [600]


def test_a_step_without_a_result_is_measured_again_until_it_times_out() -> None:
    waits = plan(bake=100)
    found = dues(waits, FEW)
    assert [look.at - SINCE for look in found][:4] == [60, 100, 110, 120]
    assert found[-1].at == waits.limit == SINCE + 320
    ended = made(waits, lambda _: FEW)
    assert waits.given_up(ended)
    assert (ended.concluded, ended.verdict and ended.verdict.grade) == (True, Grade.INCONCLUSIVE)
    for policy in ("abort", "continue"):
        assert len(dues(plan(bake=100, on_inconclusive=policy), FEW)) == 2


def test_a_step_without_an_analysis_has_one_look_at_nothing_at_its_end() -> None:
    bare = Plan(analysis=None, step=Step(weight=5, bake=300), since=SINCE)
    assert [look.at - SINCE for look in dues(bare, {})] == [300]
    assert made(bare, lambda _: {}).concluded


def test_a_broken_limit_ends_a_step_at_once_and_only_after_as_many_failures_as_are_allowed() -> None:
    assert len(dues(plan(), BAD)) == 1
    assert len(dues(plan(failure_limit=2), BAD)) == 3


def test_looks_made_again_by_another_process_come_to_the_same() -> None:
    """The numbers of a time do not depend on when they are requested: whoever died, wherever, changes nothing."""
    step = plan(bake=1200, failure_limit=3, consecutive_error_limit=2)

    def answers(look: Look) -> Samples:
        return [GOOD, BAD, GONE, FEW][random.Random(look.at).choice([0, 0, 0, 0, 1, 2, 3])]

    straight = made(step, answers)
    for dies_after in range(1, straight.taken):
        progress = step.begun()
        for _ in range(dies_after):
            progress = step.after(progress, answers(step.due(progress)))
        travelled = Progress.from_json(json.loads(json.dumps(progress.to_json())))
        assert made(step, answers, travelled) == straight, "a triggerer that is told of the looks so far"
        assert made(step, answers, step.begun()) == straight, "a task that is tried again knows nothing"


def test_enough_passes_in_a_row_end_a_step_before_its_time_and_it_is_compared_once() -> None:
    eager = plan(bake=6000, consecutive_success_limit=3)
    ended = made(eager, lambda _: GOOD)
    assert (ended.taken, ended.concluded, ended.verdict and ended.verdict.grade) == (3, True, Grade.PASS)
    worse = made(eager, lambda _: rates(60))
    assert (worse.taken, worse.verdict and worse.verdict.grade) == (3, Grade.FAIL)
    both = plan(COMPARED, Latency(at_most=1), bake=300, consecutive_success_limit=2)
    assert len(dues(both, GOOD)) > 3, "the other metric has no data"


def test_golden_rows_are_compared_at_the_end_only_so_no_passes_in_a_row_end_their_step_before() -> None:
    both = plan(COMPARED, GoldenSet("rows.jsonl"), bake=300, consecutive_success_limit=2)
    rows = {"GoldenSet": Sample(candidate=0.0)}
    # As it is measured: golden rows are left out of all looks but the last.
    ended = made(both, lambda look: {**GOOD, **(rows if look.concludes else {})})
    assert both.last(ended).at - SINCE == 300
    assert (ended.concluded, ended.verdict and ended.verdict.grade) == (True, Grade.PASS)


def test_what_was_not_measured_while_a_step_bakes_counts_as_nothing() -> None:
    step = plan(FunctionMetric(lambda **_: 1.0, at_most=2, label="drift"), COMPARED, inconclusive_limit=0)
    progress = step.after(step.begun(), GOOD)
    assert "drift" not in progress.counters
    assert not step.over(progress)


def test_a_step_that_was_concluded_while_not_all_served_is_looked_at_again() -> None:
    step = plan(bake=100)
    again = made(step, lambda _: GOOD).reopened()
    assert not step.over(again)
    assert step.due(again).at == SINCE + 110
    assert made(step, lambda _: GOOD, again).concluded


def test_a_plan_travels_as_json() -> None:
    lease = Lease(
        run="r", candidate="c", baseline="b", steps=steps_of([5, 25], bake=60), step=1, since=SINCE, expires=1,
        samples={"ErrorRatio": (GOOD["ErrorRatio"],)},
    )  # fmt: skip
    metrics = [COMPARED, Latency(quantile=0.99, at_most=1), PromQL("up", at_most=1, label="x")]
    analysis = Analysis(metrics=metrics, failure_limit=2, on_inconclusive="abort")
    found = Plan.of_lease(lease, analysis, interval=10, patience=60, now=0)
    assert (found.number, found.of) == (2, 2)
    assert Plan.from_json(json.loads(json.dumps(found.to_json()))) == found


@pytest.mark.parametrize(
    "change",
    [
        {"analysis": {"metrics": [{"kind": "Astrology", "at_most": 1}]}},
        {"analysis": {"metrics": [{"kind": "ErrorRatio", "at_most": 1, "at_least": 0}]}},
        {"analysis": {"metrics": [{"kind": "ErrorRatio", "at_most": 1}], "patience": 3}},
        {"analysis": [1]},
        {"step": {}},
        {"since": None},
        {"before": [1]},
    ],
)
def test_a_limit_that_is_not_known_is_never_passed_over(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no "):
        Plan.from_json({**plan().to_json(), **change})


@pytest.mark.parametrize("data", [None, 5, [], {}, {"since": "x", "taken": 1}, {"since": 1, "taken": None}])
def test_progress_that_cannot_be_read_is_made_again(data: Any) -> None:
    assert Progress.from_json(data) is None


def test_users_code_has_no_json() -> None:
    with pytest.raises(ValueError, match="cannot be written"):
        analysis_to_json(Analysis(metrics=[FunctionMetric(lambda **_: 1.0, at_most=1)]))
    with pytest.raises(ValueError, match="no analysis"):
        analysis_from_json({"metrics": None})


def test_a_trigger_looks_on_exactly_as_long_as_a_worker_has_nothing_to_do() -> None:
    lease = Lease(run="r", candidate="c", baseline="b", steps=steps_of([5, 50]), expires=1.0)
    for grade, concluded, policy in product(
        [None, Grade.PASS, Grade.FAIL, Grade.INCONCLUSIVE], [True, False], ["wait", "abort", "continue"]
    ):
        transition = next_of(lease, settled=True, grade=grade, concluded=concluded, on_inconclusive=policy)  # type: ignore[arg-type]
        waits = bakes_on(grade, concluded=concluded, on_inconclusive=policy)  # type: ignore[arg-type]
        assert waits is (transition.action is Next.WAIT), (grade, concluded, policy)


def drawn(chance: random.Random, total: int, rate: float) -> int:
    return sum(chance.random() < rate for _ in range(total))


def failed(seed: int, rate: float, *, steps: int, late: bool = False) -> bool:
    """Whether a canary fails whose baseline errs with 1 %: ten looks a step, 700 requests a side at its end.

    :param late: a second metric has no data at the first ten ends of a step, so that the first is compared again.
    """
    chance, metrics = random.Random(seed), [ErrorRatio(at_most=0.1, at_most_ratio=1.1)]
    before: dict[str, tuple[Sample, ...]] = {}
    for number in range(1, steps + 1):
        step = Plan(
            analysis=Analysis(metrics=[*metrics, PromQL("x", at_most=1)] if late else metrics, min_requests=300),
            step=Step(weight=number, bake=600), since=SINCE, patience=600, number=number, of=steps, before=before,
        )  # fmt: skip
        counts = [0, 0]

        def answers(look: Look, step: Plan = step, counts: list[int] = counts) -> Samples:
            for side, its in enumerate((rate, 0.01)):
                counts[side] += drawn(chance, 70, its)
            total = round(look.window / 600 * 700)
            found = dict(rates(min(counts[0], total), min(counts[1], total), total))
            ready = not late or look.at >= step.since + 1200
            return found | ({"x": Sample(candidate=0.0)} if late and ready else {})

        ended = made(step, answers)
        assert ended.verdict is not None
        if ended.verdict.grade is Grade.FAIL:
            return True
        before = {"ErrorRatio": (*before.get("ErrorRatio", ()), ended.samples["ErrorRatio"])}
    return False


@pytest.mark.parametrize(("steps", "late"), [(4, False), (1, True)])
def test_a_candidate_that_equals_the_baseline_fails_in_less_than_5_percent_of_canaries(
    steps: int, late: bool
) -> None:
    assert sum(failed(seed, 0.01, steps=steps, late=late) for seed in range(1000)) < 50


def test_a_candidate_with_3_percent_of_errors_against_1_fails_in_more_than_80_percent_of_canaries() -> None:
    assert sum(failed(seed, 0.03, steps=1) for seed in range(1000)) > 800
