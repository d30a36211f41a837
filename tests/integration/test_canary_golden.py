"""Canaries that are judged by their answers to golden rows: the same to both predictors, once at the end of a step."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_seldon.analysis import Analysis, FunctionMetric, GoldenSet, Shadow
from airflow_provider_seldon.exceptions import CanaryAbortedError, InvalidModelServerError
from airflow_provider_seldon.hooks.seldon import SeldonHook
from airflow_provider_seldon.local.apiserver import Deny
from airflow_provider_seldon.local.cluster import Misbehaviour
from airflow_provider_seldon.operators.deploy import SeldonDeployModelOperator
from tests.integration.test_canary import (
    CANDIDATE,
    MONDAY,
    SERVED,
    TUESDAY,
    assert_serves,
    operator,
    run,
    share_of_errors,
)

#: Answers to order, and pods that are there in a moment.
pytestmark = pytest.mark.simulated_pods("answers to order")

ROWS = 5


@pytest.fixture
def golden(tmp_path: Path) -> GoldenSet:
    file = tmp_path / "golden.jsonl"
    file.write_text("\n".join(f'{{"data": {{"ndarray": [[{row}, 1.5]]}}}}' for row in range(ROWS)))
    return GoldenSet(str(file), max_disagreement=0.02)


@pytest.fixture
def unprivileged(local_seldon: Any) -> Iterator[None]:
    """The account may not send requests through the API server to Services."""
    rule = Deny(resource="services/proxy")
    local_seldon.server.authorizer.deny.append(rule)
    yield
    local_seldon.server.authorizer.deny.remove(rule)


def served(**arguments: Any) -> str:
    result, _ = run(
        operator(SeldonDeployModelOperator, **{**SERVED, **arguments}), run_id="before", logical_date=MONDAY
    )
    return str(result["name"])


@pytest.mark.own_operator("answers and rights to order")
def test_a_candidate_with_other_answers_is_aborted_as_a_shadow_before_a_client_sees_them(
    hook: SeldonHook, local_seldon: Any, golden: GoldenSet
) -> None:
    name = served()
    analysis = Analysis(metrics=[FunctionMetric(share_of_errors, at_most=0.01), golden])
    task = operator(analysis=analysis, steps=[Shadow(bake=0.6), 5], look_interval=0.2)
    local_seldon.misbehaviours.order(Misbehaviour(wrong_answers=1), deployment=name, predictor="canary")
    try:
        with pytest.raises(
            CanaryAbortedError, match=r"shadow of 100 %: GoldenSet: fail \(1 is more than 0\.02\)"
        ):
            run(task, logical_date=TUESDAY)
    finally:
        local_seldon.misbehaviours.clear()
    assert_serves(hook, name, "1")
    asked = [one.name for one in local_seldon.requests.entries() if one.resource == "services/proxy"]
    assert sorted(set(asked)) == [f"{name}-canary:http", f"{name}-default:http"]
    assert len(asked) == 2 * ROWS, "once, at the end of the step, and not at each look"


def test_a_candidate_that_answers_alike_goes_through_with_golden_rows_only(
    hook: SeldonHook, golden: GoldenSet
) -> None:
    name = served()
    task = operator(analysis=Analysis(metrics=[golden]), steps=[5])
    result, _ = run(task, logical_date=TUESDAY)
    steps = result["canary"]["steps"]
    assert [one["metrics"][0]["candidate"] for one in steps] == [0.0]
    assert_serves(hook, name, "2")


@pytest.mark.own_operator("answers and rights to order")
def test_what_cannot_be_measured_is_refused_before_the_first_write(
    hook: SeldonHook, golden: GoldenSet, unprivileged: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = served()
    before = hook.client.get(name).resource_version
    (tmp_path / "bad.jsonl").write_text('{"data": 1}\nsecret\n')
    bad, none = (GoldenSet(str(tmp_path / file)) for file in ("bad.jsonl", "none.jsonl"))
    for metric, steps, told in (
        (bad, [5], "GoldenSet.uri, line 2: is not a JSON object"),
        (none, [5], "GoldenSet.uri: cannot be read"),
        (golden, [Shadow(), 5], "Fix: grant the connection's account create on services/proxy"),
    ):
        with pytest.raises(InvalidModelServerError) as refused:
            run(operator(analysis=Analysis(metrics=[metric]), steps=steps), logical_date=TUESDAY)
        assert told in str(refused.value)
        assert "secret" not in str(refused.value)
    assert hook.client.get(name).resource_version == before


@pytest.mark.own_operator("answers and rights to order")
def test_without_the_right_rows_go_through_the_ingress_where_answers_say_whose_they_are(
    hook: SeldonHook, golden: GoldenSet, unprivileged: None
) -> None:
    name = served(model_server={"image": "example/server:1"})
    analysis = Analysis(metrics=[golden])
    other = operator(model_server={"image": "example/server:2"}, steps=[50], analysis=analysis)
    result, _ = run(other, logical_date=TUESDAY)
    assert result["canary"]["steps"][0]["metrics"][0]["candidate"] == 0.0
    alike = Analysis(metrics=[golden], on_inconclusive="abort")
    same = operator(
        **{**CANDIDATE, "model_uri": "s3://models/iris/3"},
        model_server={"image": "example/server:2"},
        steps=[50],
        analysis=alike,
    )
    with pytest.raises(CanaryAbortedError, match="answers do not say which predictor has given them"):
        run(same, run_id="wednesday", logical_date=TUESDAY + timedelta(days=1))
    assert_serves(hook, name, "2")
