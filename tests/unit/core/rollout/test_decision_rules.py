from __future__ import annotations

import copy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_seldon.analysis import ErrorRatio, FunctionMetric, GoldenSet, Latency
from airflow_provider_seldon.core.analysis.assessment import Assessment, Grade
from airflow_provider_seldon.core.analysis.metrics import TrafficMetric
from airflow_provider_seldon.core.identity.annotations import (
    ANNOTATION_LAST_AVAILABLE,
    ANNOTATION_METRICS,
    ANNOTATION_REVISION,
)
from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.request.model_metrics import RecordedMetrics
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
from airflow_provider_seldon.core.rollout.decision import Decision, Evidence, decide, templatable
from airflow_provider_seldon.core.rollout.history import ProvenVersion
from airflow_provider_seldon.decisions import (
    AllOf,
    AnyOf,
    AskFunction,
    BeatsServing,
    MetricThreshold,
    RunningVersionFails,
)

NOW = datetime(2026, 1, 5, tzinfo=UTC)


def evidence(
    candidate: dict[str, float] | None = None,
    serving: dict[str, float] | None = None,
    *,
    days: int | None = 1,
) -> Evidence:
    return Evidence(
        candidate=candidate or {},
        serving=serving or {},
        deployment="iris-1" if serving is not None else "",
        serving_since=NOW - timedelta(days=days) if days is not None else None,
        now=NOW,
    )


@pytest.mark.parametrize(
    ("limits", "value", "deploy"),
    [
        ({"at_least": 0.9}, 0.9, True),
        ({"at_least": 0.9}, 0.89, False),
        ({"at_most": 0.2}, 0.2, True),
        ({"at_most": 0.2}, 0.3, False),
        ({"at_least": 0.1, "at_most": 0.2}, 0.15, True),
        ({"at_least": 0.1, "at_most": 0.2}, 0.3, False),
        ({"at_least": 0.9}, float("nan"), False),
        ({"at_most": 0.9}, float("nan"), False),
        ({"at_least": 0.9}, float("inf"), False),
        ({"at_most": 0.9}, float("-inf"), False),
        ({"at_least": 0.0}, -1.0, False),
    ],
)
def test_a_threshold_compares_with_its_limits(limits: dict[str, float], value: float, deploy: bool) -> None:
    said = MetricThreshold("auc", **limits).decide(evidence({"auc": value}))
    assert said.deploy is deploy
    assert f"auc {value:g}" in said.reason
    assert all(f"{limit:g}" in said.reason for limit in limits.values())


@pytest.mark.parametrize(
    ("rule", "candidate", "serving", "deploy"),
    [
        (BeatsServing("x"), 0.95, 0.93, True),
        (BeatsServing("x"), 0.93, 0.93, False),
        (BeatsServing("x"), 0.92, 0.93, False),
        (BeatsServing("x", higher_is_better=False), 0.92, 0.93, True),
        (BeatsServing("x", higher_is_better=False), 0.94, 0.93, False),
        (BeatsServing("x", minimum_gain=0.02), 0.95, 0.93, True),
        (BeatsServing("x", minimum_gain=0.03), 0.95, 0.93, False),
        (BeatsServing("x"), float("nan"), 0.93, False),
        (BeatsServing("x", higher_is_better=False), float("nan"), 0.93, False),
    ],
)
def test_a_candidate_has_to_beat_the_running_version(
    rule: BeatsServing, candidate: float, serving: float, deploy: bool
) -> None:
    said = rule.decide(evidence({"x": candidate}, {"x": serving}))
    assert said.deploy is deploy
    if candidate == candidate:
        assert f"{candidate:g} against {serving:g} of the running iris-1" in said.reason


@pytest.mark.parametrize("otherwise", [True, False])
@pytest.mark.parametrize(
    ("seen", "told"),
    [
        (evidence({"x": 1}), "no version is running"),
        (evidence({"x": 1}, {"y": 2}), "none is recorded on iris-1"),
        (evidence({"x": 1}, {"x": 2}, days=31), "31 days"),
        (evidence({"x": 1}, {"x": 2}, days=None), "not known"),
    ],
)
def test_without_a_valid_opponent_the_rule_gives_its_configured_answer(
    seen: Evidence, told: str, otherwise: bool
) -> None:
    rule = BeatsServing("x", maximum_age=timedelta(days=30), without_opponent=otherwise)
    said = rule.decide(seen)
    assert said.deploy is otherwise
    assert told in said.reason


def test_an_opponent_within_the_maximum_age_counts() -> None:
    rule = BeatsServing("x", maximum_age=timedelta(days=30))
    assert rule.decide(evidence({"x": 1}, {"x": 2}, days=30)).deploy is False


@pytest.mark.parametrize("rule", [MetricThreshold("auc", at_least=1), BeatsServing("auc")])
def test_a_metric_that_the_candidate_lacks_is_an_error_and_not_a_no(rule: Any) -> None:
    with pytest.raises(InvalidRequestError, match=r"has no 'auc'.*loss"):
        rule.decide(evidence({"loss": 1.0}, {"auc": 1.0}))


def test_all_and_any_name_the_part_that_decided() -> None:
    good, bad = MetricThreshold("x", at_least=0), MetricThreshold("x", at_least=9)
    seen = evidence({"x": 1})
    assert decide(AllOf(good, True, "yes"), seen).deploy is True
    assert decide(AllOf(good, bad, False), seen) == Decision(
        deploy=False, reason="AllOf: MetricThreshold: x 1 is not at least 9"
    )
    assert decide(AnyOf(bad, "True"), seen) == Decision(
        deploy=True, reason="AnyOf: deploy_decision is 'True'"
    )
    assert decide(AnyOf(bad, False), seen).deploy is False
    assert decide(AllOf(good, AnyOf(bad, good)), seen).deploy is True


def test_a_part_that_says_neither_yes_nor_no_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="neither yes nor no"):
        decide(AllOf(True, "None"), evidence())


def larger_than_before(seen: Evidence) -> bool:
    return seen.candidate["n"] > seen.serving["n"]


def test_a_function_is_called_with_the_evidence() -> None:
    said = decide(templatable(larger_than_before), evidence({"n": 3}, {"n": 2}))
    assert said == Decision(deploy=True, reason="larger_than_before: candidate {'n': 3}, serving {'n': 2}")
    with_reason = AskFunction(lambda _: Decision(deploy=False, reason="Friday"))
    assert "Friday" in with_reason.decide(evidence()).reason


def test_a_functions_answer_that_is_neither_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="neither"):
        AskFunction(lambda _: None).decide(evidence())


@pytest.mark.parametrize(
    "wrong", [lambda: MetricThreshold("x"), lambda: BeatsServing("x", minimum_gain=-1), AllOf, AnyOf]
)
def test_a_rule_that_cannot_decide_is_refused_when_the_dag_is_parsed(wrong: Any) -> None:
    with pytest.raises(InvalidRequestError):
        wrong()


@pytest.mark.parametrize(
    "rule",
    [
        MetricThreshold("x", at_least=1),
        BeatsServing("x", maximum_age=timedelta(days=1)),
        AllOf(MetricThreshold("x", at_most=1), AskFunction(larger_than_before)),
        AnyOf(True, larger_than_before),
    ],
)
def test_texts_of_rules_hold_no_address_so_that_the_dag_keeps_its_version(rule: Any) -> None:
    assert " at 0x" not in repr(rule) + str(rule)
    assert copy.copy(rule) == copy.deepcopy(rule) == rule


def deployed(recorded: float, *, proven: float | None) -> SeldonDeployment:
    def text(value: float) -> str:
        return RecordedMetrics(values={"x": value}, at=NOW).to_json()

    annotations = {ANNOTATION_METRICS: text(recorded), ANNOTATION_REVISION: "new"}
    if proven is not None:
        annotations[ANNOTATION_LAST_AVAILABLE] = ProvenVersion(revision="old", metrics=text(proven)).to_json()
    return SeldonDeployment.from_manifest(
        {"kind": "SeldonDeployment", "metadata": {"name": "iris", "annotations": annotations}}
    )


def test_the_opponent_is_what_was_seen_serving_and_not_a_version_that_never_was() -> None:
    seen = Evidence.of({"x": 1}, [deployed(0.99, proven=0.9)], now=NOW.timestamp())
    assert (seen.serving, seen.deployment, seen.serving_since) == ({"x": 0.9}, "iris", NOW)


def test_without_a_proven_version_the_deployments_own_metrics_count() -> None:
    seen = Evidence.of({"x": 1}, [deployed(0.8, proven=None)], now=NOW.timestamp())
    assert seen.serving == {"x": 0.8}


def test_where_nothing_is_deployed_there_is_no_opponent() -> None:
    assert Evidence.of({"x": 1}, [], now=NOW.timestamp()) == Evidence(candidate={"x": 1}, now=NOW)


def test_infinity_beats_nothing_and_so_leaves_the_opponents_number() -> None:
    for best, rule in (("inf", BeatsServing("auc")), ("-inf", BeatsServing("auc", higher_is_better=False))):
        assert not rule.decide(evidence({"auc": float(best)}, {"auc": 0.9})).deploy
        assert not rule.decide(evidence({"auc": float(best)})).deploy


@pytest.mark.parametrize("limit", [float("nan"), float("inf"), "0.9", True])
def test_a_limit_that_is_no_finite_number_is_refused_when_the_dag_is_parsed(limit: Any) -> None:
    with pytest.raises(InvalidRequestError, match="no finite number"):
        MetricThreshold("auc", at_least=limit)
    with pytest.raises(InvalidRequestError, match="no finite number"):
        BeatsServing("auc", minimum_gain=limit)


class Answers:
    """Grades in the order of the metrics, and what was requested."""

    def __init__(self, *grades: str) -> None:
        self._grades = iter(grades)
        self.asked: list[dict[str, Any]] = []

    def __call__(self, metric: TrafficMetric, **where: Any) -> Assessment:
        self.asked.append(where)
        grade = next(self._grades)
        return Assessment(metric=metric.name, grade=Grade(grade), reason=f"it is {grade}")


LIMITS = [ErrorRatio(at_most=0.01), Latency(quantile=0.95, at_most=0.5)]


@pytest.mark.parametrize(
    ("grades", "otherwise", "deploy"),
    [
        (("pass", "pass"), True, False),
        (("pass", "fail"), False, True),
        (("error", "fail"), False, True),
        (("pass", "inconclusive"), False, False),
        (("pass", "inconclusive"), True, True),
        (("error", "pass"), False, False),
    ],
)
def test_a_running_version_that_fails_a_metric_is_replaced(
    grades: tuple[str, str], otherwise: bool, deploy: bool
) -> None:
    answers = Answers(*grades)
    running = replace(evidence(serving={}), namespace="models", predictor="main", assess=answers)
    rule = RunningVersionFails(
        metrics=LIMITS, window=60, min_requests=20, prometheus_conn_id="mimir", otherwise=otherwise
    )
    said = AllOf(rule).decide(running)
    assert said.deploy is deploy
    assert all(
        f"{one.name} {grade}: it is {grade}" in said.reason for one, grade in zip(LIMITS, grades, strict=True)
    )
    assert answers.asked == 2 * [
        {
            "prometheus_conn_id": "mimir",
            "deployment": "iris-1",
            "namespace": "models",
            "predictor": "main",
            "window": 60,
            "min_requests": 20,
        }
    ]


def test_where_no_version_runs_prometheus_is_not_asked() -> None:
    for otherwise in (True, False):
        said = RunningVersionFails(metrics=LIMITS, otherwise=otherwise).decide(evidence())
        assert (said.deploy, said.reason) == (otherwise, "RunningVersionFails: no version is running")


def test_a_rule_on_the_running_version_needs_prometheus() -> None:
    with pytest.raises(InvalidRequestError, match="needs Prometheus"):
        RunningVersionFails(metrics=LIMITS).decide(evidence(serving={}))


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"metrics": []}, "has no metric"),
        ({"metrics": ErrorRatio(at_most=0.1)}, "has no metric"),
        ({"metrics": [ErrorRatio(at_most_ratio=2)]}, "compares with a second version"),
        ({"metrics": [Latency(at_most=1, at_most_delta=0.1)]}, "compares with a second version"),
        ({"metrics": [FunctionMetric(lambda **_: 1.0, at_most=1)]}, "is not measured in Prometheus"),
        ({"metrics": [GoldenSet("s3://golden", max_disagreement=0.1)]}, "is not measured in Prometheus"),
        ({"metrics": LIMITS, "window": 0}, "window"),
        ({"metrics": LIMITS, "min_requests": 0}, "min_requests"),
    ],
)
def test_a_rule_on_the_running_version_that_cannot_be_evaluated_is_refused_in_the_dag_file(
    given: dict[str, Any], text: str
) -> None:
    with pytest.raises(InvalidRequestError, match=text):
        RunningVersionFails(**given)
