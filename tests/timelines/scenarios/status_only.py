"""Without the right to read Deployments there is only the status: it must stay good to be believed."""

from __future__ import annotations

from typing import Any

from tests.timelines.scenarios.words import CHILD, available, creating, scenario, step


def _counted(count: int = 1, ready: int | None = None, generation: int = 1) -> dict[str, Any]:
    seen = available(generation)
    ready = count if ready is None else ready
    seen["status"]["deploymentStatus"] = {CHILD: {"replicas": count, "availableReplicas": ready}}
    return seen


SCENARIOS = [
    scenario(
        "status-only-flicker",
        "The status flickers through Available; only an unbroken time of it counts.",
        step(0, _counted(generation=2), None, "wait"),
        step(1, creating(2), None, "wait"),
        step(2, _counted(generation=2), None, "wait"),
        step(20, creating(2), None, "wait"),
        step(25, _counted(generation=2), None, "wait"),
        step(40, _counted(generation=2), None, "wait"),
        step(56, _counted(generation=2), None, "ready"),
    ),
    scenario(
        "status-only-silence",
        "Without any newer status, the old Available has to hold for longer before it is believed.",
        step(0, _counted(generation=2), None, "wait"),
        step(31, _counted(generation=2), None, "wait"),
        step(61, _counted(generation=2), None, "ready"),
    ),
    scenario(
        "status-only-counts",
        "The state is Available while the counts in it say that pods are missing.",
        step(0, creating(), None, "wait"),
        step(1, _counted(2, 1), None, "wait"),
        step(90, _counted(2, 1), None, "wait"),
        step(91, _counted(1, 1), None, "wait"),
        step(122, _counted(1, 1), None, "ready"),
    ),
]
