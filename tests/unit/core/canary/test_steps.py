"""What a user may write as ``steps``."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_seldon.core.canary.arguments import refuse_never_held
from airflow_provider_seldon.core.canary.steps import Shadow, Step, Weight, canary, linear, steps_of
from airflow_provider_seldon.core.invalid_request import InvalidRequestError


def test_numbers_are_weights_with_the_default_bake() -> None:
    assert steps_of([5, Weight(25, timedelta(minutes=1)), 50], bake=30) == (
        Step(weight=5, bake=30.0),
        Step(weight=25, bake=60.0),
        Step(weight=50, bake=30.0),
    )


def test_shadows_come_first() -> None:
    assert steps_of([Shadow(bake=10), 5], bake=0)[0] == Step(weight=100, bake=10.0, shadow=True)
    with pytest.raises(InvalidRequestError, match="put shadows first"):
        steps_of([5, Shadow()])


def test_presets_are_those_of_sagemaker() -> None:
    assert [step.weight for step in steps_of(canary(10))] == [10]
    assert [step.weight for step in steps_of(linear(25, bake=5))] == [25, 50, 75]


@pytest.mark.parametrize(
    "steps",
    [[], "5", None, [0], [100], [5, 5], [25, 5], [True], [5.5], ["5"], [{"weight": 5}], 5, b"5"],
)
def test_what_is_no_list_of_rising_weights_is_refused(steps: Any) -> None:
    with pytest.raises(InvalidRequestError, match=r"^steps: .* Fix: "):
        steps_of(steps)


@pytest.mark.parametrize("bake", [-1, math.nan, math.inf, 10**400, "5m", True, timedelta(seconds=-1)])
def test_what_is_no_time_is_refused(bake: Any) -> None:
    with pytest.raises(InvalidRequestError, match="give seconds or a timedelta"):
        Weight(5, bake)
    with pytest.raises(InvalidRequestError, match=r"^bake: "):
        steps_of([5], bake=bake)


@pytest.mark.parametrize("steps", [[5, 50], [Shadow()], [Shadow(percent=80), 20]])
def test_a_weight_to_hold_at_that_no_step_reaches_is_refused(steps: Any) -> None:
    with pytest.raises(InvalidRequestError, match=r"^hold_at: is 60, and .* Fix: "):
        refuse_never_held(steps, 60)
    refuse_never_held([5, 60], 60)
    refuse_never_held([5, 75], 60)
    refuse_never_held([5], None)


def test_a_step_travels() -> None:
    for step in steps_of([Shadow(percent=20), 5]):
        assert Step.from_json(step.to_json()) == step
