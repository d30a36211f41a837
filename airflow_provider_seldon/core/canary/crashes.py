"""
Detect a crash of a candidate while it baked. Pure.

Neither its metrics nor its readiness show it: while a container restarts, requests fail at the ingress, where
the candidate does not count them, and at the end of the step it may be ready again.
"""

from __future__ import annotations

from collections.abc import Iterable

from airflow_provider_seldon.core.canary.predictors import CANDIDATE
from airflow_provider_seldon.core.children.expected import expected_children
from airflow_provider_seldon.core.resource.unstructured import (
    Object,
    controller,
    count_at,
    items_at,
    mapping_at,
    name_of,
    number_at,
    seconds_at,
    text_at,
)


def crashed_since(deployment: Object, pods: Iterable[Object], since: float) -> str:
    """
    Return which container of the candidate has terminated since ``since``, as a sentence; empty when none
    has.

    A container that terminated during its start does not count: a step bakes only after the candidate is
    ready. A server must not terminate at all, whatever its exit code.

    :param deployment: the SeldonDeployment.
    :param pods: any pods of the namespace.
    :param since: epoch seconds. Nodes have their own clocks; a start takes longer than they differ.
    """
    names = {
        name
        for child in expected_children(deployment)
        if text_at(child.predictor or {}, "name") == CANDIDATE
        for name in child.names
    }
    for pod in pods:
        if text_at(controller(pod), "name").rpartition("-")[0] not in names:
            continue
        # Pods that a node or a rollout removes terminate, too.
        if text_at(pod, "metadata", "deletionTimestamp"):
            continue
        for container in items_at(pod, "status", "containerStatuses"):
            if said := _ended_since(container, since):
                return f"container {text_at(container, 'name')} of pod {name_of(pod)} {said}"
    return ""


def _ended_since(container: Object, since: float) -> str:
    for state in ("state", "lastState"):
        ended = mapping_at(container, state, "terminated")
        at = seconds_at(ended, "finishedAt")
        # Kubernetes' times are whole seconds.
        if at is None or at < int(since):
            continue
        why = text_at(ended, "reason")
        count = count_at(container, "restartCount")
        again = f", restarted {count} times in all" if count > 1 else ""
        return (
            f"ended with exit code {number_at(ended, 'exitCode')}{f' ({why})' if why else ''} while the "
            f"step baked{again}"
        )
    return ""
