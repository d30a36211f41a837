"""No order, repetition or loss of what is seen may ever make a deployment ready that is not."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_seldon.core.readiness.expectation import Expectation
from airflow_provider_seldon.core.readiness.failure_policy import FailurePolicy
from airflow_provider_seldon.core.readiness.judge import Phase, judge
from tests.unit.core.cluster_objects import UID, complete_children, sdep, spec

SPEC = spec(
    componentSpecs=[
        {"spec": {"containers": [{"name": "classifier", "image": "model:1"}]}},
        {"spec": {"containers": [{"name": "b"}]}},
    ],
    replicas=3,
)
NEW = sdep(SPEC, generation=2)
OLD = sdep(spec(**SPEC["predictors"][0] | {"labels": {"was": "here"}}))
PATIENT = FailurePolicy(failed_grace=1e9)

small = st.integers(0, 4)


@st.composite
def statuses(draw: st.DrawFn) -> dict[str, Any]:
    """Any status that an operator could write, whatever it is about."""
    conditions = [{"type": "Ready", "status": draw(st.sampled_from(["True", "False", "Unknown"]))}]
    state = draw(st.sampled_from([None, "Available", "available", "Creating", "Failed", "Odd"]))
    status: dict[str, Any] = {} if state is None else {"state": state}
    if draw(st.booleans()):
        status["conditions"] = conditions
    if state == "Failed":
        status["description"] = draw(
            st.sampled_from(["", "already exists", "odd", "Deployment is invalid: x"])
        )
    return status


@st.composite
def seen_children(draw: st.DrawFn, index: int) -> dict[str, Any]:
    """Any state that a child could be seen in: of either version, at any point of any rollout, of any owner."""
    new = draw(st.booleans())
    child = copy.deepcopy(complete_children(NEW if new else OLD)[index])
    child["metadata"]["generation"] = draw(st.integers(1, 3))
    owner = draw(st.sampled_from([UID, UID, UID, "another", ""]))
    child["metadata"]["ownerReferences"][0]["uid"] = owner
    if draw(st.integers(0, 9)) == 0:
        child["metadata"]["deletionTimestamp"] = "2025-01-01T00:00:00Z"
    child["spec"]["replicas"] = draw(st.sampled_from([3, 3, 3, 0, 1, 4]))
    child["status"] = {
        "observedGeneration": draw(st.integers(1, 3)),
        "replicas": draw(small),
        "updatedReplicas": draw(small),
        "availableReplicas": draw(small),
        "unavailableReplicas": draw(st.sampled_from([0, 0, 0, 1])),
    }
    if draw(st.booleans()):
        child["status"] |= {
            "replicas": 3,
            "updatedReplicas": 3,
            "availableReplicas": 3,
            "unavailableReplicas": 0,
        }
    return child


def updated(child: dict[str, Any]) -> bool:
    """Whether a child runs what was written, completely: the truth, told from how it was made."""
    status, metadata = child["status"], child["metadata"]
    current = complete_children(NEW)
    return (
        any(child["spec"]["template"] == one["spec"]["template"] for one in current)
        and metadata["ownerReferences"][0]["uid"] == UID
        and "deletionTimestamp" not in metadata
        and status["observedGeneration"] >= metadata["generation"]
        and status["replicas"] == status["updatedReplicas"] == status["availableReplicas"] == 3
        and child["spec"]["replicas"] == 3
    )


views = st.tuples(
    statuses(), st.sets(st.sampled_from([0, 1])), seen_children(0), seen_children(1), st.floats(0, 1e5)
)


@settings(max_examples=300, deadline=None)
@given(st.lists(views, min_size=1, max_size=6))
def test_ready_implies_that_every_child_is_updated(seen: list[Any]):
    history = None
    for status, present, *children, now in seen:
        shown = [children[index] for index in sorted(present)]
        verdict = judge(
            NEW | {"status": status},
            shown,
            expected=Expectation.of(NEW),
            now=now,
            history=history,
            policy=PATIENT,
        )
        history = verdict.history
        if verdict.phase is Phase.READY:
            assert len(shown) == 2
            assert all(updated(child) for child in shown)
            assert status["state"].lower() == "available"
        if verdict.phase is Phase.FAILED:
            assert status.get("description") == "Deployment is invalid: x"


def rollout(index: int) -> list[dict[str, Any]]:
    """What a child truly goes through: old, asked, rolling pod by pod, done."""
    old, done = complete_children(OLD)[index], complete_children(NEW)[index]
    for one in (old, done):
        one["status"]["unavailableReplicas"] = 0
    done["metadata"]["generation"] = 2
    asked = copy.deepcopy(done)
    steps = [old, asked]
    for new in (0, 1, 2, 3):
        for ready in (0, 1):
            rolling = copy.deepcopy(done)
            rolling["status"] |= {
                "observedGeneration": 2,
                "replicas": 4,
                "updatedReplicas": new,
                "availableReplicas": 3 + ready,
                "unavailableReplicas": 1 - ready,
            }
            steps.append(rolling)
    done["status"]["observedGeneration"] = 2
    return [*steps, done]


FIRST, SECOND = rollout(0), rollout(1)
LAST = len(FIRST) - 1
moments = st.tuples(st.integers(0, LAST), st.integers(0, LAST), statuses())


@settings(max_examples=300, deadline=None)
@given(st.lists(moments, max_size=12))
def test_any_order_repetition_and_loss_of_a_rollouts_steps_ends_in_ready_and_not_before(seen: list[Any]):
    history = None
    for first, second, status in [*seen, (LAST, LAST, {"state": "Available"})]:
        verdict = judge(
            NEW | {"status": status},
            [FIRST[first], SECOND[second]],
            expected=Expectation.of(NEW),
            now=1.0,
            history=history,
            policy=PATIENT,
        )
        history = verdict.history
        if (first, second) != (LAST, LAST):
            assert verdict.phase is not Phase.READY
    assert verdict.phase is Phase.READY


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 5) | st.sampled_from(["", "Available", "iris", "default"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "metadata",
                    "spec",
                    "status",
                    "predictors",
                    "graph",
                    "name",
                    "conditions",
                    "template",
                    "state",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
objects = st.dictionaries(st.sampled_from(["metadata", "spec", "status"]), json_values, max_size=3)


@settings(max_examples=300, deadline=None)
@given(objects, st.lists(objects, max_size=2), st.lists(objects, max_size=2))
def test_no_json_makes_the_judge_raise(deployment: dict[str, Any], children: list[Any], pods: list[Any]):
    verdict = judge(deployment, children, pods, expected=Expectation(), now=0.0)
    assert verdict.phase in Phase
    assert (
        judge(NEW, [*children, deployment], pods, expected=Expectation.of(NEW), now=0.0).phase
        is Phase.PENDING
    )
    assert judge(deployment, None, None, expected=Expectation(), now=0.0).phase is not Phase.READY
