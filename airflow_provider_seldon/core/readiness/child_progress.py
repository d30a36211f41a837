"""
Progress of each expected child Deployment: does it exist, is it ours, is it this revision, has it rolled out.

The order of the questions matters: the counts in a Deployment's status mean nothing before its controller has
observed the current spec, and the generation means nothing before the operator has written this revision to
it. A generation alone proves nothing: if the spec leaves the number of pods open, the operator updates a
Deployment several times a second, for ever, with the same template and the same number. So a status counts
from the generation at which this template and this number were first seen.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from airflow_provider_seldon.core.children.expected import ExpectedChild
from airflow_provider_seldon.core.children.ports import PortPlan
from airflow_provider_seldon.core.children.revision import difference
from airflow_provider_seldon.core.readiness.stabilization import Stabilization
from airflow_provider_seldon.core.resource.unstructured import (
    Object,
    condition,
    controller,
    count_at,
    mapping_at,
    name_of,
    number_at,
    text_at,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ChildReport:
    """
    The state of one child.

    :param name: its name, or the one it will have.
    :param reason: one CamelCase word.
    :param message: a sentence.
    :param line: its part of the progress line.
    :param child: the Deployment; empty when missing.
    :param current: it is ours, runs this revision, and its controller has observed that: its status can be
        trusted.
    :param ready: current, and completely rolled out.
    :param asleep: ready with no pods, as requested.
    :param unavailable: pods are missing or not ready, including those of the new revision besides healthy old
        ones.
    :param observed: False when only its controller has not observed it yet: earlier knowledge of it is kept.
    :param stuck: why it will not progress: its progress deadline was exceeded. Empty otherwise.
    :param progressed: it was seen before its deadline was exceeded: ``stuck`` is about these pods, not about
        earlier ones.
    :param replica_failure: why it cannot create pods. Empty otherwise.
    """

    name: str
    reason: str
    message: str
    line: str
    child: Object
    current: bool = False
    ready: bool = False
    asleep: bool = False
    unavailable: bool = False
    observed: bool = True
    stuck: str = ""
    progressed: bool = False
    replica_failure: str = ""


def report_children(
    deployment: Object,
    wanted: Sequence[ExpectedChild],
    children: Sequence[Object],
    stabilization: Stabilization,
    *,
    withdrawn: frozenset[str] = frozenset(),
) -> list[ChildReport]:
    """
    Return a report for each wanted child, in their order.

    :param withdrawn: annotations that were removed from the spec.
    """
    by_name = {name_of(child): child for child in children}
    ports = PortPlan(deployment, wanted, by_name)

    def outdated(child: Object, expected: ExpectedChild) -> str:
        return difference(child, expected, deployment, ports=ports, withdrawn=withdrawn)

    return [_report(deployment, one, by_name, stabilization, outdated) for one in wanted]


def _report(
    deployment: Object,
    expected: ExpectedChild,
    by_name: dict[str, Object],
    stabilization: Stabilization,
    outdated: Callable[[Object, ExpectedChild], str],
) -> ChildReport:
    name = next((name for name in expected.names if name in by_name), expected.name)
    child = by_name.get(name)
    if child is None:
        return ChildReport(
            name=name,
            reason="ChildMissing",
            message=f"Deployment {name} does not exist yet",
            line=f"{name} missing",
            child={},
        )
    counts = _Counts.of(child, expected)
    progress = f"progress:{name}:{_template_of(deployment, child)}"
    for reason, message in (
        _not_ours(deployment, child),
        _not_this_revision(expected, child, outdated(child, expected)),
        _not_observed(deployment, child, stabilization),
    ):
        if message:
            if reason == "ChildNotObserved":
                stabilization.keep(progress)
            return ChildReport(
                name=name,
                reason=reason,
                message=f"Deployment {name}: {message}",
                line=counts.line,
                child=child,
                observed=reason != "ChildNotObserved",
            )
    reason, message = counts.pending(expected)
    progressing, failure = condition(child, "Progressing"), condition(child, "ReplicaFailure")
    exceeded = (
        progressing.get("status") == "False" and progressing.get("reason") == "ProgressDeadlineExceeded"
    )
    return ChildReport(
        name=name,
        reason=reason or "ChildReady",
        message=f"Deployment {name}: {message or 'rolled out'}",
        line=counts.line,
        child=child,
        current=True,
        ready=not message,
        asleep=not message and counts.goal == 0,
        unavailable=counts.lacks_pods,
        stuck=_sentence(name, progressing, "made no progress within its deadline")
        if message and exceeded
        else "",
        progressed=bool(message) and stabilization.once(progress, holds=not exceeded),
        replica_failure=_sentence(name, failure, "cannot create pods")
        if message and failure.get("status") == "True"
        else "",
    )


def _not_ours(deployment: Object, child: Object) -> tuple[str, str]:
    if text_at(child, "metadata", "deletionTimestamp"):
        return "ChildBeingDeleted", "is being deleted"
    uid, owner = text_at(deployment, "metadata", "uid"), text_at(controller(child), "uid")
    if uid and owner != uid:
        whose = f"uid {owner}" if owner else "no owner"
        return (
            "ChildOfAnotherOwner",
            f"belongs to {whose}, not to this deployment; it will be garbage-collected or re-created",
        )
    return "", ""


def _not_this_revision(expected: ExpectedChild, child: Object, text: str) -> tuple[str, str]:
    if text:
        return "ChildOutdated", f"the operator has not updated it: {text}"
    found = _wanted_pods(child)
    if expected.replicas is not None and found != expected.replicas:
        return "ReplicasNotApplied", f"requests {found} pods instead of {expected.replicas}"
    return "", ""


def _not_observed(deployment: Object, child: Object, stabilization: Stabilization) -> tuple[str, str]:
    """Return a reason if its status is older than its current spec."""
    generation = count_at(child, "metadata", "generation")
    needed = stabilization.first_generation(name_of(child), _template_of(deployment, child), generation)
    observed = count_at(child, "status", "observedGeneration")
    if observed < needed:
        return "ChildNotObserved", f"its status is of generation {observed}, not {needed}"
    return "", ""


def _template_of(deployment: Object, child: Object) -> str:
    """
    Return a fingerprint of a child's pod template and its desired number of pods.

    It includes the generation of the SeldonDeployment: between two checks a child may have had another
    template and this one again, which takes two writes.
    """
    parts = [
        count_at(deployment, "metadata", "generation"),
        text_at(child, "metadata", "uid"),
        _wanted_pods(child),
        mapping_at(child, "spec", "template"),
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:12]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Counts:
    goal: int
    replicas: int
    updated: int
    available: int
    unavailable: int
    paused: bool
    line: str

    @classmethod
    def of(cls, child: Object, expected: ExpectedChild) -> _Counts:
        status = mapping_at(child, "status")
        goal = _wanted_pods(child)
        updated, available = count_at(status, "updatedReplicas"), count_at(status, "availableReplicas")
        scaler = " (autoscaled)" if expected.autoscaled else ""
        return cls(
            goal=goal,
            replicas=count_at(status, "replicas"),
            updated=updated,
            available=available,
            unavailable=count_at(status, "unavailableReplicas"),
            paused=mapping_at(child, "spec").get("paused") is True,
            line=f"{name_of(child)} {updated} updated, {available} available of {goal}{scaler}",
        )

    @property
    def lacks_pods(self) -> bool:
        """
        Whether a pod is missing or not available.

        During a bad update the old pods alone make ``available`` equal to the desired number; the new pod
        shows only in the difference between all pods and the available ones.
        """
        return (
            self.available < max(self.goal, self.replicas)
            or self.updated < self.goal
            or bool(self.unavailable)
        )

    def pending(self, expected: ExpectedChild) -> tuple[str, str]:
        """Return reason and message of what is missing; empty when it has rolled out."""
        if self.goal == 0:
            if not (expected.scaled_to_zero or expected.may_sleep):
                return (
                    "ScaledToZeroByAnother",
                    "has been scaled to zero pods, which the spec does not request",
                )
            return ("ScalingDown", f"{self.replicas} pods are still there") if self.replicas else ("", "")
        if self.paused and self.updated != self.replicas:
            return "Paused", "its rollout is paused"
        if self.updated != self.replicas or not self.updated:
            return "RollingOut", f"{self.updated} of {self.replicas} pods run the new revision"
        if self.available != self.replicas or self.unavailable:
            return "PodsUnavailable", f"{self.available} of {self.replicas} pods are available"
        if not expected.autoscaled and self.replicas != self.goal:
            return "Scaling", f"{self.replicas} of {self.goal} pods exist"
        return "", ""


def _wanted_pods(child: Object) -> int:
    """Return ``spec.replicas``, which the API server defaults to 1."""
    found = number_at(child, "spec", "replicas")
    return 1 if found is None else found


def _sentence(name: str, found: Object, what: str) -> str:
    told = text_at(found, "message")
    return f"Deployment {name} {what}" + (f": {told}" if told else "")
