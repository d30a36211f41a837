"""A container of the candidate that ends while a step bakes is found, and nothing else is taken for it."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_seldon.core.canary.crashes import crashed_since
from airflow_provider_seldon.core.resource.unstructured import seconds_at

SINCE = seconds_at({"at": "2026-11-28T10:00:00Z"}, "at") or 0.0
BEFORE, AFTER = "2026-11-28T09:59:30Z", "2026-11-28T10:02:00Z"


def deployment() -> dict[str, Any]:
    graph = {"name": "classifier", "implementation": "SKLEARN_SERVER"}
    predictors = [{"name": "default", "graph": graph}, {"name": "canary", "graph": graph}]
    return {"metadata": {"name": "iris"}, "spec": {"predictors": predictors}}


def pod(predictor: str, *, state: str = "lastState", at: str = AFTER, **metadata: Any) -> dict[str, Any]:
    owner = {"controller": True, "name": f"iris-{predictor}-0-classifier-6d4b"}
    ended = {"terminated": {"exitCode": 137, "reason": "OOMKilled", "finishedAt": at}}
    return {
        "metadata": {"name": f"{predictor}-pod", "ownerReferences": [owner], **metadata},
        "status": {
            "containerStatuses": [{"name": "classifier", "ready": True, "restartCount": 2, state: ended}]
        },
    }


@pytest.mark.parametrize("state", ["state", "lastState"])
def test_a_container_that_ended_while_the_step_baked_is_reported_with_its_exit(state: str) -> None:
    found = crashed_since(deployment(), [pod("default", at=BEFORE), pod("canary", state=state)], SINCE)
    assert found == (
        "container classifier of pod canary-pod ended with exit code 137 (OOMKilled) while the step baked, "
        "restarted 2 times in all"
    )


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(pod("default"), id="the-baselines"),
        pytest.param(pod("canary", at=BEFORE), id="while-it-came-up"),
        pytest.param(pod("canary", deletionTimestamp=AFTER), id="of-a-pod-that-is-taken-away"),
        pytest.param(pod("canary", at="no time"), id="without-a-time"),
        pytest.param({"metadata": {"name": "strange"}}, id="without-an-owner"),
    ],
)
def test_what_else_has_ended_is_none(other: dict[str, Any]) -> None:
    assert crashed_since(deployment(), [other], SINCE) == ""
