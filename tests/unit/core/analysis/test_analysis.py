"""All metrics of a step together: counters, limits, and what a lack of data comes to."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_seldon.core.analysis.analysis import Analysis, StepVerdict, conclude, look
from airflow_provider_seldon.core.analysis.assessment import Grade
from airflow_provider_seldon.core.analysis.counters import Counters
from airflow_provider_seldon.core.analysis.metrics import ErrorRatio, Latency, PromQL
from airflow_provider_seldon.core.analysis.samples import Requests, Sample
from airflow_provider_seldon.core.invalid_request import InvalidRequestError

GOOD = Sample(candidate=Requests(total=1000, errors=1), baseline=Requests(total=1000, errors=1))
BAD = Sample(candidate=Requests(total=1000, errors=200), baseline=Requests(total=1000, errors=1))
FEW = Sample(candidate=Requests(total=10, errors=0), baseline=Requests(total=1000, errors=1))
GONE = Sample(error="connection refused")


def looks(analysis: Analysis, *samples: Sample) -> StepVerdict:
    """The verdict of the last of some looks."""
    counters: Any = {}
    for sample in samples:
        verdict = look(analysis, {"ErrorRatio": sample}, counters)
        counters = verdict.counters
    return verdict


def test_one_failed_look_fails_a_canary_unless_more_are_allowed() -> None:
    strict = Analysis(metrics=[ErrorRatio(at_most=0.01)])
    lenient = Analysis(metrics=[ErrorRatio(at_most=0.01)], failure_limit=1)
    assert looks(strict, BAD).grade is Grade.FAIL
    assert looks(lenient, BAD).grade is Grade.PASS
    assert looks(lenient, BAD, GOOD, BAD).grade is Grade.FAIL
    assert "0.2 is more than 0.01" in looks(lenient, BAD, GOOD, BAD).reason


def test_a_step_that_ends_over_a_limit_fails_whatever_was_allowed_before() -> None:
    lenient = Analysis(metrics=[ErrorRatio(at_most=0.01)], failure_limit=9)
    assert conclude(lenient, {"ErrorRatio": [BAD]}, {}, number=1, of=1).grade is Grade.FAIL


def test_a_measurement_that_failed_is_neither_pass_nor_fail() -> None:
    analysis = Analysis(metrics=[ErrorRatio(at_most=0.01)], consecutive_error_limit=2)
    assert looks(analysis, GONE, GONE).grade is Grade.PASS, "a step bakes on"
    assert looks(analysis, GONE, GONE, GONE).grade is Grade.INCONCLUSIVE
    assert looks(analysis, GONE, GONE, GOOD, GONE, GONE).grade is Grade.PASS
    assert conclude(analysis, {"ErrorRatio": [GONE]}, {}, number=1, of=1).grade is Grade.INCONCLUSIVE


def test_a_step_without_enough_requests_never_passes_at_its_end() -> None:
    analysis = Analysis(metrics=[ErrorRatio(at_most=0.01)])
    verdict = conclude(analysis, {"ErrorRatio": [FEW]}, {}, number=1, of=1)
    assert (verdict.grade, verdict.enough) == (Grade.INCONCLUSIVE, False)
    assert conclude(analysis, {}, {}, number=1, of=1).grade is Grade.INCONCLUSIVE


def test_inconclusive_looks_are_limited_where_a_limit_is_given() -> None:
    analysis = Analysis(metrics=[ErrorRatio(at_most=0.01)], inconclusive_limit=1)
    assert looks(analysis, FEW).grade is Grade.PASS
    assert looks(analysis, FEW, FEW).grade is Grade.INCONCLUSIVE


def test_the_metric_that_failed_is_named_before_those_without_data() -> None:
    analysis = Analysis(metrics=[Latency(at_most=1), ErrorRatio(at_most=0.01)])
    verdict = conclude(analysis, {"ErrorRatio": [BAD]}, {}, number=1, of=1)
    assert verdict.grade is Grade.FAIL
    assert verdict.reason.startswith("ErrorRatio: fail")
    assert json.loads(json.dumps(verdict.to_json()))["metrics"][0]["grade"] == "inconclusive"


def test_counters_travel() -> None:
    counters = (
        Counters().after(Grade.FAIL).after(Grade.PASS).after(Grade.PASS).after(Grade.ERROR).after(Grade.ERROR)
    )
    assert counters == Counters(failed=1, consecutive_errors=2)
    assert Counters.from_json(json.loads(json.dumps(counters.to_json()))) == counters
    assert Counters.from_json({"failed": -1, "inconclusive": "2", "consecutive_errors": True}) == Counters()


@pytest.mark.parametrize(
    "arguments",
    [
        {"metrics": []},
        {"metrics": ["errors"]},
        {"metrics": [ErrorRatio(at_most=1), ErrorRatio(at_most=0.5)]},
        {"metrics": [ErrorRatio(at_most=1)], "min_requests": -1},
        {"metrics": [ErrorRatio(at_most=1)], "failure_limit": True},
        {"metrics": [ErrorRatio(at_most=1)], "failure_limit": 1.5},
        {"metrics": [ErrorRatio(at_most=1)], "on_inconclusive": "ask"},
    ],
)
def test_an_analysis_that_makes_no_sense_is_refused(arguments: Any) -> None:
    with pytest.raises(InvalidRequestError, match=r"Analysis\.\w+: .* Fix: "):
        Analysis(**arguments)


def test_the_same_kind_of_metric_may_be_given_twice_under_two_names() -> None:
    found = Analysis(metrics=[PromQL("a", at_most=1), PromQL("b", at_most=1), Latency(at_most=1)])
    assert [one.name for one in found.metrics] == ["a", "b", "Latency p95"]
