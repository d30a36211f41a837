"""For how long a trigger waits, whatever the clocks say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_seldon.delivery.waiting.triggerer_wait import SCHEDULER_PATIENCE, seconds_left

NOW = 1_800_000_000.0
HOUR = 3600.0


@pytest.mark.parametrize(
    ("deadline", "timeout", "left"),
    [
        (NOW + 600, 600, 600),  # started at once
        (NOW + 500, 600, 500),  # a triggerer that was started again
        (NOW - 10, 600, -10),  # over: it looks once
        (NOW + 600 - HOUR, 600, 600),  # a clock that was put forward
        (NOW + 600 + HOUR, 600, 600),  # a clock that was put back
        (NOW + 2 * HOUR - HOUR, 2 * HOUR, HOUR),  # may as well be time that has passed
        (NOW + 500, None, 500),  # stored by the first release
        (NOW - HOUR, None, -HOUR),
        (None, 600, 600),  # started without a worker
        (None, None, 0),
    ],
)
def test_a_clock_that_was_set_is_distinguished_from_time_that_has_passed(
    deadline: float | None, timeout: float | None, left: float
):
    assert seconds_left(deadline, timeout, now=NOW) == left


@given(st.floats(-10 * HOUR, 10 * HOUR), st.floats(1, 10 * HOUR))
def test_no_wait_is_longer_than_its_timeout_or_ends_at_once_for_a_jump(jump: float, timeout: float):
    left = seconds_left(NOW + timeout, timeout, now=NOW + jump)
    assert left <= timeout
    if jump >= timeout + SCHEDULER_PATIENCE + 1:
        assert left == timeout
