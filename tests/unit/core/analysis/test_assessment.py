"""From numbers to pass, fail or inconclusive: never by want of data, never by a handful of requests."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_seldon.core.analysis.assessment import (
    Assessment,
    Grade,
    assess_safety,
    assess_step,
)
from airflow_provider_seldon.core.analysis.metrics import (
    ErrorRatio,
    FunctionMetric,
    GoldenSet,
    Latency,
    PromQL,
    TrafficMetric,
)
from airflow_provider_seldon.core.analysis.samples import Histogram, Requests, Sample
from airflow_provider_seldon.core.invalid_request import InvalidRequestError

BOUNDS = (0.1, 0.25, 0.5, 1.0, math.inf)


def sides(candidate: tuple[float, float], baseline: tuple[float, float] | None = None) -> Sample:
    """Requests and errors of both sides."""
    return Sample(
        candidate=Requests(total=candidate[0], errors=candidate[1]),
        baseline=Requests(total=baseline[0], errors=baseline[1]) if baseline else None,
    )


def at_end(metric: TrafficMetric, *samples: Sample, look: int = 1, looks: int = 1) -> Assessment:
    return assess_step(metric, samples, min_requests=300, look=look, looks=looks)


@pytest.mark.parametrize(
    ("sample", "grade"),
    [
        (sides((1000, 5)), Grade.PASS),
        (sides((1000, 11)), Grade.FAIL),
        (sides((299, 0)), Grade.INCONCLUSIVE),
        (sides((3, 3)), Grade.INCONCLUSIVE),
        (sides((60, 30)), Grade.FAIL),
        (sides((60, 1)), Grade.INCONCLUSIVE),
        (sides((0, 0)), Grade.INCONCLUSIVE),
        (sides((math.nan, 0)), Grade.INCONCLUSIVE),
        (sides((1000, math.nan)), Grade.INCONCLUSIVE),
        (Sample(), Grade.INCONCLUSIVE),
        (Sample(error="Prometheus did not answer"), Grade.ERROR),
        (Sample(error="half an answer", candidate=Requests(total=1000, errors=0)), Grade.ERROR),
    ],
)
def test_an_absolute_limit(sample: Sample, grade: Grade) -> None:
    assert assess_safety(ErrorRatio(at_most=0.01), sample, min_requests=300).grade is grade


def test_a_quantile_is_interpolated_as_prometheus_does() -> None:
    durations = Histogram.of_cumulative({0.1: 50, 0.25: 80, 0.5: 100, 1.0: 100, math.inf: 100})
    assert durations.quantile(0.9) == pytest.approx(0.375)
    found = assess_safety(Latency(quantile=0.9, at_most=0.3), Sample(candidate=durations), min_requests=100)
    assert (found.grade, found.requests, found.limit) == (Grade.FAIL, 100, "at most 0.3")


def test_durations_above_the_largest_bound_are_reported_as_that_bound() -> None:
    assert Histogram(bounds=BOUNDS, counts=(0, 0, 0, 0, 10)).quantile(0.5) == 1.0


def test_a_comparison_needs_requests_on_both_sides() -> None:
    metric = ErrorRatio(at_most_ratio=1.5)
    assert at_end(metric, sides((500, 5), (299, 2))).grade is Grade.INCONCLUSIVE
    assert at_end(metric, sides((299, 5), (500, 2))).grade is Grade.INCONCLUSIVE
    assert at_end(metric, sides((500, 5))).grade is Grade.INCONCLUSIVE


def test_the_absolute_limit_holds_where_the_baseline_has_no_data() -> None:
    metric = ErrorRatio(at_most=0.01, at_most_ratio=1.5)
    assert at_end(metric, sides((500, 50))).grade is Grade.FAIL


def test_a_difference_that_may_be_chance_passes_and_the_reason_names_it() -> None:
    found = at_end(ErrorRatio(at_most_ratio=1.0), sides((500, 6), (500, 4)))
    assert found.grade is Grade.PASS
    assert "may be chance" in found.reason


def test_a_significant_difference_that_is_small_enough_passes() -> None:
    sample = sides((100_000, 1200), (100_000, 1000))
    assert at_end(ErrorRatio(at_most_ratio=1.3), sample).grade is Grade.PASS
    assert at_end(ErrorRatio(at_most_ratio=1.1), sample).grade is Grade.FAIL


def test_of_a_ratio_and_a_delta_the_more_generous_one_holds() -> None:
    """A baseline without errors allows nothing by ratio; one with many allows little by delta."""
    metric = ErrorRatio(at_most_ratio=2, at_most_delta=0.05)
    assert at_end(metric, sides((1000, 40), (1000, 0))).grade is Grade.PASS
    assert at_end(metric, sides((1000, 190), (1000, 100))).grade is Grade.PASS
    assert at_end(metric, sides((1000, 60), (1000, 0))).grade is Grade.FAIL


def test_slower_by_more_than_the_ratio_fails_with_both_numbers() -> None:
    fast, slow = (
        Histogram(bounds=BOUNDS, counts=counts) for counts in [(900, 90, 10, 0, 0), (200, 300, 400, 100, 0)]
    )
    found = at_end(Latency(at_most_ratio=1.3), Sample(candidate=slow, baseline=fast))
    assert found.grade is Grade.FAIL
    numbers = (found.candidate or 0.0, found.baseline or math.inf)
    assert numbers[0] > numbers[1] * 1.3
    assert at_end(Latency(at_most_ratio=1.3), Sample(candidate=fast, baseline=slow)).grade is Grade.PASS


def test_buckets_that_only_one_side_has_are_merged_and_without_any_in_common_nothing_passes() -> None:
    fast = Histogram(bounds=BOUNDS, counts=(900, 90, 10, 0, 0))
    slow = Histogram(bounds=(0.25, 1.0, math.inf), counts=(0, 1000, 0))
    strange = Histogram(bounds=(0.3, 0.9, math.inf), counts=(0, 1000, 0))
    metric = Latency(at_most_ratio=1.3)
    assert at_end(metric, Sample(candidate=slow, baseline=fast)).grade is Grade.FAIL
    assert at_end(metric, Sample(candidate=strange, baseline=fast)).grade is Grade.INCONCLUSIVE


def durations(chance: random.Random, slow: float) -> Histogram:
    """300 requests of around 40 ms, of which a share takes 3 s."""
    bounds = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, math.inf)
    counts = [0.0] * len(bounds)
    for _ in range(300):
        took = 3.0 if chance.random() < slow else 0.04 * math.exp(chance.gauss(0, 0.6))
        counts[next(i for i, bound in enumerate(bounds) if took <= bound)] += 1
    return Histogram(bounds=bounds, counts=tuple(counts))


@pytest.mark.parametrize(("slow", "least", "most"), [(0.0, 0, 15), (0.03, 160, 200)])
def test_a_few_requests_that_are_slower_by_far_fail_a_quantile_and_equal_ones_do_not(
    slow: float, least: int, most: int
) -> None:
    """Mann and Whitney's test alone finds 3 % of such requests in one canary of five."""
    chance = random.Random(6)
    metric = Latency(quantile=0.99, at_most_ratio=1.3 if slow else 1.0)
    found = [
        at_end(metric, Sample(candidate=durations(chance, slow), baseline=durations(chance, 0.0))).grade
        for _ in range(200)
    ]
    assert least <= found.count(Grade.FAIL) <= most


def test_a_step_whose_numbers_are_lost_takes_no_part_in_the_comparison() -> None:
    lost = sides((math.nan, 1), (1000, 1))
    assert at_end(ErrorRatio(at_most_ratio=1.3), lost, sides((1000, 60), (1000, 10))).grade is Grade.FAIL


def test_plain_values_are_compared_as_they_are() -> None:
    metric = PromQL("drift{p='{predictor}'}", at_most_ratio=1.2)
    assert at_end(metric, Sample(candidate=1.3, baseline=1.0)).grade is Grade.FAIL
    assert at_end(metric, Sample(candidate=1.1, baseline=1.0)).grade is Grade.PASS
    assert at_end(metric, Sample(candidate=math.inf, baseline=1.0)).grade is Grade.INCONCLUSIVE
    assert at_end(metric, Sample(candidate=1.1)).grade is Grade.INCONCLUSIVE


def canary(
    chance: random.Random, rate: float, baseline: float, metric: TrafficMetric, steps: int = 3
) -> bool:
    """Whether a canary of some steps with 700 requests a side in each is failed."""
    samples = []
    for look in range(1, steps + 1):
        draws = [sum(chance.random() < p for _ in range(700)) for p in (rate, baseline)]
        samples.append(sides((700, draws[0]), (700, draws[1])))
        if at_end(metric, *samples, look=look, looks=steps).grade is Grade.FAIL:
            return True
    return False


def test_an_equal_candidate_is_failed_in_under_5_percent_of_whole_canaries() -> None:
    chance = random.Random(4)
    assert sum(canary(chance, 0.01, 0.01, ErrorRatio(at_most_ratio=1.0)) for _ in range(1000)) < 50


@pytest.mark.parametrize("steps", [1, 3])
def test_a_candidate_with_3_percent_errors_against_1_is_failed_in_over_80_percent(steps: int) -> None:
    chance = random.Random(5)
    found = sum(canary(chance, 0.03, 0.01, ErrorRatio(at_most_ratio=1.3), steps) for _ in range(1000))
    assert found > 800


@pytest.mark.parametrize(
    "make",
    [
        lambda: ErrorRatio(),
        lambda: ErrorRatio(at_most=-1),
        lambda: ErrorRatio(at_most=math.nan),
        lambda: ErrorRatio(at_most=True),
        lambda: ErrorRatio(at_most=0.01, significance=0),
        lambda: Latency(quantile=95, at_most=1),
        lambda: PromQL("", at_most=1),
        lambda: FunctionMetric(at_most=1),
        lambda: GoldenSet("", max_disagreement=0.1),
        lambda: GoldenSet("s3://models/golden.jsonl", max_disagreement=2),
        lambda: GoldenSet("s3://models/golden.jsonl", tolerance=math.nan),
        lambda: GoldenSet("s3://models/golden.jsonl", at_most=0.1),
        lambda: GoldenSet("s3://models/golden.jsonl", at_most_ratio=1.3),
        lambda: PromQL("up", at_most=1, label=5),  # type: ignore[arg-type]
    ],
)
def test_a_metric_that_could_never_fail_or_makes_no_sense_is_refused(make: Any) -> None:
    with pytest.raises(InvalidRequestError, match=r"Fix: "):
        make()


sample_values = (
    st.none()
    | st.floats()
    | st.builds(Requests, total=st.floats(), errors=st.floats())
    | st.builds(
        lambda counts: Histogram(bounds=BOUNDS, counts=tuple(counts)),
        st.lists(st.floats(), min_size=5, max_size=5),
    )
)


@given(st.lists(st.builds(Sample, candidate=sample_values, baseline=sample_values), min_size=1, max_size=3))
def test_whatever_is_measured_gets_a_grade_and_travels_as_json(samples: list[Sample]) -> None:
    for metric in (ErrorRatio(at_most=0.1, at_most_ratio=2), Latency(at_most_delta=0.1)):
        found = at_end(metric, *samples)
        assert Assessment.from_json(found.to_json()) == found
        if found.candidate is None:
            assert found.grade in {Grade.INCONCLUSIVE, Grade.ERROR}
    for one in samples:
        again = Sample.from_json(one.to_json())
        assert Sample.from_json(again.to_json()).to_json() == again.to_json()
