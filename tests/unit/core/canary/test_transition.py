"""What comes next, for every state of a canary."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from airflow_provider_seldon.core.analysis.assessment import Grade
from airflow_provider_seldon.core.canary.lease import Lease, Stage
from airflow_provider_seldon.core.canary.steps import Shadow, steps_of
from airflow_provider_seldon.core.canary.transition import Next, baked, next_of


def lease(step: int = 0, **more: Any) -> Lease:
    steps = steps_of([Shadow(), 5, 50], bake=60)
    return Lease(run="r", candidate="c", baseline="b", steps=steps, step=step, expires=1.0, **more)


def after(one: Lease, grade: Grade | None = Grade.PASS, **more: Any) -> Next:
    given: dict[str, Any] = {"settled": True, "concluded": True, **more}
    return next_of(one, grade=grade, **given).action


def test_a_good_canary_goes_through_its_steps_and_is_promoted() -> None:
    assert after(lease(0)) is Next.SHIFT
    assert after(lease(1)) is Next.SHIFT
    assert after(lease(2)) is Next.PROMOTE
    assert after(lease(2, stage=Stage.PROMOTING)) is Next.FINISH


def test_a_failure_aborts_at_any_moment_even_if_nothing_has_settled() -> None:
    for settled, concluded, stage in product([True, False], [True, False], [Stage.STEPPING, Stage.HOLDING]):
        assert after(lease(1, stage=stage), Grade.FAIL, settled=settled, concluded=concluded) is Next.ABORT


def test_a_version_that_is_being_promoted_is_judged_by_its_own_readiness() -> None:
    assert after(lease(2, stage=Stage.PROMOTING), Grade.FAIL, settled=False) is Next.WAIT


def test_without_a_result_a_step_never_passes_unless_configured() -> None:
    for grade in (Grade.INCONCLUSIVE, Grade.ERROR):
        assert after(lease(1), grade) is Next.WAIT
        assert after(lease(1), grade, on_inconclusive="abort") is Next.ABORT
        assert after(lease(1), grade, on_inconclusive="continue") is Next.SHIFT


def test_weights_move_only_when_everything_is_ready_and_routed() -> None:
    for step in range(3):
        assert after(lease(step), settled=False) is Next.WAIT
    assert after(lease(2, stage=Stage.PROMOTING), settled=False) is Next.WAIT


def test_without_an_analysis_the_bake_time_decides() -> None:
    assert after(lease(1), None, concluded=False) is Next.WAIT
    assert after(lease(1), None) is Next.SHIFT


def test_a_canary_is_held_at_a_weight_and_never_at_a_shadow() -> None:
    assert after(lease(0), hold_at=5) is Next.SHIFT
    assert after(lease(1), hold_at=5) is Next.HOLD
    assert after(lease(2), promote=False) is Next.HOLD
    assert after(lease(1, stage=Stage.HOLDING), hold_at=5) is Next.WAIT


@pytest.mark.parametrize(("hold_at", "at"), [(1, 1), (6, 2), (50, 2), (51, 2), (99, 2)])
def test_nothing_is_promoted_without_the_requested_approval(hold_at: int, at: int) -> None:
    """A DAG file that has changed since may name a weight that the steps in the lease do not reach."""
    held = [step for step in range(3) if after(lease(step), hold_at=hold_at) is Next.HOLD]
    assert held[0] == at
    assert Next.PROMOTE not in {after(lease(step), hold_at=hold_at) for step in range(3)}


@pytest.mark.parametrize(
    ("since", "now", "done"), [(None, 1e9, False), (0.0, 59.9, False), (0.0, 60.0, True)]
)
def test_a_step_bakes_from_when_the_routes_have_its_weight(
    since: float | None, now: float, done: bool
) -> None:
    assert baked(lease(1, since=since), now) is done
