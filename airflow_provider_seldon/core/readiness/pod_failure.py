"""
Why the pods of a child Deployment do not become ready, if waiting does not help.

Only pods of the newest ReplicaSet count: pods of an older one may fail independently of this rollout, or be
available while the new ones fail. Each problem carries how long it must last; ``readiness`` measures that.
The explanation is one sentence: see the diagnosis for logs and events.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from airflow_provider_seldon.core.children.revision import template_stamp
from airflow_provider_seldon.core.identity.annotations import ANNOTATION_REVISION
from airflow_provider_seldon.core.readiness.failure_policy import FailurePolicy
from airflow_provider_seldon.core.resource.unstructured import (
    Object,
    condition,
    controller,
    count_at,
    items_at,
    mapping_at,
    name_of,
    number_at,
    text_at,
)

INITIALIZER_SUFFIX = "-model-initializer"


@dataclass(frozen=True, kw_only=True, slots=True)
class PodProblem:
    """
    A problem that fails the rollout once it has lasted.

    :param reason: Kubernetes' own reason, e.g. ``ImagePullBackOff``.
    :param message: a sentence with the pod and the container.
    :param key: key under which it is remembered; the same problem keeps its key while its wording changes.
    :param grace: seconds that it must last.
    """

    reason: str
    message: str
    key: str
    grace: float


def pod_problems(child: Object, pods: Sequence[Object], policy: FailurePolicy) -> list[PodProblem]:
    """
    Return the problems of a child's newest pods.

    :param child: the Deployment.
    :param pods: any pods of the namespace; only this child's are checked.
    :param policy: which reasons count, and for how long they must last.
    """
    name = name_of(child)
    return [
        problem for pod in newest_pods(child, pods) for problem in _problems_of(pod, f"pod:{name}", policy)
    ]


def running_pods(child: Object, pods: Sequence[Object]) -> list[Object]:
    """Return all pods of a Deployment that have not ended yet, including terminating ones."""
    name = name_of(child)
    return [
        pod
        for pod in pods
        if text_at(controller(pod), "name").rpartition("-")[0] == name
        and text_at(pod, "status", "phase") not in ("Failed", "Succeeded")
    ]


def newest_pods(child: Object, pods: Sequence[Object]) -> list[Object]:
    """
    Return the live pods of a Deployment's newest ReplicaSet; none when it has none yet.

    A stamp in the Deployment's template also appears in its pods. Without one, the Deployment's own condition
    names the ReplicaSet; failing that, the latest pod identifies it.
    """
    stamp = template_stamp(child)
    by_set: dict[str, list[Object]] = {}
    for pod in pods:
        replica_set = text_at(controller(pod), "name")
        dead = text_at(pod, "metadata", "deletionTimestamp") or text_at(pod, "status", "phase") == "Failed"
        other = stamp and text_at(pod, "metadata", "annotations", ANNOTATION_REVISION) != stamp
        if not dead and not other and replica_set.rpartition("-")[0] == name_of(child):
            by_set.setdefault(replica_set, []).append(pod)
    # ReplicaSet "iris-6d4b" is progressing.
    _, _, told = text_at(condition(child, "Progressing"), "message").partition('"')
    named = told.partition('"')[0]
    if named in by_set or (named and not stamp):
        return by_set.get(named, [])
    return max(by_set.values(), key=lambda group: max(_created(pod) for pod in group), default=[])


def _problems_of(pod: Object, key: str, policy: FailurePolicy) -> Iterator[PodProblem]:
    scheduled = condition(pod, "PodScheduled")
    if scheduled.get("status") == "False" and scheduled.get("reason") == "Unschedulable":
        why = text_at(scheduled, "message") or "no node fits"
        yield PodProblem(
            reason="Unschedulable",
            message=f"pod {name_of(pod)} cannot be scheduled: {why}",
            key=f"{key}:unschedulable",
            grace=policy.unschedulable_grace,
        )
    for container in items_at(pod, "status", "initContainerStatuses"):
        yield from _container_problems(pod, container, key, policy, initial=True)
    for container in items_at(pod, "status", "containerStatuses"):
        yield from _container_problems(pod, container, key, policy, initial=False)


def _container_problems(
    pod: Object, container: Object, key: str, policy: FailurePolicy, *, initial: bool
) -> Iterator[PodProblem]:
    name = text_at(container, "name")
    where = f"{'init container' if initial else 'container'} {name} of pod {name_of(pod)}"
    waiting = mapping_at(container, "state", "waiting")
    reason, message = text_at(waiting, "reason"), text_at(waiting, "message")
    grace = policy.waiting_grace(reason, message)
    if grace is not None:
        said = f"{where} cannot start: {reason}" + (f": {message}" if message else "")
        yield PodProblem(reason=reason, message=said, key=f"{key}:{name}:waiting", grace=grace)
    ended = _last_end(container, initial=initial)
    if not ended or container.get("ready") is True or (initial and _ended_well(container)):
        return
    failures = count_at(container, "restartCount") + bool(mapping_at(container, "state", "terminated"))
    initializer = initial and name.endswith(INITIALIZER_SUFFIX)
    limit = policy.initializer_exit_count if initializer else policy.crash_loop_count
    running = "running" in mapping_at(container, "state")
    if failures < max(1, limit) or (running and not initializer):
        return
    code, why = number_at(ended, "exitCode"), text_at(ended, "reason")
    yield PodProblem(
        reason="ModelInitializerFailed" if initializer else "CrashLoopBackOff",
        message=f"{where} ended with exit code {code}{f' ({why})' if why else ''}, {_times(failures)}",
        key=f"{key}:{name}:ended",
        grace=0.0,
    )


def _last_end(container: Object, *, initial: bool) -> Object:
    """
    Return the latest failed run of a container; empty when there was none.

    A server must not end at all: MLServer exits with 0 when it cannot load its model.
    """
    for state in ("state", "lastState"):
        ended = mapping_at(container, state, "terminated")
        if ended and not (initial and number_at(ended, "exitCode") == 0):
            return ended
    return {}


def _ended_well(container: Object) -> bool:
    return number_at(container, "state", "terminated", "exitCode") == 0


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _created(pod: Object) -> str:
    return text_at(pod, "metadata", "creationTimestamp")
