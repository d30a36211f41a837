"""Routes as they were recorded on Seldon's operator with Istio, compared with what a deployment requests."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from airflow_provider_seldon.core.readiness.expectation import Expectation
from airflow_provider_seldon.core.readiness.judge import Verdict
from airflow_provider_seldon.core.readiness.observation import Phase
from airflow_provider_seldon.core.readiness.operator_status import UNACKNOWLEDGED
from airflow_provider_seldon.core.readiness.routes import (
    asks_for_routes,
    held_against_routes,
    mappings_difference,
    routes_difference,
)
from airflow_provider_seldon.core.readiness.status_only import NO_RIGHT

READY = Verdict(phase=Phase.READY, reason="Serving", message="", progress="state Available")


def deployment(*predictors: dict[str, Any]) -> dict[str, Any]:
    graph = {"name": "m", "implementation": "SKLEARN_SERVER", "modelUri": "gs://m"}
    spec = {"predictors": [{"graph": graph, "replicas": 1, **one} for one in predictors]}
    return {"metadata": {"name": "iris", "namespace": "models"}, "spec": spec}


def routes(mirror: str = "", share: float | None = None, **weights: int | None) -> dict[str, Any]:
    """A VirtualService with a rule for HTTP and one for gRPC."""

    def rule(port: int) -> dict[str, Any]:
        found: dict[str, Any] = {
            "route": [
                {"destination": {"subset": name, "port": {"number": port}}}
                | ({} if weight is None else {"weight": weight})
                for name, weight in weights.items()
            ]
        }
        found |= {"mirror": {"subset": mirror}} if mirror else {}
        return found | ({} if share is None else {"mirrorPercentage": {"value": share}})

    return {"spec": {"http": [rule(8000), rule(5001)]}}


CHANGED = Expectation(routes=True)
MAIN, CANARY = {"name": "main"}, {"name": "canary"}


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (deployment(MAIN), routes(main=None)),
        (deployment(MAIN), routes(main=100)),
        (deployment(MAIN | {"traffic": 100}), routes(main=None)),
        (deployment(MAIN | {"traffic": 95}, CANARY | {"traffic": 5}), routes(main=95, canary=5)),
        (deployment(MAIN, CANARY | {"traffic": 100}), routes(main=None, canary=100)),
        (deployment(MAIN | {"traffic": 100}, CANARY | {"shadow": True}), routes("canary", main=100)),
        (
            deployment(MAIN | {"traffic": 100}, CANARY | {"shadow": True, "traffic": 20}),
            routes("canary", 20.0, main=100),
        ),
    ],
)
def test_routes_that_are_as_written(wanted: dict[str, Any], found: dict[str, Any]) -> None:
    assert routes_difference(wanted, found) == ""


@pytest.mark.parametrize(
    ("wanted", "found", "told"),
    [
        (
            deployment(MAIN | {"traffic": 75}, CANARY | {"traffic": 25}),
            routes(main=95, canary=5),
            "canary 5 %",
        ),
        (deployment(MAIN | {"traffic": 95}, CANARY | {"traffic": 5}), routes(main=None), "main 100 %"),
        (deployment(MAIN), routes(main=95, canary=5), "instead of main 100 %"),
        (deployment(MAIN | {"traffic": 100}), routes("canary", main=100), "mirrors to canary"),
        (
            deployment(MAIN | {"traffic": 100}, CANARY | {"shadow": True}),
            routes(main=100),
            "mirrors to nothing",
        ),
        (deployment(MAIN), {"spec": {"http": []}}, "no route"),
        (
            deployment(MAIN),
            {"spec": {"http": [{"route": [{"destination": 3, "weight": "x"}]}]}},
            "instead of",
        ),
        (deployment(MAIN), {}, "no route"),
    ],
)
def test_routes_that_differ_are_reported(wanted: dict[str, Any], found: dict[str, Any], told: str) -> None:
    assert told in routes_difference(wanted, found)


def test_one_rule_of_two_that_lags_behind_is_enough_to_wait() -> None:
    found = routes(main=95, canary=5)
    found["spec"]["http"][1]["route"][1]["weight"] = 50
    wanted = deployment(MAIN | {"traffic": 95}, CANARY | {"traffic": 5})
    assert "canary 50 %" in routes_difference(wanted, found)


def test_routes_are_read_only_after_a_change_of_traffic_that_looks_done() -> None:
    changed = CHANGED
    wanted = deployment(MAIN | {"traffic": 95}, CANARY | {"traffic": 5})
    assert asks_for_routes(wanted, changed, READY)
    assert not asks_for_routes(wanted, Expectation(), READY)
    pending = Verdict(phase=Phase.PENDING, reason="Settling", message="")
    assert not asks_for_routes(wanted, changed, pending)
    assert not asks_for_routes(deployment(MAIN, CANARY | {"replicas": 0}), changed, READY)


def test_weights_of_another_client_are_read_where_the_operator_writes_them_to_istio() -> None:
    """Who knows of no write, as a sensor, cannot tell that they were changed."""
    wanted = deployment(MAIN | {"traffic": 95}, CANARY | {"traffic": 5})
    alone = deployment(MAIN)
    for reason, several in (("All VirtualServices created", True), ("No VirtualServices defined", False)):
        for one in (wanted, alone):
            told = {"type": "istioVirtualServicesReady", "status": "True", "reason": reason}
            one["status"] = {"conditions": [told]}
        assert asks_for_routes(wanted, Expectation(), READY) is several
        assert not asks_for_routes(alone, Expectation(), READY)
    assert held_against_routes(READY, wanted, None, expected=Expectation(), now=10) == READY
    late = held_against_routes(READY, wanted, routes(main=50, canary=50), expected=Expectation(), now=10)
    assert late.reason == "RoutesDiffer"


def test_a_verdict_is_certain_only_with_the_routes() -> None:
    wanted = deployment(MAIN | {"traffic": 95}, CANARY | {"traffic": 5})

    def unproved(weaker: str) -> Verdict:
        return dataclasses.replace(READY, progress=f"ok (weaker: {weaker})", weaker=weaker)

    proved = held_against_routes(
        unproved(UNACKNOWLEDGED), wanted, routes(main=95, canary=5), expected=CHANGED, now=10
    )
    assert (proved.phase, proved.weaker, proved.progress) == (Phase.READY, "", "ok")
    for other in (NO_RIGHT, f"{UNACKNOWLEDGED}; {NO_RIGHT}"):  # which routes do not prove
        proved = held_against_routes(
            unproved(other), wanted, routes(main=95, canary=5), expected=CHANGED, now=10
        )
        assert (proved.weaker, proved.progress) == (NO_RIGHT, f"ok (weaker: {NO_RIGHT})")
    late = held_against_routes(READY, wanted, routes(main=None), expected=CHANGED, now=10)
    assert (late.phase, late.reason) == (Phase.PENDING, "RoutesDiffer")
    assert late.recheck_at is not None
    assert late.recheck_at > 10
    unread = held_against_routes(READY, wanted, None, expected=CHANGED, now=10)
    assert (unread.phase, "could not be read" in unread.weaker) == (Phase.READY, True)
    assert "weaker" in unread.progress


def mappings(**weights: int | str | None) -> dict[str, Any]:
    """Mappings as the operator writes them for Ambassador: of each predictor one for HTTP and one for gRPC."""

    def mapping(name: str, weight: Any, port: int) -> dict[str, Any]:
        spec: dict[str, Any] = {"prefix": "/seldon/models/iris/", "service": f"iris-{name}.models:{port}"}
        if isinstance(weight, str):
            spec |= {"shadow": True, "weight": int(weight)}
        elif weight is not None:
            spec["weight"] = weight
        return {"metadata": {"name": f"seldon-models-iris-{name}-{port}"}, "spec": spec}

    items = [mapping(name, one, port) for name, one in weights.items() for port in (8000, 5001)]
    return {"kind": "MappingList", "items": items}


@pytest.mark.parametrize(
    ("predictors", "stored", "told"),
    [
        ([MAIN], mappings(main=None), ""),
        ([MAIN | {"traffic": 75}, CANARY | {"traffic": 25}], mappings(main=None, canary=25), ""),
        ([MAIN | {"traffic": 100}, CANARY | {"traffic": 0}], mappings(main=None, canary=0), ""),
        ([MAIN, CANARY | {"shadow": True, "traffic": 100}], mappings(main=None, canary="100"), ""),
        ([MAIN, CANARY | {"traffic": 25}], mappings(main=None, canary=5), "canary has 5 % instead of 25 %"),
        ([MAIN, CANARY | {"traffic": 25}], mappings(main=None), "there is no Mapping for canary"),
        ([MAIN], mappings(main=None, canary=25), "a Mapping still routes to iris-canary"),
        ([MAIN], mappings(main=75), "main has 75 % instead of the remainder"),
        ([MAIN, CANARY | {"shadow": True}], mappings(main=None, canary=0), "canary is no shadow there"),
        ([MAIN, CANARY | {"traffic": 5}], mappings(main=None, canary="5"), "canary is a shadow there"),
    ],
)
def test_mappings_of_ambassador_are_compared_with_the_request(
    predictors: list[dict[str, Any]], stored: dict[str, Any], told: str
) -> None:
    wanted = deployment(*predictors)
    assert mappings_difference(wanted, stored) == told
    verdict = held_against_routes(READY, wanted, stored, expected=Expectation(routes=True), now=1.0)
    assert (verdict.phase is Phase.READY) == (not told)


def test_the_mapping_of_an_explainer_is_none_of_a_predictor_that_has_gone() -> None:
    explained = deployment(MAIN | {"explainer": {"type": "AnchorTabular"}})
    stored = mappings(main=None)
    service = {"service": "iris-main-explainer.models:9000"}
    stored["items"].append({"metadata": {"name": "seldon-models-iris-main-explainer-rest"}, "spec": service})
    assert mappings_difference(explained, stored) == ""


def test_a_write_that_changed_nothing_leaves_open_whether_an_earlier_one_has_reached_the_routes() -> None:
    divided = deployment(MAIN | {"traffic": 95}, CANARY | {"traffic": 5})
    again = Expectation.of_retry(divided, before=divided)
    assert (again.routes, again.settle, again.mark) == (True, True, None)
    assert Expectation.of_retry(deployment(MAIN), before=deployment(MAIN)).settle is False
    before = deployment(MAIN | {"traffic": 90}, CANARY | {"traffic": 10})
    assert Expectation.of_retry(divided, before=before) == Expectation.of(divided, before=before)
