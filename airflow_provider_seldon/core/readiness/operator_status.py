"""
The operator's own report: ``state``, ``description`` and conditions, and how far they can be trusted.

Nothing here makes a deployment ready: ``readiness`` checks the operator's report last, after the children.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from airflow_provider_seldon.core.children.expected import ExpectedChild
from airflow_provider_seldon.core.children.removed import Leftover, leftovers, missing_service, services_left
from airflow_provider_seldon.core.readiness.acknowledgement import writes_routes
from airflow_provider_seldon.core.readiness.expectation import Expectation
from airflow_provider_seldon.core.readiness.failure_policy import FailureKind, FailurePolicy
from airflow_provider_seldon.core.readiness.observation import Observation, Phase
from airflow_provider_seldon.core.readiness.stabilization import Stabilization
from airflow_provider_seldon.core.resource.status import DeploymentState
from airflow_provider_seldon.core.resource.unstructured import Object, condition, items_at, text_at

#: How a wait reports a change that is not visible anywhere.
UNACKNOWLEDGED = "this change is not visible in any object, and the operator has not written the status since"


def state_of(manifest: Object) -> DeploymentState:
    """Return ``status.state`` of a plain manifest."""
    return DeploymentState.of(text_at(manifest, "status", "state"))


def state_line(manifest: Object) -> str:
    """Return the state as part of a progress line."""
    state = state_of(manifest)
    return f"state {'none yet' if state is DeploymentState.UNKNOWN else state.value}"


def state_failure(
    manifest: Object, expected: Expectation, stabilization: Stabilization, policy: FailurePolicy
) -> Observation | None:
    """``Failed`` ends a wait when it is permanent, or when it lasts; transient kinds only time out."""
    if state_of(manifest) is not DeploymentState.FAILED:
        return None
    description = text_at(manifest, "status", "description")
    kind = policy.kind_of(description)
    if kind is FailureKind.TRANSIENT:
        return None
    fresh = stabilization.moved
    grace = 0.0 if kind is FailureKind.PERMANENT and fresh else policy.failed_grace
    if not stabilization.lasted(f"failed:{_without_numbers(description)}", grace):
        return None
    since = "" if fresh or expected.status is None else " (unchanged since before this write)"
    message = f"the operator reports Failed{since}: {description or 'without a description'}"
    return Observation(phase=Phase.FAILED, reason="OperatorReportsFailed", message=message)


def state_pending(manifest: Object, *, asleep: bool) -> Observation | None:
    """
    Return an observation while the operator's own report is still missing, once the children are ready.

    A deployment with a child at zero pods never leaves ``Creating`` (SeldonIO/seldon-core #4889), and its
    ``Ready`` condition never becomes True. If it looks in vain for a Service that it has removed, it stays
    ``Failed``: see :func:`without_leftovers`.
    """
    state = state_of(manifest)
    if asleep and state is DeploymentState.CREATING:
        return None
    if state is not DeploymentState.AVAILABLE and not missing_service(manifest):
        description = text_at(manifest, "status", "description")
        message = f"the operator's state is {state.value}" + (f": {description}" if description else "")
        return Observation(phase=Phase.PENDING, reason=f"State{state.value}", message=message)
    ready = condition(manifest, "Ready")
    if items_at(manifest, "status", "conditions") and ready.get("status") != "True" and not asleep:
        parts = [
            text_at(one, "type")
            for one in items_at(manifest, "status", "conditions")
            if one.get("status") != "True" and one.get("type") != "Ready"
        ]
        message = f"condition Ready is not True; waiting for {', '.join(sorted(parts)) or 'the operator'}"
        return Observation(phase=Phase.PENDING, reason="NotReady", message=message)
    return None


def routes_pending(
    manifest: Object, expected: Expectation, stabilization: Stabilization, *, asleep: bool
) -> Observation | None:
    """
    Return an observation while new traffic weights may not have been written to the ingress.

    They are visible only there, so the operator must first write the status. It does so only if there is an
    ingress to write to, and not before every child has pods. If the status at the time of the write is
    unknown, the operator may have written it already.
    """
    known = expected.status is not None or expected.mark is not None
    if (
        not expected.routes
        or not known
        or stabilization.acknowledged
        or asleep
        or not writes_routes(manifest)
    ):
        return None
    message = "the operator has not written the status since the traffic split changed"
    return Observation(phase=Phase.PENDING, reason="NotAcknowledged", message=message)


def weakness(expected: Expectation, stabilization: Stabilization) -> str:
    """Return the missing evidence of a change that no child shows; empty once the operator acknowledged it."""
    if not (expected.settle or expected.routes) or stabilization.acknowledged:
        return ""
    return UNACKNOWLEDGED


def without_leftovers(
    observation: Observation,
    deployment: Object,
    wanted: Sequence[ExpectedChild],
    children: Sequence[Object] | None,
    *,
    asleep: bool,
    stabilization: Stabilization,
    policy: FailurePolicy,
) -> Observation:
    """
    Return an observation or, instead of a ready one, that a removed child still exists, see
    ``children.removed``.

    The wait includes a child that the operator will remove, and one that is being deleted while it has pods
    that may get requests. A child that is never removed is only reported: no wait may depend on it.

    :param asleep: a predictor is scaled to zero; until it scales up, the operator removes nothing.
    """
    if observation.phase is not Phase.READY:
        return observation
    for one in leftovers(deployment, wanted, children):
        if one.going and not one.available:
            continue
        told = f"Deployment {one.name} is still there although the spec no longer has it"
        if _is_waited_for(one, asleep=asleep, stabilization=stabilization, policy=policy):
            return Observation(phase=Phase.PENDING, reason="ChildNotRemoved", message=told, child=one.name)
        observation = _weakened(observation, told)
    missing = missing_service(deployment)
    if missing:
        told = f"the operator's state is Failed, because it looks for Service {missing}, which it has removed"
        if not stabilization.lasted(f"missing:{missing}", policy.settle):
            return Observation(phase=Phase.PENDING, reason="StateFailed", message=told)
        observation = _weakened(observation, told)
    for service in () if asleep else services_left(deployment):
        if service == missing:
            continue
        # Its Deployment's pods may be slow to terminate.
        if not stabilization.lasted(f"service:{service}", policy.leftover_grace):
            told = f"the operator has not yet removed Service {service}, which the spec no longer has"
            return Observation(phase=Phase.PENDING, reason="ServiceNotRemoved", message=told)
    return observation


def _weakened(observation: Observation, told: str) -> Observation:
    return replace(observation, weaker="; ".join(filter(None, (observation.weaker, told))))


def _is_waited_for(
    one: Leftover, *, asleep: bool, stabilization: Stabilization, policy: FailurePolicy
) -> bool:
    if one.going:
        return not stabilization.lasted(f"leftover:{one.name}", policy.leftover_grace)
    return one.listed and not asleep


def _without_numbers(text: str) -> str:
    """Return a text without its numbers: an error with another time, port or resource version is the same."""
    return "".join("0" if char.isdigit() else char for char in text)
