"""A new version behind an old one that keeps serving: the status speaks of the wrong one of the two."""

from __future__ import annotations

from tests.timelines.scenarios.words import BAD, available, child, creating, failed, rolling, scenario, step

OLD = {"template": "old"}

SCENARIOS = [
    scenario(
        "operator-is-down",
        "With the operator down, the previous Available stays for any length of time after an update.",
        step(0, available(2), [child(**OLD)], "wait"),
        step(60, available(2), [child(**OLD)], "wait"),
        step(7200, available(2), [child(**OLD)], "wait"),
    ),
    scenario(
        "available-before-the-deployment-controller-looked",
        "The operator reads the Deployment status of the previous template right after its own update.",
        step(0, available(2), [child(generation=2, observed=1)], "wait"),
        step(0.1, available(2), [child(generation=2)], "ready"),
    ),
    scenario(
        "available-in-the-middle-of-three-replicas",
        "With several replicas, Available is written each time a surge pod gets ready.",
        step(0, available(2), [child(wanted=3, **OLD)], "wait"),
        step(1, creating(2), [child(generation=2, wanted=3, replicas=4, updated=1, available=3)], "wait"),
        step(20, available(2), [child(generation=2, wanted=3, replicas=4, updated=1, available=4)], "wait"),
        step(21, creating(2), [child(generation=2, wanted=3, replicas=4, updated=2, available=3)], "wait"),
        step(40, available(2), [child(generation=2, wanted=3, replicas=4, updated=2, available=4)], "wait"),
        step(60, available(2), [child(generation=2, wanted=3, replicas=4, updated=3, available=4)], "wait"),
        step(61, available(2), [child(generation=2, wanted=3)], "ready"),
    ),
    scenario(
        "old-pod-still-counted",
        "All new pods are available, but an old one still answers requests.",
        step(0, available(2), [child(generation=2, replicas=2, updated=1, available=2)], "wait"),
        step(5, available(2), [child(generation=2)], "ready"),
    ),
    scenario(
        "updated-but-not-available",
        "Every pod is of the new version and none of them is ready.",
        step(0, available(2), [child(generation=2, wanted=2, available=0)], "wait"),
        step(9, available(2), [child(generation=2, wanted=2)], "ready"),
    ),
    scenario(
        "state-creating-although-the-child-is-done",
        "The child is complete before the operator has noticed; routes may still be missing.",
        step(0, creating(2), [child(generation=2)], "wait"),
        step(1, available(2), [child(generation=2)], "ready"),
    ),
    scenario(
        "available-without-ready",
        "The state is Available while the ingress resources are still being made (Ready is False).",
        step(0, {"generation": 1, "status": {"state": "Available", "conditions": BAD}}, [child()], "wait"),
        step(1, available(), [child()], "ready"),
    ),
    scenario(
        "ready-unknown",
        "Ready is Unknown when a resource was never looked at; that is not True.",
        step(
            0,
            {
                "generation": 1,
                "status": {"state": "Available", "conditions": [{"type": "Ready", "status": "Unknown"}]},
            },
            [child()],
            "wait",
        ),
    ),
    scenario(
        "operator-before-1.11",
        "Older operators write no conditions at all; then there is no Ready to wait for.",
        step(0, {"generation": 1, "status": {"state": "Available"}}, [child()], "ready"),
    ),
    scenario(
        "state-in-lower-case",
        "Some versions and scripts write the state in lower case.",
        step(0, {"generation": 1, "status": {"state": "available"}}, [child()], "ready"),
    ),
    scenario(
        "state-nobody-knows",
        "A state that this provider does not know is neither success nor failure.",
        step(0, {"generation": 1, "status": {"state": "Degraded", "conditions": []}}, [child()], "wait"),
        step(60, {"generation": 1, "status": {"state": "Degraded", "conditions": []}}, [child()], "wait"),
    ),
    scenario(
        "no-status-at-all",
        "A deployment that nobody reconciles has no status; absence proves nothing.",
        step(0, {"generation": 1}, [], "wait"),
        step(600, {"generation": 1, "status": None}, [], "wait"),
    ),
    scenario(
        "operator-crashed-between-two-children",
        "The first child is updated, the second is not, and both look healthy.",
        step(0, available(2), [child(generation=2), child("iris-default-1-transformer", **OLD)], "wait"),
        step(9, available(2), [child(generation=2), rolling("iris-default-1-transformer")], "wait"),
        step(
            20,
            available(2),
            [child(generation=2), child("iris-default-1-transformer", generation=2)],
            "ready",
        ),
    ),
    scenario(
        "stale-failed-after-a-fix",
        "The Failed of the broken version stays visible after the fix was written; it says nothing about the fix.",
        step(0, failed('Deployment.apps "x" is invalid: spec', 3), [child(**OLD)], "wait"),
        step(1, creating(3), [rolling()], "wait"),
        step(30, available(3), [child(generation=2)], "ready"),
    ),
    scenario(
        "paused-child",
        "Somebody paused the child's rollout: the old pods serve, the new template has no pods.",
        step(0, available(2), [child(generation=2, updated=0, paused=True)], "wait"),
    ),
    scenario(
        "rolled-back-by-hand",
        "kubectl rollout undo on the child: everything is healthy, and it is the previous version.",
        step(0, creating(2), [rolling()], "wait"),
        step(9, available(2), [child(generation=3, **OLD)], "wait"),
    ),
]
