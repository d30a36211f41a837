"""
Has a candidate crashed while it baked? Pure.

Neither its metrics nor its readiness tell: while a container is started again, requests fail at the ingress, which the
candidate counts nowhere, and at the end of the step it may be ready again.
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
    Return which container of the candidate has ended since a moment, as a sentence; empty when none has.

    One that ended while it came up counts for nothing: readiness is waited for before a step bakes. A server is not to
    end at all, whatever its exit code.

    :param deployment: the SeldonDeployment.
    :param pods: any pods of the namespace.
    :param since: epoch seconds. Nodes have clocks of their own; coming up takes longer than they differ.
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
        # What a node takes away, or a rollout, ends too.
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
            f"ended with exit code {number_at(ended, 'exitCode')}{f' ({why})' if why else ''} while the step baked"
            f"{again}"
        )
    return ""
