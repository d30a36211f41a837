"""
An operator that writes a child again and again: the generation rises for ever, and the status lags behind it.

Seldon's operator does that, some six times a second, with every child whose number of pods it leaves open.
"""

from __future__ import annotations

from typing import Any

from tests.timelines.scenarios.words import available, child, creating, failed, rolling, scenario, step

MAIN, CANARY = "iris-main-0-classifier", "iris-canary-0-classifier"


def behind(generation: int, by: int = 1, **more: Any) -> dict[str, Any]:
    """A complete child whose controller has not looked at the last updates yet."""
    return child(generation=generation, observed=generation - by, **more)


SCENARIOS = [
    scenario(
        "a-loop-after-the-update",
        "A snapshot seldom shows a generation that was observed, though pods of this version alone are there.",
        step(0, available(2), [child(template="old")], "wait"),
        step(0.1, available(2), [behind(2)], "wait"),
        step(0.2, creating(2), [rolling(generation=2)], "wait"),
        step(0.3, creating(2), [rolling(generation=9, observed=6)], "wait"),
        step(2.5, available(2), [behind(19, replicas=2, updated=1, available=2)], "wait"),
        step(2.6, available(2), [behind(20)], "ready"),
        step(2.7, available(2), [behind(26, by=5)], "ready"),
    ),
    scenario(
        "a-loop-that-began-long-ago",
        "Whoever comes in the middle knows of no generation whether it was written for these pods.",
        step(0, available(2), [behind(400)], "wait"),
        step(0.1, available(2), [behind(400)], "wait"),
        step(0.2, available(2), [behind(401)], "ready"),
        foreign=True,
    ),
    scenario(
        "a-loop-that-begins-in-the-middle-of-a-rollout",
        "The first update was observed; those that follow change nothing but the generation.",
        step(0, creating(2), [rolling(generation=2)], "wait"),
        step(1, creating(2), [rolling(generation=7, observed=2)], "wait"),
        step(2, available(2), [child(generation=9, observed=8)], "ready"),
    ),
    scenario(
        "two-children-that-are-never-still-at-the-same-moment",
        "Both serve; at any moment at least one of them has a generation that was not observed.",
        step(0, available(2), [child(MAIN, template="old"), child(CANARY, template="old")], "wait"),
        step(
            1, creating(2), [rolling(MAIN, generation=2), rolling(CANARY, generation=3, observed=2)], "wait"
        ),
        step(2, available(2), [child(MAIN, generation=4), behind(5, name=CANARY)], "ready"),
        step(3, available(2), [behind(7, name=MAIN), child(CANARY, generation=8)], "ready"),
        step(4, available(2), [behind(9, name=MAIN), behind(11, name=CANARY)], "ready"),
    ),
    scenario(
        "one-child-of-two-is-not-through-yet",
        "A child that is never still does not vouch for the one beside it.",
        step(0, creating(2), [rolling(MAIN), rolling(CANARY)], "wait"),
        step(1, available(2), [behind(7, name=MAIN), rolling(CANARY, generation=8, observed=7)], "wait"),
        step(2, available(2), [behind(9, name=MAIN), behind(12, name=CANARY)], "ready"),
    ),
    scenario(
        "a-loop-with-an-update-that-fails",
        "Progress ended in a generation that has been overtaken; waiting for one that is observed never ends.",
        step(0, creating(2), [rolling(generation=2)], "wait"),
        step(5, creating(2), [rolling(generation=30, observed=29)], "wait"),
        step(
            9,
            creating(2),
            [rolling(generation=50, observed=49, progressing=("False", "ProgressDeadlineExceeded"))],
            "failed",
        ),
    ),
    scenario(
        "a-loop-without-room-for-pods",
        "What has to last lasts through updates that change nothing.",
        *(
            step(
                at,
                creating(1),
                [
                    behind(
                        2 + at,
                        by=1 if at % 20 else 0,
                        available=0,
                        conditions=(
                            {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"},
                        ),
                    )
                ],
                "failed" if at >= 60 else "wait",
            )
            for at in range(0, 70, 10)
        ),
    ),
    scenario(
        "another-template-in-the-middle-of-a-loop",
        "What is known of one template says nothing of the next.",
        step(0, available(2), [child(generation=7)], "ready"),
        step(1, available(2), [child(generation=8, observed=7, template="old")], "wait"),
        step(2, available(2), [child(generation=9, observed=8)], "wait"),
        step(3, available(2), [child(generation=11, observed=9)], "ready"),
    ),
    scenario(
        "another-number-in-the-middle-of-a-loop",
        "What is known of one pod says nothing of three.",
        step(0, available(1), [behind(7)], "wait"),
        step(1, available(1), [behind(8)], "ready"),
        step(2, available(1), [behind(9, wanted=3, replicas=3)], "wait"),
        step(3, available(1), [behind(10, wanted=3)], "ready"),
        spec={
            "predictors": [
                {
                    "name": "default",
                    "graph": {"name": "classifier", "type": "MODEL"},
                    "componentSpecs": [
                        {"spec": {"containers": [{"name": "classifier", "image": "model:1"}]}}
                    ],
                }
            ]
        },
        name="iris",
    ),
    scenario(
        "a-loop-that-ends-in-failed",
        "Failed has to last, and the loop goes on meanwhile.",
        step(0, failed("something odd", 2), [behind(7)], "wait"),
        step(20, failed("something odd", 2), [behind(90)], "wait"),
        step(31, failed("something odd", 2), [behind(150)], "failed"),
    ),
]
