"""The vocabulary that the scenarios are written in: short names for parts of the format."""

from __future__ import annotations

from typing import Any

CHILD = "iris-default-0-classifier"

GOOD = [{"type": "Ready", "status": "True"}, {"type": "ServicesReady", "status": "True"}]
BAD = [{"type": "Ready", "status": "False"}, {"type": "ServicesReady", "status": "False"}]


def available(generation: int = 1, **more: Any) -> dict[str, Any]:
    """A SeldonDeployment that calls itself Available."""
    return {"generation": generation, "status": {"state": "Available", "conditions": GOOD}, **more}


def creating(generation: int = 1, **more: Any) -> dict[str, Any]:
    """A SeldonDeployment that calls itself Creating."""
    return {"generation": generation, "status": {"state": "Creating", "conditions": BAD}, **more}


def failed(description: str, generation: int = 1, conditions: Any = None, **more: Any) -> dict[str, Any]:
    """A SeldonDeployment that calls itself Failed."""
    status: dict[str, Any] = {"state": "Failed", "description": description}
    if conditions is not None:
        status["conditions"] = conditions
    return {"generation": generation, "status": status, **more}


def child(
    name: str = CHILD,
    *,
    template: str = "new",
    generation: int = 1,
    observed: int | None = None,
    wanted: int = 1,
    replicas: int | None = None,
    updated: int | None = None,
    available: int | None = None,
    progressing: tuple[str, str] = ("True", "NewReplicaSetAvailable"),
    conditions: tuple[dict[str, Any], ...] = (),
    **more: Any,
) -> dict[str, Any]:
    """A child Deployment; complete unless said otherwise."""
    replicas = wanted if replicas is None else replicas
    available = replicas if available is None else available
    status = {
        "observedGeneration": generation if observed is None else observed,
        "replicas": replicas,
        "updatedReplicas": replicas if updated is None else updated,
        "readyReplicas": available,
        "availableReplicas": available,
        "unavailableReplicas": max(0, replicas - available),
        "conditions": [
            {"type": "Progressing", "status": progressing[0], "reason": progressing[1]},
            *conditions,
        ],
    }
    return {
        "name": name,
        "generation": generation,
        "spec_replicas": wanted,
        "template_is_for": template,
        "status": {key: value for key, value in status.items() if value not in (0, [])},
        **more,
    }


def rolling(name: str = CHILD, *, generation: int = 2, **more: Any) -> dict[str, Any]:
    """A child whose one new pod is not available yet while the old one serves."""
    given = {"replicas": 2, "updated": 1, "available": 1, "progressing": ("True", "ReplicaSetUpdated")} | more
    return child(name, generation=generation, **given)


def step(
    t: float, sdep: dict[str, Any] | None, deployments: list[dict[str, Any]] | None, verdict: str, **more: Any
) -> dict[str, Any]:
    """One step of a timeline."""
    return {"t": t, "sdep": sdep, "deployments": deployments, "correct_verdict": verdict, **more}


def scenario(title: str, lie: str, *steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A whole timeline."""
    return {"scenario": title, "lie": lie, "steps": list(steps), **more}


def waiting(
    reason: str, message: str = "", *, container: str = "classifier", initial: bool = False
) -> dict[str, Any]:
    """A pod's status with one container that waits."""
    state: dict[str, Any] = {"waiting": {"reason": reason, "message": message}}
    kind = "initContainerStatuses" if initial else "containerStatuses"
    return {
        "phase": "Pending",
        kind: [{"name": container, "ready": False, "restartCount": 0, "state": state}],
    }


def crashed(
    restarts: int, *, container: str = "classifier", initial: bool = False, code: int = 1
) -> dict[str, Any]:
    """A pod's status with one container that ended badly and waits for its next run."""
    ended = {"terminated": {"exitCode": code, "reason": "OOMKilled" if code == 137 else "Error"}}
    kind = "initContainerStatuses" if initial else "containerStatuses"
    entry = {
        "name": container,
        "ready": False,
        "restartCount": restarts,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}} if restarts else ended,
        "lastState": ended,
    }
    return {"phase": "Pending", kind: [entry]}
