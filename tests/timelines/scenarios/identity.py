"""The right name, but another deployment, another content, or on its way out."""

from __future__ import annotations

from tests.timelines.scenarios.words import CHILD, available, child, creating, scenario, step

_OTHERS = {
    "predictors": [
        {
            "name": "default",
            "graph": {"name": "classifier", "type": "MODEL"},
            "componentSpecs": [
                {"spec": {"containers": [{"name": "classifier", "image": "somebody-elses:7"}]}}
            ],
        }
    ]
}

SCENARIOS = [
    scenario(
        "deleted-while-waiting",
        "The deployment is gone, its children linger and look healthy.",
        step(0, creating(), [child(available=0)], "wait"),
        step(9, None, [child()], "deleted"),
    ),
    scenario(
        "foreground-deletion",
        "While children are collected the object stays, Available and all; the operator ignores it.",
        step(0, available(2), [child(template="old")], "wait"),
        step(1, available(2, deletionTimestamp="2025-01-01T00:00:00Z"), [child(generation=2)], "deleted"),
    ),
    scenario(
        "made-anew-by-someone-else",
        "Same name, another uid: it is Available, and it is not ours.",
        step(0, creating(uid="a"), [child(available=0)], "wait"),
        step(9, available(uid="b"), [child(owner_uid="b")], "replaced"),
    ),
    scenario(
        "changed-by-another-writer",
        "Somebody applied another model under the same name; its success is not ours.",
        step(0, creating(2), [child(template="old")], "wait"),
        step(9, available(3), [child(generation=3)], "replaced", spec=_OTHERS),
    ),
    scenario(
        "labels-changed-meanwhile",
        "The generation rises through somebody's change of something else; our version is still the one.",
        step(0, creating(2), [child(generation=2, available=0)], "wait"),
        step(9, available(3), [child(generation=2)], "ready"),
    ),
    scenario(
        "child-of-the-predecessor",
        "Deleted in the background and re-created: the old child is adopted by name, and collected soon after.",
        step(0, available(uid="b"), [child(owner_uid="a")], "wait"),
        step(1, creating(uid="b"), [], "wait"),
        step(9, available(uid="b"), [child(owner_uid="b")], "ready"),
    ),
    scenario(
        "child-without-an-owner",
        "An orphaned child was taken over by name; nothing ties it to this deployment.",
        step(0, available(), [child(owner_uid=None)], "wait"),
    ),
    scenario(
        "child-on-its-way-out",
        "The child has a deletion timestamp and still reports all pods available.",
        step(0, available(), [child(deletionTimestamp="2025-01-01T00:00:00Z")], "wait"),
        step(9, available(), [child()], "ready"),
    ),
    scenario(
        "same-child-name-of-another-deployment",
        "a-b plus predictor c and a plus predictor b-c give the same names; the other one's child is not ours.",
        step(0, available(uid="a"), [child(CHILD, owner_uid="other")], "wait"),
    ),
    scenario(
        "foreign-old-image",
        "A deployment that somebody else applied has no stamp; the template shows that the child is behind.",
        step(0, available(2), [child(template="old")], "wait"),
        step(9, available(2), [child(generation=2)], "ready"),
        foreign=True,
    ),
    scenario(
        "foreign-made-anew",
        "Without a stamp too, a child that is being replaced is not ready.",
        step(0, creating(), [child(available=0)], "wait"),
        step(9, available(), [child()], "ready"),
        foreign=True,
    ),
]
