"""The operator's write of the status after ours, known from who wrote what last and when."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from airflow_provider_seldon.core.readiness.expectation import Expectation
from airflow_provider_seldon.core.readiness.judge import Phase, Verdict, judge
from airflow_provider_seldon.core.readiness.stabilization import History
from tests.unit.core.cluster_objects import complete_children, sdep, spec

OURS, LATER = "2026-11-28T10:00:05Z", "2026-11-28T10:00:06Z"
ISTIO = {"type": "istioVirtualServicesReady", "status": "True", "reason": "All VirtualServices created"}
NO_ISTIO = ISTIO | {"reason": "No VirtualServices defined"}


def predictors(*weights: int) -> dict[str, Any]:
    names = ("main", "canary", "third")
    content = [
        spec(name=name, traffic=weight)["predictors"][0] for name, weight in zip(names, weights, strict=False)
    ]
    return {"predictors": content}


def deployment(
    *weights: int,
    version: int = 7,
    generation: int = 2,
    applied: str = OURS,
    status: str = "2026-11-28T09:00:00Z",
    ingress: dict[str, Any] = ISTIO,
    others: tuple[dict[str, Any], ...] = (),
) -> dict[str, Any]:
    fields = [
        {"manager": "airflow", "operation": "Apply", "time": applied},
        {"manager": "manager", "operation": "Update", "subresource": "status", "time": status},
        *others,
    ]
    made = sdep(
        predictors(*weights), generation=generation, managedFields=fields, resourceVersion=str(version)
    )
    made["status"]["conditions"].append(ingress)
    return made


def wait(expected: Expectation, *looks: dict[str, Any]) -> Verdict:
    """Look at one after the other, with 10 seconds between them."""
    history: History | None = None
    expected = Expectation.from_json(json.loads(json.dumps(expected.to_json())))
    for at, seen in enumerate(looks):
        found = judge(seen, complete_children(seen), expected=expected, now=at * 10.0, history=history)
        history = History.from_json(json.loads(json.dumps(found.history.to_json())))
    return found


WRITTEN = deployment(50, 50)
EXPECTED = Expectation.of(WRITTEN, before=deployment(90, 10, generation=1))


def test_other_weights_are_not_ready_before_the_operator_has_written_the_status():
    found = wait(EXPECTED, WRITTEN, WRITTEN, WRITTEN)
    assert (found.phase, found.reason) == (Phase.PENDING, "NotAcknowledged")


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(deployment(50, 50, version=8, status=LATER), id="later"),
        pytest.param(deployment(50, 50, version=8, status=OURS), id="in-the-same-second"),
        pytest.param(deployment(50, 50, version=8), id="with-the-time-of-the-one-before"),
    ],
)
def test_a_status_written_after_ours_is_an_acknowledgement(seen: dict[str, Any]):
    found = wait(EXPECTED, WRITTEN, seen, seen)
    assert (found.phase, found.weaker) == (Phase.READY, "")


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(deployment(50, 50, version=8, applied=LATER), id="we-wrote-again"),
        pytest.param(
            deployment(
                50, 50, version=8, others=({"manager": "kubectl", "operation": "Update", "time": OURS},)
            ),
            id="somebody-wrote-an-annotation",
        ),
        pytest.param(
            deployment(
                50, 50, version=8, others=({"manager": "kubectl", "subresource": "scale", "time": LATER},)
            ),
            id="somebody-scaled",
        ),
        pytest.param(
            deployment(50, 50, version=6, status="2026-11-28T08:00:00Z"), id="read-before-the-write"
        ),
    ],
)
def test_a_write_of_anything_else_is_none(seen: dict[str, Any]):
    assert wait(EXPECTED, WRITTEN, seen, seen).reason == "NotAcknowledged"


def test_status_of_the_second_of_our_write_proves_nothing_if_it_was_there_before():
    before = deployment(90, 10, generation=1, version=6, status=OURS)
    written = deployment(50, 50, status=OURS)
    expected = Expectation.of(written, before=before)
    assert wait(expected, written, written).reason == "NotAcknowledged"
    assert wait(expected, written, deployment(50, 50, version=8, status=OURS)).phase is Phase.PENDING
    done = deployment(50, 50, version=8, status=OURS)
    assert wait(expected, written, done, done).phase is Phase.READY


def test_an_acknowledgement_that_was_seen_once_stays():
    acknowledged = deployment(50, 50, version=8, status=LATER)
    annotated = deployment(
        50,
        50,
        version=9,
        status=LATER,
        others=({"manager": "kubectl", "operation": "Update", "time": LATER},),
    )
    assert wait(EXPECTED, WRITTEN, acknowledged, annotated, annotated).phase is Phase.READY


def test_weights_without_an_ingress_that_the_operator_writes_to_are_ready_in_a_weaker_way():
    written = deployment(50, 50, ingress=NO_ISTIO)
    expected = Expectation.of(written, before=deployment(90, 10, generation=1, ingress=NO_ISTIO))
    found = wait(expected, written, written)
    assert found.phase is Phase.READY
    assert "has not written the status" in found.weaker
    assert found.weaker in found.progress


def test_expectation_of_the_previous_release_is_readable_and_settles():
    old = {key: value for key, value in EXPECTED.to_json().items() if key not in ("routes", "mark")}
    found = wait(Expectation.from_json(old), WRITTEN, WRITTEN)
    assert (found.phase, bool(found.weaker)) == (Phase.READY, True)


def test_what_shows_on_a_child_needs_no_acknowledgement():
    before = deployment(100, generation=1)
    written = deployment(100)
    written["spec"]["predictors"][0]["annotations"] |= {"note": "1"}
    found = wait(Expectation.of(written, before=before), written)
    assert (found.phase, found.weaker) == (Phase.READY, "")


def test_weights_that_were_found_and_not_written_wait_for_no_status_that_may_have_come_already():
    found = dataclasses.replace(Expectation.of(WRITTEN), routes=True, settle=True)
    assert wait(found, WRITTEN, WRITTEN).reason == "NotAcknowledged"
    unknown = dataclasses.replace(found, status=None, mark=None)
    verdict = wait(unknown, WRITTEN, WRITTEN)
    assert (verdict.phase, bool(verdict.weaker)) == (Phase.READY, True)
