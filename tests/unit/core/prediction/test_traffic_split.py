from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_seldon.core.prediction.traffic_split import (
    answered_by,
    answering_predictors,
    requests_to_meet_all,
)
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment


def deployment(*predictors: dict[str, Any]) -> SeldonDeployment:
    return SeldonDeployment.from_manifest(
        {"metadata": {"name": "x"}, "spec": {"predictors": list(predictors)}}
    )


def predictor(name: str, traffic: int | None = None, *, node: str = "m", image: str = "", **more: Any) -> Any:
    containers = [{"name": node, **({"image": image} if image else {})}]
    given = {} if traffic is None else {"traffic": traffic}
    return {
        "name": name,
        "graph": {"name": node},
        "componentSpecs": [{"spec": {"containers": containers}}],
        **given,
        **more,
    }


def path(**nodes: str) -> dict[str, Any]:
    return {"meta": {"requestPath": nodes}}


def test_shadows_and_predictors_without_traffic_give_no_answers() -> None:
    found = deployment(
        predictor("a", 90), predictor("b", 10), predictor("c", 0), predictor("d", 20, shadow=True)
    )
    assert [one.name for one in answering_predictors(found)] == ["a", "b"]


@pytest.mark.parametrize("traffic", [None, 0, 100])
def test_a_single_predictor_answers_whatever_its_traffic(traffic: int | None) -> None:
    found = answering_predictors(deployment(predictor("a", traffic)))
    assert [one.name for one in found] == ["a"]
    assert requests_to_meet_all(found, certainty=0.999) == 1


@pytest.mark.parametrize(("shares", "requests"), [((50, 50), 10), ((75, 25), 25), ((99, 1), 688)])
def test_the_smaller_a_share_the_more_requests(shares: tuple[int, int], requests: int) -> None:
    found = answering_predictors(deployment(predictor("a", shares[0]), predictor("b", shares[1])))
    assert requests_to_meet_all(found, certainty=0.999) == requests


@pytest.mark.parametrize(
    ("answer", "who"),
    [
        (path(one="x:1"), "a"),
        (path(two=""), "b"),
        (path(three="x:1"), "c"),
        (path(three="x:2"), "d"),
        (path(three=""), ""),
        (path(other="x:1"), ""),
        (path(), ""),
        ({"meta": None}, ""),
        ([1], ""),
    ],
)
def test_an_answer_tells_its_predictor_by_nodes_and_images(answer: Any, who: str) -> None:
    found = deployment(
        predictor("a", 25, node="one"),
        predictor("b", 25, node="two"),
        predictor("c", 25, node="three", image="x:1"),
        predictor("d", 25, node="three", image="x:2"),
    )
    assert answered_by(answer, answering_predictors(found)) == who
