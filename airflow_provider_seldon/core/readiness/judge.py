"""
Is the deployment really ready? One pure verdict for all waits.

The operator's status has no generation: it keeps the previous ``Available`` after an update, returns to it in
the middle of a rollout, briefly shows ``Failed``, and stays ``Creating`` for ever when a bad update sits
behind healthy old pods. So the status is trusted only after every expected child Deployment exists, belongs
to this deployment, runs this revision and has finished rolling out (Seldon Core reference, what a client can
compare).

``judge`` has neither a clock nor a state: conditions that must last are passed in and returned as a
``History``. It reads nothing: the caller decides when to check again, for which ``Verdict`` has hints.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from airflow_provider_seldon.core.children.expected import expected_children
from airflow_provider_seldon.core.readiness.child_progress import ChildReport, report_children
from airflow_provider_seldon.core.readiness.expectation import (
    Expectation,
    overtaken,
    status_fingerprint,
    unless_stopped,
)
from airflow_provider_seldon.core.readiness.failure_policy import DEFAULT_POLICY, FailurePolicy
from airflow_provider_seldon.core.readiness.observation import Observation, Phase
from airflow_provider_seldon.core.readiness.operator_status import (
    routes_pending,
    state_failure,
    state_line,
    state_pending,
    weakness,
    without_leftovers,
)
from airflow_provider_seldon.core.readiness.pod_failure import pod_problems, running_pods
from airflow_provider_seldon.core.readiness.stabilization import History, Stabilization
from airflow_provider_seldon.core.readiness.status_only import NO_RIGHT, counts_line, judge_status_only
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
from airflow_provider_seldon.core.resource.unstructured import (
    Object,
    as_manifest,
    name_of,
)

__all__ = ["Observation", "Phase", "Verdict", "judge"]

#: Seconds after which terminating pods are checked again.
ENDING_INTERVAL = 1.0


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """
    The evaluation of one moment.

    :param phase: what to do.
    :param reason: one CamelCase word.
    :param message: a sentence for users.
    :param progress: one line for the task log: state, and updated/available/desired pods per child.
    :param child: name of the child Deployment, if it is about one.
    :param history: the state to pass to the next call.
    :param recheck_at: epoch seconds at which the verdict may change without news; None when it will not.
    :param wants_pods: a child looks unhealthy: reading its pods may show why. Of READY: reading them confirms
        it.
    :param weaker: of READY: the missing evidence; empty when nothing is missing.
    """

    phase: Phase
    reason: str
    message: str
    progress: str = ""
    child: str = ""
    history: History = field(default_factory=History)
    recheck_at: float | None = None
    wants_pods: bool = False
    weaker: str = ""

    @property
    def final(self) -> bool:
        """Whether the wait is over."""
        return self.phase is not Phase.PENDING


def judge(
    deployment: SeldonDeployment | Object | None,
    children: Sequence[Object] | None,
    pods: Sequence[Object] | None = None,
    *,
    expected: Expectation,
    now: float,
    history: History | None = None,
    policy: FailurePolicy = DEFAULT_POLICY,
) -> Verdict:
    """
    Evaluate a deployment as it is at one moment.

    :param deployment: the SeldonDeployment, as a model or as the API server sent it; None when it does not
        exist.
    :param children: Kubernetes Deployments of the namespace; those of other deployments are ignored. None
        without permission to read them: then the status must be good for some time, which is weaker evidence.
    :param pods: pods of the namespace, freshly read; None when they were not read. They can only turn a
        verdict into FAILED, or confirm READY without pods.
    :param expected: the write to wait for.
    :param now: epoch seconds.
    :param history: ``Verdict.history`` of the previous call; None for the first one.
    :param policy: what fails a rollout.
    """
    stabilization = Stabilization(history or History(), now)
    manifest = None if deployment is None else as_manifest(deployment)
    gone = overtaken(manifest, expected)
    if gone is not None or manifest is None:
        observation = gone or Observation(
            phase=Phase.DELETED, reason="NotFound", message="the deployment is gone"
        )
        return _verdict(observation, stabilization, progress=f"{observation.reason}: {observation.message}")
    stabilization.moved |= expected.status is not None and status_fingerprint(manifest) != expected.status
    stabilization.acknowledged |= stabilization.moved or (
        expected.mark is not None and expected.mark.is_followed(manifest)
    )
    wanted = expected_children(manifest)
    if children is None:
        observation = judge_status_only(manifest, wanted, expected, stabilization, policy)
        progress = f"{state_line(manifest)}; {counts_line(manifest)}"
        if not observation.weaker:  # a weaker verdict reports that itself
            progress += f" (weaker: {NO_RIGHT})"
        suspects = observation.phase is Phase.PENDING
        observation = unless_stopped(observation, manifest, expected)
    else:
        reports = report_children(
            manifest, wanted, children, stabilization, withdrawn=frozenset(expected.withdrawn)
        )
        observation = _judge_children(manifest, reports, pods, expected, stabilization, policy)
        observation = without_leftovers(
            observation,
            manifest,
            wanted,
            children,
            asleep=any(report.asleep for report in reports),
            stabilization=stabilization,
            policy=policy,
        )
        observation = unless_stopped(observation, manifest, expected)
        progress = "; ".join([state_line(manifest), *(report.line for report in reports)])
        suspects = any(report.unavailable for report in reports)
        if not all(report.observed for report in reports):
            stabilization.keep("suspect")
    wants_pods = suspects and stabilization.lasted("suspect", policy.suspect_after)
    return _verdict(observation, stabilization, progress=progress, wants_pods=wants_pods)


def _judge_children(
    manifest: Object,
    reports: Sequence[ChildReport],
    pods: Sequence[Object] | None,
    expected: Expectation,
    stabilization: Stabilization,
    policy: FailurePolicy,
) -> Observation:
    failed = _child_failure(reports, stabilization, policy) or _pod_failure(
        reports, pods, stabilization, policy
    )
    failed = failed or state_failure(manifest, expected, stabilization, policy)
    if failed is not None:
        return failed
    if not reports:
        message = "the spec describes no Deployment; the operator is expected to report Failed"
        return Observation(phase=Phase.PENDING, reason="NoChildren", message=message)
    unready = next((report for report in reports if not report.ready), None)
    if unready is not None:
        if all(report.ready or not report.observed for report in reports):
            stabilization.keep("settle")
        return Observation(
            phase=Phase.PENDING, reason=unready.reason, message=unready.message, child=unready.name
        )
    asleep = any(report.asleep for report in reports)
    unproved = state_pending(manifest, asleep=asleep) or routes_pending(
        manifest, expected, stabilization, asleep=asleep
    )
    if unproved is not None:
        return unproved
    if expected.settle and not stabilization.lasted("settle", policy.settle):
        message = "everything is ready; waiting until a change that no Deployment shows reaches the ingress"
        return Observation(phase=Phase.PENDING, reason="Settling", message=message)
    weaker = weakness(expected, stabilization)
    if all(report.asleep for report in reports):
        return _asleep(reports, pods, stabilization, weaker)
    message = f"every Deployment runs this revision and is available: {', '.join(r.name for r in reports)}"
    return Observation(phase=Phase.READY, reason="Serving", message=message, weaker=weaker)


def _asleep(
    reports: Sequence[ChildReport], pods: Sequence[Object] | None, stabilization: Stabilization, weaker: str
) -> Observation:
    """A Deployment does not count terminating pods, which still finish requests and may get new ones."""
    if pods is None:
        message = "scaled to zero, as requested: no Deployment counts a pod any more"
        unseen = "terminating pods were not checked"
        return Observation(
            phase=Phase.READY,
            reason="ScaledToZero",
            message=message,
            weaker=weaker or unseen,
            wants_pods=True,
        )
    for report in reports:
        if ending := running_pods(report.child, pods):
            stabilization.due_in(ENDING_INTERVAL)
            message = f"pod {name_of(ending[0])} has not ended yet"
            return Observation(phase=Phase.PENDING, reason="PodsEnding", message=message, child=report.name)
    message = "scaled to zero, as requested: no pod is left"
    return Observation(phase=Phase.READY, reason="ScaledToZero", message=message, weaker=weaker)


def _child_failure(
    reports: Sequence[ChildReport], stabilization: Stabilization, policy: FailurePolicy
) -> Observation | None:
    for report in reports:
        if not report.observed:
            stabilization.keep(f"replicas:{report.name}")
            stabilization.keep(f"stuck:{report.name}")
        if report.stuck and (
            report.progressed or stabilization.lasted(f"stuck:{report.name}", policy.deadline_grace)
        ):
            return Observation(
                phase=Phase.FAILED, reason="ProgressDeadlineExceeded", message=report.stuck, child=report.name
            )
        if report.replica_failure and stabilization.lasted(
            f"replicas:{report.name}", policy.replica_failure_grace
        ):
            return Observation(
                phase=Phase.FAILED, reason="ReplicaFailure", message=report.replica_failure, child=report.name
            )
    return None


def _pod_failure(
    reports: Sequence[ChildReport],
    pods: Sequence[Object] | None,
    stabilization: Stabilization,
    policy: FailurePolicy,
) -> Observation | None:
    if pods is None:
        stabilization.keep("pod:")
        return None
    found: Observation | None = None
    for report in reports:
        if not report.observed:
            stabilization.keep(f"pod:{report.name}:")
        if report.ready or not report.current:
            continue
        for problem in pod_problems(report.child, pods, policy):
            if stabilization.lasted(problem.key, problem.grace) and found is None:
                found = Observation(
                    phase=Phase.FAILED, reason=problem.reason, message=problem.message, child=report.name
                )
    return found


def _verdict(
    observation: Observation, stabilization: Stabilization, *, progress: str, wants_pods: bool = False
) -> Verdict:
    pending = observation.phase is Phase.PENDING
    return Verdict(
        phase=observation.phase,
        reason=observation.reason,
        message=observation.message,
        child=observation.child,
        weaker=observation.weaker,
        progress=f"{progress} (weaker: {observation.weaker})" if observation.weaker else progress,
        history=stabilization.history(),
        recheck_at=stabilization.next_due if pending else None,
        wants_pods=observation.wants_pods or (wants_pods and pending),
    )
