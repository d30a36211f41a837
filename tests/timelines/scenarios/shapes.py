"""Deployments of other shapes: several children, no pods wanted, autoscalers, separate engines, names too long."""

from __future__ import annotations

import hashlib

from tests.timelines.scenarios.words import CHILD, available, child, creating, rolling, scenario, step

_LONG = "iris-default-0-" + "-".join(f"container{i}" for i in range(8))
_DIGEST = hashlib.md5(_LONG.encode(), usedforsecurity=False).hexdigest()
_LONG_SPEC = {
    "predictors": [
        {
            "name": "default",
            "graph": {"name": "container0", "type": "MODEL"},
            "componentSpecs": [{"spec": {"containers": [{"name": f"container{i}"} for i in range(8)]}}],
        }
    ]
}
_SERVER_SPEC = {
    "predictors": [
        {
            "name": "default",
            "graph": {"name": "classifier", "implementation": "SKLEARN_SERVER", "modelUri": "gs://a"},
        }
    ]
}
_KEDA = {"kedaSpec": {"triggers": [{"type": "cpu"}], "minReplicaCount": 0}}


def _sized(**component: object) -> dict[str, object]:
    part = {"spec": {"containers": [{"name": "classifier", "image": "model:1"}]}, **component}
    return {"predictors": [{"name": "default", "graph": {"name": "classifier"}, "componentSpecs": [part]}]}


SCENARIOS = [
    scenario(
        "canary-not-there-yet",
        "A second predictor was added; the first one is Available, the canary's child does not exist.",
        step(0, available(2), [child()], "wait"),
        step(1, creating(2), [child(), child("iris-canary-0-classifier", replicas=1, available=0)], "wait"),
        step(9, available(2), [child(), child("iris-canary-0-classifier")], "ready"),
    ),
    scenario(
        "shadow-is-waited-for",
        "A shadow gets no answers back to users, but a shadow that does not run mirrors nothing.",
        step(0, available(2), [child(), rolling("iris-shadow-0-classifier")], "wait"),
        step(9, available(2), [child(), child("iris-shadow-0-classifier", generation=2)], "ready"),
    ),
    scenario(
        "explainer-not-there-yet",
        "Adding an explainer changes nothing about the model, whose Available stays.",
        step(0, available(2), [child()], "wait"),
        step(1, available(2), [child(), child("iris-default-explainer", available=0)], "wait"),
        step(9, available(2), [child(), child("iris-default-explainer")], "ready"),
    ),
    scenario(
        "separate-engine-is-late",
        "The separate engine carries another id label, so a selector by name misses it while it still rolls.",
        step(0, available(2), [child(), rolling("iris-default-svc-orch")], "wait"),
        step(9, available(2), [child(), child("iris-default-svc-orch", generation=2)], "ready"),
    ),
    scenario(
        "separate-engine-of-the-old-version",
        "The model's pods are new, the engine in front of them still routes by the old graph.",
        step(0, available(2), [child(generation=2), child("iris-default-svc-orch", template="old")], "wait"),
        step(9, available(2), [child(generation=2), child("iris-default-svc-orch", generation=2)], "ready"),
    ),
    scenario(
        "renamed-predictor",
        "A renamed predictor gets new children while the old ones keep the state Available.",
        step(0, available(2), [child("iris-a-0-classifier", template="old")], "wait"),
        step(
            1,
            creating(2),
            [child("iris-a-0-classifier", template="old"), rolling("iris-b-0-classifier")],
            "wait",
        ),
        step(
            9,
            available(2),
            [child("iris-a-0-classifier", template="old"), child("iris-b-0-classifier")],
            "ready",
        ),
        step(10, available(2), [child("iris-b-0-classifier")], "ready"),
    ),
    scenario(
        "no-pods-wanted",
        "replicas: 0 never leaves Creating (SeldonIO/seldon-core #4889); waiting for Available would never end.",
        step(0, creating(), [], "wait"),
        step(1, creating(), [child(wanted=0)], "ready"),
    ),
    scenario(
        "scaling-to-zero",
        "The spec asks for no pods, but some still answer.",
        step(0, available(2), [child()], "wait", note="the child was not scaled yet"),
        step(1, creating(2), [child(generation=2, wanted=0, replicas=1)], "wait"),
        step(9, creating(2), [child(generation=2, wanted=0)], "ready"),
        spec=_sized(replicas=0),
    ),
    scenario(
        "scaled-to-zero-by-hand",
        "Somebody scaled the child to zero: nothing is unavailable, and nothing serves.",
        step(0, available(), [child()], "ready"),
        step(9, creating(), [child(generation=2, wanted=0)], "wait"),
        spec=_sized(),
    ),
    scenario(
        "scale-up-not-applied-yet",
        "More replicas are a change that the template does not show: the child still asks for one.",
        step(0, available(2), [child()], "wait"),
        step(1, available(2), [child(generation=2, observed=1, wanted=3, replicas=1)], "wait"),
        step(2, creating(2), [child(generation=2, wanted=3, available=1)], "wait"),
        step(9, available(2), [child(generation=2, wanted=3)], "ready"),
        spec=_sized(replicas=3),
    ),
    scenario(
        "third-pod-does-not-exist-yet",
        "All pods that exist are new and available; one that was asked for has not been made.",
        step(0, available(2), [child(generation=2, wanted=3, replicas=2)], "wait"),
        step(9, available(2), [child(generation=2, wanted=3)], "ready"),
        spec=_sized(replicas=3),
    ),
    scenario(
        "hpa-decides-the-number",
        "With an HPA the spec's replicas mean nothing: four pods are as good as one.",
        step(0, available(), [child(generation=3, wanted=4)], "ready"),
        step(9, creating(), [child(generation=4, wanted=6, available=4)], "wait"),
        step(20, available(), [child(generation=4, wanted=6)], "ready"),
        spec=_sized(hpaSpec={"maxReplicas": 10}, replicas=1),
    ),
    scenario(
        "hpa-and-a-new-version",
        "During an autoscaled rollout, Available appears while old pods are left.",
        step(0, available(2), [child(generation=4, wanted=4, replicas=5, updated=2, available=5)], "wait"),
        step(9, available(2), [child(generation=4, wanted=4)], "ready"),
        spec=_sized(hpaSpec={"maxReplicas": 10}),
    ),
    scenario(
        "keda-sleeps",
        "KEDA scaled an idle model to zero pods; the state is Creating for ever, and that is what was asked for.",
        step(0, creating(), [child(generation=2, wanted=0)], "ready"),
        spec=_sized(**_KEDA),
    ),
    scenario(
        "keda-wakes-up-with-the-new-version",
        "The KEDA-scaled model is being updated; its pods are of both versions.",
        step(0, creating(2), [child(generation=3, wanted=2, replicas=3, updated=1, available=2)], "wait"),
        step(9, available(2), [child(generation=3, wanted=2)], "ready"),
        spec=_sized(**_KEDA),
    ),
    scenario(
        "long-names-are-hashed",
        "A Deployment name over 63 characters is an MD5 hash; it changes with no content.",
        step(0, available(2), [child(f"seldon-{_DIGEST}", template="old")], "wait"),
        step(9, available(2), [child(f"seldon-{_DIGEST}", generation=2)], "ready"),
        name="iris",
        spec=_LONG_SPEC,
    ),
    scenario(
        "long-names-with-a-prefix",
        "An operator with DEPLOYMENT_NAME_AS_PREFIX gives the same child another name.",
        step(0, available(2), [child(f"iris-{_DIGEST}", template="old")], "wait"),
        step(9, available(2), [child(f"iris-{_DIGEST}", generation=2)], "ready"),
        name="iris",
        spec=_LONG_SPEC,
    ),
    scenario(
        "server-without-a-pod-spec",
        "A prepackaged server has no componentSpecs; the operator adds a container named after the node.",
        step(0, available(2), [], "wait"),
        step(9, available(2), [child(CHILD)], "ready"),
        spec=_SERVER_SPEC,
    ),
]
