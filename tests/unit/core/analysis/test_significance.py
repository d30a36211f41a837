"""Differences that are none, and differences that are: on simulated traffic with known rates."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_seldon.core.analysis.samples import Histogram, Requests
from airflow_provider_seldon.core.analysis.significance import (
    errs_more_often_than,
    more_errors,
    slower,
    spent,
)

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, math.inf)


def requests(total: int, errors: int) -> Requests:
    return Requests(total=total, errors=errors)


def drawn(chance: random.Random, total: int, rate: float) -> Requests:
    return requests(total, sum(chance.random() < rate for _ in range(total)))


def durations(chance: random.Random, total: int, median: float) -> Histogram:
    counts = [0.0] * len(BOUNDS)
    for _ in range(total):
        took = median * math.exp(chance.gauss(0, 0.5))
        counts[next(i for i, bound in enumerate(BOUNDS) if took <= bound)] += 1
    return Histogram(bounds=BOUNDS, counts=tuple(counts))


def test_fishers_lady_tasting_tea() -> None:
    """Three of four guessed right: the table in Fisher's "The Design of Experiments", 17 of 70 ways."""
    assert more_errors([(requests(4, 3), requests(4, 1))]) == pytest.approx(17 / 70)


@pytest.mark.parametrize(("canary", "main"), [(700, 700), (300, 5700), (605, 605)])
def test_equal_error_rates_are_rarely_distinguished(canary: int, main: int) -> None:
    chance = random.Random(1)
    found = sum(
        more_errors([(drawn(chance, canary, 0.01), drawn(chance, main, 0.01))]) < 0.05 for _ in range(1000)
    )
    assert found < 50


def test_three_percent_against_one_are_distinguished_with_700_requests_a_side() -> None:
    chance = random.Random(2)
    found = sum(
        more_errors([(drawn(chance, 700, 0.03), drawn(chance, 700, 0.01))]) < 0.05 for _ in range(1000)
    )
    assert found > 800


def test_a_bad_hour_that_both_sides_share_is_not_the_candidates_fault() -> None:
    """With little weight in the quiet step and much in the bad one, the sums look terrible, and each step is equal."""
    quiet = (requests(100, 0), requests(9900, 10))
    bad = (requests(5000, 500), requests(5000, 500))
    assert more_errors([quiet, bad]) > 0.3
    summed = (requests(5100, 500), requests(14900, 510))
    assert more_errors([summed]) < 1e-6


def test_steps_add_up_their_evidence() -> None:
    step = (requests(300, 7), requests(300, 3))
    alone = more_errors([step])
    assert more_errors([step, step, step]) < alone / 3


def test_the_exact_and_the_normal_computation_agree_where_they_meet() -> None:
    small, large = (requests(1000, 430), requests(1000, 400)), (requests(10000, 4300), requests(10000, 4200))
    assert more_errors([small]) == pytest.approx(0.094, abs=0.005)
    assert more_errors([large]) == pytest.approx(0.078, abs=0.005)


def test_equal_durations_are_rarely_distinguished_and_slower_ones_are() -> None:
    chance = random.Random(3)
    equal = sum(
        slower([(durations(chance, 300, 0.05), durations(chance, 300, 0.05))])[0] < 0.05 for _ in range(400)
    )
    later = sum(
        slower([(durations(chance, 300, 0.065), durations(chance, 300, 0.05))])[0] < 0.05 for _ in range(100)
    )
    assert equal < 32, "5 % of 400, and three standard deviations"
    assert later > 95


def test_the_effect_of_slowness_is_the_chance_to_be_the_slower_one() -> None:
    fast = Histogram(bounds=BOUNDS, counts=(100.0, *[0.0] * 11))
    slow = Histogram(bounds=BOUNDS, counts=(*[0.0] * 11, 100.0))
    assert slower([(slow, fast)]) == (pytest.approx(0, abs=1e-9), 1.0)
    assert slower([(fast, slow)])[1] == 0.0
    assert slower([(fast, fast)]) == (1.0, 0.5)


def test_all_looks_together_spend_the_level_and_no_more() -> None:
    for looks in range(1, 9):
        assert sum(spent(0.05, look, looks) for look in range(1, looks + 1)) == pytest.approx(0.05)
    assert spent(0.05, 3, 3) > 0.03


def test_errors_far_above_a_limit_are_no_chance() -> None:
    assert errs_more_often_than(0.01, requests(50, 25)) < 1e-9
    assert errs_more_often_than(0.5, requests(50, 25)) > 0.5
    assert errs_more_often_than(0.01, requests(3, 0)) == 1.0


numbers = st.floats(0, 1e7) | st.integers(0, 50)


@given(st.lists(st.tuples(numbers, numbers, numbers, numbers), max_size=4))
def test_whatever_is_measured_has_a_probability(tables: list[tuple[float, float, float, float]]) -> None:
    strata = [(Requests(total=a, errors=b), Requests(total=c, errors=d)) for a, b, c, d in tables]
    assert 0 <= more_errors(strata) <= 1.0


@given(st.lists(st.lists(st.floats(0, 1e6), min_size=3, max_size=3), min_size=2, max_size=2))
def test_whatever_durations_are_measured_have_a_probability(counts: list[list[float]]) -> None:
    bounds = (0.1, 1.0, math.inf)
    mine, theirs = (Histogram(bounds=bounds, counts=tuple(one)) for one in counts)
    probability, effect = slower([(mine, theirs)])
    assert 0 <= probability <= 1
    assert 0 <= effect <= 1
