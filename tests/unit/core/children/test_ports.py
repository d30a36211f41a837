"""Ports are numbered across predictors, so one that comes, goes or moves restarts those behind it."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from airflow_provider_seldon.core.children.expected import expected_children
from airflow_provider_seldon.core.children.ports import expected_ports
from airflow_provider_seldon.core.readiness.expectation import Expectation
from airflow_provider_seldon.core.readiness.judge import Phase, Verdict, judge
from tests.unit.core.cluster_objects import UID, sdep

VARIABLES = {kind: f"PREDICTIVE_UNIT_{kind.upper()}_SERVICE_PORT" for kind in ("metrics", "http", "grpc")}


def predictor(name: str, unit: str = "m", **container: Any) -> dict[str, Any]:
    graph = {"name": unit, "implementation": "SKLEARN_SERVER", "modelUri": "gs://m"}
    given = {"componentSpecs": [{"spec": {"containers": [{"name": unit, **container}]}}]} if container else {}
    return {"name": name, "graph": graph, **given}


def deployment(*predictors: dict[str, Any], generation: int = 1) -> dict[str, Any]:
    return sdep({"predictors": list(predictors)}, generation=generation, foreign=True)


def children(made: dict[str, Any], *, start: dict[str, int] | None = None) -> list[dict[str, Any]]:
    """What an operator makes that begins to count at other numbers by ``start``."""
    ports = expected_ports(made["spec"])
    built = []
    for one in expected_children(made):
        name, unit = one.predictor["name"], one.predictor["graph"]["name"]
        told = [
            {"name": VARIABLES[kind], "value": str(number + (start or {}).get(kind, 0))}
            for (whose, container, kind), number in ports.items()
            if (whose, container) == (name, unit)
        ]
        containers = [{"name": unit, "env": told}]
        owner = {"kind": "SeldonDeployment", "name": "iris", "uid": UID, "controller": True}
        counts = ("replicas", "updatedReplicas", "availableReplicas")
        built.append(
            {
                "metadata": {"name": one.name, "generation": 1, "ownerReferences": [owner]},
                "spec": {"replicas": 1, "template": {"spec": {"containers": containers}}},
                "status": {"observedGeneration": 1} | dict.fromkeys(counts, 1),
            }
        )
    return built


def look(made: dict[str, Any], found: list[dict[str, Any]]) -> Verdict:
    return judge(made, found, expected=Expectation(), now=0.0)


MAIN, CANARY = predictor("main"), predictor("canary")


def test_metrics_ports_count_across_predictors_and_the_others_by_name():
    ports = expected_ports({"predictors": [MAIN, CANARY, predictor("third", "other")]})
    assert [ports[name, "m", "metrics"] for name in ("main", "canary")] == [6000, 6001]
    assert [ports[name, "m", "http"] for name in ("main", "canary")] == [9000, 9000]
    third = [ports["third", "other", kind] for kind in ("metrics", "http", "grpc")]
    assert third == [6002, 9001, 9501]


def test_container_that_declares_its_metrics_port_takes_none():
    own = predictor("main", ports=[{"name": "metrics", "containerPort": 7}])
    ports = expected_ports({"predictors": [own, CANARY]})
    assert ("main", "m", "metrics") not in ports
    assert ports["canary", "m", "metrics"] == 6000


@pytest.mark.parametrize(
    "after", [[CANARY], [CANARY, MAIN], [predictor("new"), CANARY]], ids=["dropped", "reordered", "renamed"]
)
def test_predictor_that_is_to_have_other_ports_is_waited_for(after: list[dict[str, Any]]):
    before = children(deployment(MAIN, CANARY))
    made = deployment(*after, generation=2)
    new = [child for child in children(made) if child["metadata"]["name"] == "iris-new-0-m"]
    found = look(made, before + new)
    if after[0]["name"] == "new":  # the canary keeps its place
        assert found.phase is Phase.READY
    else:
        assert (found.phase, found.reason) == (Phase.PENDING, "ChildOutdated")
        assert "metrics port" in found.message
    assert look(made, children(made)).phase is Phase.READY


@pytest.mark.parametrize("start", [{"http": -920, "grpc": 7}, {"metrics": 2000}, {"http": 1, "grpc": 1}])
def test_an_operator_that_begins_to_count_elsewhere_is_no_difference(start: dict[str, int]):
    made = deployment(MAIN, CANARY, predictor("third", "other"))
    assert look(made, children(made, start=start)).phase is Phase.READY


def test_ports_that_no_child_shows_cannot_be_compared():
    made = deployment(CANARY)
    found = copy.deepcopy(children(made))
    found[0]["spec"]["template"]["spec"]["containers"][0]["env"] = []
    assert look(made, found).phase is Phase.READY
