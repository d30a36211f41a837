"""The status of a Deployment: counts and the conditions ``Available``, ``Progressing``. Pure.

Source: Kubernetes documentation, "Deployments" (status, progress deadline). ``unavailableReplicas`` is counted
from what the ReplicaSets *should* have, floored at zero: in the middle of a rollout it is 0 for a moment.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow_provider_seldon.local.client.kinds import Manifest
from airflow_provider_seldon.local.controllers.manifests import clone, condition, dig, name_of, now
from airflow_provider_seldon.local.controllers.workloads.rolling import (
    available_replicas,
    limits,
    spec_replicas,
    wanted_replicas,
)

NEW_AVAILABLE = "NewReplicaSetAvailable"
NEW_CREATED = "NewReplicaSetCreated"
UPDATED = "ReplicaSetUpdated"
TIMED_OUT = "ProgressDeadlineExceeded"


def next_status(
    deployment: Manifest, new: Manifest | None, every: list[Manifest], time: datetime
) -> Manifest:
    """The status that describes these ReplicaSets.

    :param new: the ReplicaSet of the current template, if it exists
    :param every: all ReplicaSets of the Deployment, that one included
    :param time: now, for the progress deadline
    """
    old = deployment.get("status") or {}
    counts = _counts(deployment, new, every)
    status: Manifest = {key: value for key, value in counts.items() if value}
    status["observedGeneration"] = int(deployment["metadata"].get("generation", 0))
    status["conditions"] = clone(old.get("conditions") or [])
    _, unavailable = limits(deployment)
    if counts["availableReplicas"] >= wanted_replicas(deployment) - unavailable:
        text = "Deployment has minimum availability."
        set_condition(status, "Available", "True", "MinimumReplicasAvailable", text)
    else:
        text = "Deployment does not have minimum availability."
        set_condition(status, "Available", "False", "MinimumReplicasUnavailable", text)
    _progress(deployment, status, counts, new, time)
    _replica_failure(status, every)
    return status


def seconds_to_deadline(deployment: Manifest, time: datetime) -> float | None:
    """Seconds until the next check of the progress deadline; None if there is none."""
    progressing = condition(deployment.get("status"), "Progressing")
    if progressing is None or progressing.get("reason") in (NEW_AVAILABLE, TIMED_OUT):
        return None
    return _deadline(deployment) - _age(progressing, time)


def set_condition(status: Manifest, kind: str, value: str, reason: str, message: str) -> None:
    """Set a condition; the transition time changes only with the value."""
    old = condition(status, kind)
    if old is not None and (old["status"], old.get("reason")) == (value, reason):
        return
    changed = old["lastTransitionTime"] if old is not None and old["status"] == value else now()
    entry = {
        "type": kind,
        "status": value,
        "reason": reason,
        "message": message,
        "lastUpdateTime": now(),
        "lastTransitionTime": changed,
    }
    others = [one for one in status.get("conditions") or [] if one["type"] != kind]
    status["conditions"] = [*others, entry]


def _counts(deployment: Manifest, new: Manifest | None, every: list[Manifest]) -> dict[str, int]:
    available = sum(available_replicas(one) for one in every)
    return {
        "replicas": sum(int(dig(one, "status", "replicas", default=0)) for one in every),
        "updatedReplicas": int(dig(new, "status", "replicas", default=0)),
        "readyReplicas": sum(int(dig(one, "status", "readyReplicas", default=0)) for one in every),
        "availableReplicas": available,
        "unavailableReplicas": max(0, sum(spec_replicas(one) for one in every) - available),
    }


def _progress(
    deployment: Manifest, status: Manifest, counts: dict[str, int], new: Manifest | None, time: datetime
) -> None:
    current = condition(status, "Progressing")
    reason = (current or {}).get("reason")
    if counts["replicas"] == counts["updatedReplicas"] and reason == NEW_AVAILABLE:
        return  # complete before; a pod that fails later is not a rollout
    wanted = wanted_replicas(deployment)
    label = f'ReplicaSet "{name_of(new)}"' if new is not None else "Deployment"
    done = {counts["updatedReplicas"], counts["replicas"], counts["availableReplicas"]} == {wanted}
    if done:
        message = f"{label} has successfully progressed."
        set_condition(status, "Progressing", "True", NEW_AVAILABLE, message)
    elif _advanced(deployment.get("status") or {}, counts):
        status["conditions"] = [one for one in status["conditions"] if one["type"] != "Progressing"]
        set_condition(status, "Progressing", "True", UPDATED, f"{label} is progressing.")
        if current is not None and current["status"] == "True":
            entry = next(one for one in status["conditions"] if one["type"] == "Progressing")
            entry["lastTransitionTime"] = current["lastTransitionTime"]
    elif (
        current is not None
        and reason not in (NEW_AVAILABLE, TIMED_OUT)
        and _age(current, time) >= _deadline(deployment)
    ):
        set_condition(status, "Progressing", "False", TIMED_OUT, f"{label} has timed out progressing.")


def _advanced(old: Manifest, counts: dict[str, int]) -> bool:
    """Whether there was progress since the last status, which restarts the deadline."""
    before = {key: int(old.get(key, 0)) for key in counts}
    return (
        counts["updatedReplicas"] > before["updatedReplicas"]
        or counts["replicas"] - counts["updatedReplicas"] < before["replicas"] - before["updatedReplicas"]
        or counts["readyReplicas"] > before["readyReplicas"]
        or counts["availableReplicas"] > before["availableReplicas"]
    )


def _replica_failure(status: Manifest, every: list[Manifest]) -> None:
    failures = [found for one in every if (found := condition(one.get("status"), "ReplicaFailure"))]
    if failures:
        one = failures[0]
        set_condition(status, "ReplicaFailure", one["status"], one.get("reason", ""), one.get("message", ""))
    else:
        status["conditions"] = [one for one in status["conditions"] if one["type"] != "ReplicaFailure"]


def _deadline(deployment: Manifest) -> float:
    return float(dig(deployment, "spec", "progressDeadlineSeconds", default=600))


def _age(entry: Manifest, time: datetime) -> float:
    updated = datetime.strptime(entry["lastUpdateTime"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    return (time - updated).total_seconds()
