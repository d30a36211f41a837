"""Failures that the status hides, exaggerates, or that belong to another owner."""

from __future__ import annotations

from tests.timelines.scenarios.words import (
    GOOD,
    available,
    child,
    crashed,
    creating,
    failed,
    rolling,
    scenario,
    step,
    waiting,
)

_DEADLINE = ("False", "ProgressDeadlineExceeded")
_INVALID = 'Deployment.apps "iris" is invalid: spec.template.spec.containers[0].image: Required value, Not found: "x"'
_UNSCHEDULABLE = {
    "phase": "Pending",
    "conditions": [
        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}
    ],
}
_QUOTA = (
    {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota"},
)

SCENARIOS = [
    scenario(
        "stuck-first-version",
        "A first version that never gets ready: its Failed text says that it may recover.",
        step(0, creating(), [child(available=0, progressing=("True", "ReplicaSetUpdated"))], "wait"),
        step(
            600,
            failed("Deployment is no longer progressing and not available."),
            [child(available=0, progressing=_DEADLINE)],
            "failed",
        ),
    ),
    scenario(
        "deadline-of-the-previous-version",
        "The progress deadline was exceeded by the version before; the fix has only just been written.",
        step(0, creating(3), [rolling(template="old", progressing=_DEADLINE)], "wait"),
        step(1, creating(3), [rolling(generation=3, observed=2, progressing=_DEADLINE)], "wait"),
        step(2, creating(3), [rolling(generation=3)], "wait"),
        step(30, available(3), [child(generation=3)], "ready"),
    ),
    scenario(
        "deadline-of-the-version-that-was-rolled-back",
        "A template that comes back keeps the condition of the failed one until that one's first pod is gone.",
        step(0, creating(3), [rolling(template="old", progressing=_DEADLINE)], "wait"),
        step(1, creating(3), [rolling(generation=3, progressing=_DEADLINE)], "wait"),
        step(2, creating(3), [rolling(generation=3, progressing=_DEADLINE)], "wait"),
        step(3, available(3), [child(generation=3)], "ready"),
    ),
    scenario(
        "deadline-passed-while-watched",
        "The deadline of pods that were seen before it passed is theirs.",
        step(0, creating(2), [rolling(generation=2)], "wait"),
        step(1, creating(2), [rolling(generation=2, progressing=_DEADLINE)], "failed"),
    ),
    scenario(
        "deadline-passed-but-done",
        "A slow rollout that got there after its deadline serves all the same.",
        step(0, available(2), [child(generation=2, progressing=_DEADLINE)], "ready"),
    ),
    scenario(
        "second-predictor-stuck",
        "The first predictor is fine; the second will never be.",
        step(0, creating(2), [child(), rolling("iris-b-0-classifier", progressing=_DEADLINE)], "wait"),
        step(10, creating(2), [child(), rolling("iris-b-0-classifier", progressing=_DEADLINE)], "failed"),
    ),
    scenario(
        "webhook-not-reachable",
        "Failed, because a webhook did not answer; the operator's next attempt gets through.",
        step(0, creating(), [], "wait"),
        step(1, failed("Internal error occurred: failed calling webhook: connection refused"), [], "wait"),
        step(300, failed("Internal error occurred: failed calling webhook: connection refused"), [], "wait"),
        step(400, available(), [child()], "ready"),
    ),
    scenario(
        "conflict-flash",
        "Failed for a moment, because of a write conflict (operators before 1.3).",
        step(0, creating(2), [rolling()], "wait"),
        step(1, failed("the object has been modified; please apply your changes", 2), [rolling()], "wait"),
        step(1.01, creating(2), [rolling()], "wait"),
    ),
    scenario(
        "invalid-although-it-says-not-found",
        "A description with both a permanent and a transient phrase: what is invalid stays invalid.",
        step(0, available(2), [child(template="old")], "wait"),
        step(1, failed(_INVALID, 2, GOOD), [child(template="old")], "failed"),
    ),
    scenario(
        "failed-without-conditions",
        "A build error is reported before any condition exists.",
        step(0, {"generation": 1}, [], "wait"),
        step(1, failed("Failed to get server config for MY_SERVER"), [], "failed"),
    ),
    scenario(
        "failed-for-unknown-reasons",
        "An unknown error may heal in the next pass, or never: only lasting decides.",
        step(0, creating(), [], "wait"),
        step(1, failed("something odd at 10:00:01"), [], "wait"),
        step(29, failed("something odd at 10:00:29"), [], "wait"),
        step(32, failed("something odd at 10:00:32"), [], "failed"),
    ),
    scenario(
        "failed-changes-its-mind",
        "Two different errors in turn are two short ones, not one that lasts.",
        step(0, creating(), [], "wait"),
        step(1, failed("something odd"), [], "wait"),
        step(25, failed("something else"), [], "wait"),
        step(45, failed("something odd"), [], "wait"),
        step(46, available(), [child()], "ready"),
    ),
    scenario(
        "same-invalid-as-before",
        "The description is the one from before the write: it may be stale, or the error may be the same again.",
        step(0, failed(_INVALID, 2), [child(template="old")], "wait"),
        step(29, failed(_INVALID, 2), [child(template="old")], "wait"),
        step(40, failed(_INVALID, 2), [child(template="old")], "failed"),
    ),
    scenario(
        "no-such-image",
        "The new pod can never start, the old one serves: the state stays Creating until the deadline, or for ever.",
        step(0, creating(2), [rolling()], "wait"),
        step(9, creating(2), [rolling()], "failed", pods=[
            {"status": waiting("ErrImagePull", 'rpc error: failed to resolve "x:1": x:1: not found')}
        ]),
    ),
    scenario(
        "registry-hiccup",
        "The registry did not answer once; the next attempt pulls.",
        step(0, creating(), [child(available=0)], "wait"),
        step(9, creating(), [child(available=0)], "wait", pods=[{"status": waiting("ErrImagePull", "i/o timeout")}]),
        step(15, creating(), [child(available=0)], "wait", pods=[{"status": waiting("ImagePullBackOff", "Back-off")}]),
        step(30, available(), [child()], "ready"),
    ),
    scenario(
        "registry-is-gone",
        "A registry that does not answer for minutes is not a hiccup any more.",
        step(0, creating(), [child(available=0)], "wait", pods=[{"status": waiting("ErrImagePull", "i/o timeout")}]),
        step(20, creating(), [child(available=0)], "wait"),
        step(61, creating(), [child(available=0)], "failed", pods=[
            {"status": waiting("ImagePullBackOff", "Back-off")}
        ]),
    ),
    scenario(
        "missing-secret",
        "A Secret that is not there shows in the pod only; the status says Creating.",
        step(0, creating(), [child(available=0)], "wait", pods=[
            {"status": waiting("CreateContainerConfigError", 'secret "s3" not found', initial=True)}
        ]),
        step(6, creating(), [child(available=0)], "failed", pods=[
            {"status": waiting("CreateContainerConfigError", 'secret "s3" not found', initial=True)}
        ]),
    ),
    scenario(
        "model-is-not-there",
        "The storage initializer has tried several times in one run; its exit is enough.",
        step(0, creating(), [child(available=0)], "failed", pods=[
            {"status": crashed(0, container="classifier-model-initializer", initial=True)}
        ]),
    ),
    scenario(
        "slow-starter-restarts-once",
        "A server that is restarted once by its liveness probe may still come up.",
        step(0, creating(), [child(available=0)], "wait", pods=[{"status": crashed(1)}]),
        step(30, available(), [child()], "ready"),
    ),
    scenario(
        "crash-loop",
        "A server that ends again and again will not come up; the state says Creating.",
        step(0, creating(2), [rolling()], "wait", pods=[{"status": crashed(2)}]),
        step(30, creating(2), [rolling()], "failed", pods=[{"status": crashed(3, code=137)}]),
    ),
    scenario(
        "old-pods-crash",
        "The previous version crashes, which is why there is a new one; its pods say nothing about the new.",
        step(0, creating(2), [rolling()], "wait", pods=[
            {"set": "old", "created": "2025-01-01T00:00:00Z", "status": crashed(9)},
            {"set": "new", "created": "2025-01-02T00:00:00Z", "status": waiting("ContainerCreating")},
        ]),
        step(30, available(2), [child(generation=2)], "ready"),
    ),
    scenario(
        "fix-that-has-no-pods-yet",
        "The fix is being rolled out; all pods that exist so far are those of the broken version.",
        step(0, creating(3), [rolling(generation=3, replicas=1, updated=0, available=0)], "wait", pods=[
            {"set": "old", "status": crashed(9)},
        ]),
        step(1, creating(3), [rolling(generation=3, replicas=1, updated=0, available=0)], "wait", pods=[]),
        step(30, available(3), [child(generation=3)], "ready"),
    ),
    scenario(
        "pods-before-the-update",
        "The operator has not updated the child yet: what its pods say is about the old version.",
        step(0, available(2), [child(template="old", available=0)], "wait", pods=[{"status": crashed(9)}]),
    ),
    scenario(
        "no-node-yet",
        "No node fits until the cluster autoscaler has added one.",
        step(0, creating(), [child(available=0)], "wait", pods=[{"status": _UNSCHEDULABLE}]),
        step(200, creating(), [child(available=0)], "wait", pods=[{"status": _UNSCHEDULABLE}]),
        step(250, available(), [child()], "ready"),
    ),
    scenario(
        "no-node-ever",
        "No node will ever fit, and no deadline tells before ten minutes are over.",
        step(0, creating(), [child(available=0)], "wait", pods=[{"status": _UNSCHEDULABLE}]),
        step(301, creating(), [child(available=0)], "failed", pods=[{"status": _UNSCHEDULABLE}]),
    ),
    scenario(
        "quota",
        "The quota is full of old pods: no new one is made, and no pod can tell (SeldonIO/seldon-core #916).",
        step(0, creating(2), [rolling(replicas=1, updated=0, conditions=_QUOTA)], "wait"),
        step(61, creating(2), [rolling(replicas=1, updated=0, conditions=_QUOTA)], "failed"),
    ),
    scenario(
        "crash-after-success",
        "Pods that crash after a finished rollout leave Progressing True; the state goes back to Creating.",
        step(0, available(), [child()], "ready"),
        step(60, creating(), [child(available=0)], "wait"),
    ),
    scenario(
        "patient-policy",
        "What is fatal is the user's to say: here a missing image is waited for.",
        step(0, creating(), [child(available=0)], "wait", pods=[{"status": waiting("InvalidImageName")}]),
        step(900, creating(), [child(available=0)], "wait", pods=[{"status": waiting("InvalidImageName")}]),
        policy={"waiting": {"InvalidImageName": None}},
    ),
]  # fmt: skip
