"""The status of a pod from the states of its containers. Pure.

Source: Kubernetes documentation, "Pod Lifecycle" (phases, conditions).
"""

from __future__ import annotations

from airflow_provider_seldon.local.client.kinds import Manifest
from airflow_provider_seldon.local.controllers.manifests import condition, dig, now

POD_IP = "127.0.0.1"


def pending(pod: Manifest, *, message: str) -> Manifest:
    """The status of an unschedulable pod."""
    return {
        "phase": "Pending",
        "conditions": [_condition(pod, "PodScheduled", False, reason="Unschedulable", message=message)],
    }


def of_containers(
    pod: Manifest, inits: list[Manifest], containers: list[Manifest], *, started: str
) -> Manifest:
    """The status of a scheduled pod.

    :param inits: entries of ``initContainerStatuses``
    :param containers: entries of ``containerStatuses``
    :param started: when the kubelet accepted the pod
    """
    initialized = all(dig(one, "state", "terminated", "exitCode") == 0 for one in inits)
    ready = initialized and all(one["ready"] for one in containers)
    unready = [one["name"] for one in containers if not one["ready"]]
    reason = "" if ready else "ContainersNotReady"
    message = "" if ready else f"containers with unready status: [{' '.join(unready)}]"
    waiting = [one["name"] for one in inits if dig(one, "state", "terminated", "exitCode") != 0]
    init_message = f"containers with incomplete status: [{' '.join(waiting)}]" if waiting else ""
    init_reason = "ContainersNotInitialized" if waiting else ""
    status: Manifest = {
        "phase": _phase(pod, initialized, inits, containers),
        "conditions": [
            _condition(pod, "Initialized", initialized, reason=init_reason, message=init_message),
            _condition(pod, "Ready", ready, reason=reason, message=message),
            _condition(pod, "ContainersReady", ready, reason=reason, message=message),
            _condition(pod, "PodScheduled", True),
        ],
        "containerStatuses": containers,
        "hostIP": POD_IP,
        "podIP": POD_IP,
        "podIPs": [{"ip": POD_IP}],
        "startTime": started,
    }
    if inits:
        status["initContainerStatuses"] = inits
    return status


def _phase(pod: Manifest, initialized: bool, inits: list[Manifest], containers: list[Manifest]) -> str:
    ended = [dig(one, "state", "terminated", "exitCode") for one in containers]
    if dig(pod, "spec", "restartPolicy", default="Always") == "Never" and (
        any(dig(one, "state", "terminated", "exitCode", default=0) != 0 for one in inits)
        or (None not in ended and any(ended))
    ):
        return "Failed"
    if not initialized:
        return "Pending"
    if any(
        "running" in one["state"] or one["restartCount"] or "terminated" in one["state"] for one in containers
    ):
        return "Running"
    return "Pending"


def _condition(pod: Manifest, kind: str, value: bool, *, reason: str = "", message: str = "") -> Manifest:
    """A condition; the transition time changes only with the value."""
    text = "True" if value else "False"
    old = condition(pod.get("status"), kind)
    since = old["lastTransitionTime"] if old is not None and old["status"] == text else now()
    entry: Manifest = {"type": kind, "status": text, "lastProbeTime": None, "lastTransitionTime": since}
    entry |= {"reason": reason} if reason else {}
    entry |= {"message": message} if message else {}
    return entry
