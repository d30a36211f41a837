"""
Continuous deployment: decide what to do with a request, given the existing deployments.

Pure: takes requests and deployments, returns a plan. A plan never removes a running version before its
successor is ready; superseded deployments are only named here, and deleted after the wait. The decision table
is in the documentation, "Continuous deployment".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from airflow_provider_seldon.core.identity.annotations import (
    ANNOTATION_ACTION,
    ANNOTATION_BEFORE_RUN,
    ANNOTATION_METRICS,
    ANNOTATION_ORDER,
    ANNOTATION_REVISION,
    ANNOTATION_RUN_ID,
)
from airflow_provider_seldon.core.identity.identity import Identity, is_managed
from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.lifetime.expiry import carried_expiry
from airflow_provider_seldon.core.readiness.failure_policy import DEFAULT_POLICY, FailureKind
from airflow_provider_seldon.core.resource.seldon_deployment import DeploymentState, SeldonDeployment
from airflow_provider_seldon.core.resource.unstructured import text_at
from airflow_provider_seldon.core.rollout.drift import drift, with_implied
from airflow_provider_seldon.core.rollout.history import ProvenVersion
from airflow_provider_seldon.core.rollout.rebuilding import rebuilt
from airflow_provider_seldon.core.scaling.continuation import (
    awakened,
    continued,
    says_the_same_numbers,
    with_all_numbers,
)
from airflow_provider_seldon.core.scaling.sleeping import is_scaled_to_zero, wakes

#: Effect of a negative decision if a deployment exists, and if none does.
OnNegative = Literal["ensure_running", "keep", "skip", "fail"]
#: Whether to adopt a deployment of another owner: no, only if it can be restored, or even if it cannot.
Adopt = bool | Literal["irreversibly"]
OnNegativeEmpty = Literal["deploy", "skip", "fail"]


class Action(StrEnum):
    """What a task does to a deployment."""

    CREATE = "created"
    UPDATE = "updated"
    UNCHANGED = "unchanged"
    REUSE = "reused"
    RESTART = "restarted"
    KEEP = "kept"
    SKIP = "skipped"
    REFUSE = "refused"
    ROLL_BACK = "rolled_back"
    SCALE = "scaled"

    @property
    def writes(self) -> bool:
        """Whether a new spec goes to the cluster."""
        return self in {Action.CREATE, Action.UPDATE, Action.RESTART, Action.ROLL_BACK, Action.SCALE}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """
    Result of a decision.

    :param action: see ``Action``.
    :param deployment: the deployment to apply; for UNCHANGED and REUSE the existing one.
    :param superseded: names of deployments to delete once ``deployment`` is proven; not before.
    :param reason: a sentence for the log.
    :param resource_version: apply only if the stored object is still at this version; None for a new one.
    :param as_stored: ``deployment`` is the stored one except for its number of pods, so applying it reverts
        no change of other field managers.
    :param puts_back: ``deployment`` was written before, unchanged, and another client has changed it since.
    """

    action: Action
    deployment: SeldonDeployment
    superseded: tuple[str, ...] = ()
    reason: str = ""
    resource_version: str | None = None
    as_stored: bool = False
    puts_back: bool = False


def plan(
    request: SeldonDeployment,
    existing: Sequence[SeldonDeployment],
    *,
    deploy: bool = True,
    replace: bool = True,
    adopt: bool = False,
    on_negative: OnNegative = "ensure_running",
    on_negative_empty: OnNegativeEmpty = "deploy",
) -> Plan:
    """
    Decide what a deploy does.

    :param request: the requested deployment.
    :param existing: the deployments that are equivalent to it, in any order, and the one with its name. Those
        that this provider did not create are left unchanged, whatever they are.
    :param deploy: the decision.
    :param replace: replace the equivalents rather than add another one.
    :param adopt: take over a deployment that this provider did not create, if it has the request's own name.
    :param on_negative: when the decision is negative, and a deployment exists: ensure that it runs, leave it
        as it is, or do nothing and report that (SKIP, REFUSE).
    :param on_negative_empty: when the decision is negative, and none exists: deploy anyway, because a model
        server must be available at all times, or do nothing and report that.
    :raises InvalidRequestError: another owner's deployment has the name, and ``adopt`` is false.
    """
    bearer = next((one for one in existing if one.name == request.name), None)
    if bearer is not None and not is_managed(bearer) and not adopt:
        raise InvalidRequestError.of(
            "metadata.name",
            f"{request.name!r} is the name of a deployment that this provider did not create",
            "use another name, or adopt it explicitly",
        )
    ours = newest_first(one for one in existing if is_managed(one) or one is bearer)
    if not deploy and ours:
        return _turned_down(ours, on_negative)
    if not deploy and on_negative_empty != "deploy":
        action = Action.SKIP if on_negative_empty == "skip" else Action.REFUSE
        return Plan(
            action=action,
            deployment=request,
            reason="the decision is not to deploy; no version of this model is running",
        )
    if not replace:
        return _deploy_to(request, bearer, ours, replace=False, why=_why(deploy))
    target = bearer if bearer is not None and _names_itself(request) else None
    if target is None and ours and not _names_itself(request):
        target = ours[0]
    return _deploy_to(request, target, ours, replace=True, why=_why(deploy))


def reported_action(decided: Plan, before: SeldonDeployment | None, *, run_id: str, retry: bool) -> Action:
    """
    Return the action that a task reports: what its run did, in all of its tries.

    If an earlier try of the run created the deployment and was killed, the run has created it.

    :param before: the deployment as found.
    :param run_id: id of the task's run.
    :param retry: this is not the run's first try.
    """
    if before is None or decided.action not in {Action.UPDATE, Action.UNCHANGED} or not run_id:
        return decided.action
    recorded = before.annotations.get(ANNOTATION_ACTION)
    same_run = before.annotations.get(ANNOTATION_RUN_ID) == run_id
    if not same_run or recorded != Action.CREATE:
        return decided.action
    never_proven = ProvenVersion.last_of(before) is None
    return Action.CREATE if never_proven or (retry and decided.action is Action.UNCHANGED) else decided.action


def newest_first(deployments: Any) -> list[SeldonDeployment]:
    """Return deployments by creation time, the newest first; one without a time is the oldest; ties by name."""
    by_name = sorted(deployments, key=lambda one: one.name)
    return sorted(by_name, key=_created, reverse=True)


def is_proved(deployment: SeldonDeployment) -> bool:
    """Return whether exactly this version is proven, and the operator still reports it as Available."""
    seen = ProvenVersion.last_of(deployment)
    current = deployment.annotations.get(ANNOTATION_REVISION)
    return seen is not None and seen.revision == current and deployment.state is DeploymentState.AVAILABLE


def _deploy_to(
    request: SeldonDeployment,
    target: SeldonDeployment | None,
    ours: Sequence[SeldonDeployment],
    *,
    replace: bool,
    why: str,
) -> Plan:
    if target is None:
        superseded = tuple(one.name for one in ours) if replace else ()
        reason = f"{why}; {_count(superseded)} to be superseded" if superseded else why
        return Plan(action=Action.CREATE, deployment=request, superseded=superseded, reason=reason)
    superseded = tuple(one.name for one in ours if one.name != target.name) if replace else ()
    same = target.annotations.get(ANNOTATION_REVISION) == request.annotations.get(ANNOTATION_REVISION)
    wanted = continued(request, target)
    if same or not is_managed(target):
        wanted = with_implied(wanted, target)
    numbered = with_all_numbers(target, like=wanted)
    changed = drift(wanted, numbered) if same else ""
    if same and wakes(wanted, target):
        reason = f"{target.name} was scaled to zero by another client, and is scaled up again"
    elif changed:
        reason = f"{target.name} has this revision, but another client has changed {changed}; it is restored"
    elif same and not says_the_same_numbers(numbered, target):
        reason = (
            f"{target.name} has this revision, and gets the numbers of pods that an earlier release left open"
        )
    elif same and is_proved(target):
        reason = f"{target.name} has been seen serving exactly this revision, and has not been changed since"
        return Plan(action=Action.UNCHANGED, deployment=target, superseded=superseded, reason=reason)
    elif same:
        reason = f"{target.name} has this revision already, but it has not been seen serving"
    else:
        reason = f"{target.name} is updated in place, so that its URL stays"
    if superseded:
        reason += f"; {_count(superseded)} to be superseded"
    return Plan(
        action=Action.UPDATE,
        deployment=_named(wanted, target.name),
        superseded=superseded,
        reason=reason,
        resource_version=_resource_version(target),
        puts_back=bool(changed),
    )


def _turned_down(ours: Sequence[SeldonDeployment], on_negative: OnNegative) -> Plan:
    newest, *older = ours
    if on_negative == "ensure_running":
        return _keep_serving(newest, older)
    actions = {"keep": Action.KEEP, "skip": Action.SKIP, "fail": Action.REFUSE}
    return Plan(
        action=actions[on_negative],
        deployment=newest,
        reason=f"the decision is not to deploy; {newest.name} ({newest.state.value}) is left as it is",
    )


def _keep_serving(newest: SeldonDeployment, older: Sequence[SeldonDeployment]) -> Plan:
    """Return the plan of a negative decision: keep a model server available at all times."""
    sleeps = is_scaled_to_zero(newest)
    if _serves(newest):
        reason = f"the decision is not to deploy, and {newest.name} is ready"
        return Plan(action=Action.REUSE, deployment=newest, reason=reason)
    failed = _has_failed(newest)
    what = "is scaled to zero" if sleeps else "has failed" if failed else "does not serve yet"
    restored = _last_seen_serving(newest) if failed and not sleeps else None
    serving = next((one for one in older if _serves(one)), None)
    if failed and not sleeps and restored is None and serving is not None:
        reason = f"the decision is not to deploy; {newest.name} has failed, and {serving.name} is ready"
        return Plan(action=Action.REUSE, deployment=serving, reason=reason)
    how = "with the configuration that was last seen serving" if restored else "with its own configuration"
    return Plan(
        action=Action.RESTART,
        deployment=restored or awakened(newest),
        reason=f"the decision is not to deploy; {newest.name} {what}, so it is started again {how}",
        resource_version=_resource_version(newest),
        as_stored=restored is None,
    )


def _has_failed(deployment: SeldonDeployment) -> bool:
    """Return whether it has failed, other than by an error that the operator's next try repairs."""
    description = text_at(deployment.to_manifest(), "status", "description")
    passes = DEFAULT_POLICY.kind_of(description) is FailureKind.TRANSIENT
    return deployment.state is DeploymentState.FAILED and not passes


def _serves(deployment: SeldonDeployment) -> bool:
    return deployment.state is DeploymentState.AVAILABLE and not is_scaled_to_zero(deployment)


def _last_seen_serving(deployment: SeldonDeployment) -> SeldonDeployment | None:
    """Return the deployment in its last proven version; None if that is unknown, or the current one."""
    seen = ProvenVersion.last_of(deployment)
    if seen is None or seen.revision == deployment.annotations.get(ANNOTATION_REVISION):
        return None
    try:
        return continued(rebuilt(seen, deployment), deployment, insist=False)
    except InvalidRequestError:
        return None


def _names_itself(request: SeldonDeployment) -> bool:
    """Return whether the user chose the name, instead of the one made from DAG, task and model."""
    return request.name != Identity.of(request).deployment_name(replace=True)


def carried_annotations(deployment: SeldonDeployment) -> dict[str, str]:
    """Return the annotations that a re-apply of the same configuration keeps, such as metrics and expiry."""
    kept = (ANNOTATION_METRICS, ANNOTATION_ORDER, ANNOTATION_BEFORE_RUN)
    found = {key: deployment.annotations[key] for key in kept if key in deployment.annotations}
    return found | carried_expiry(deployment)


def _named(deployment: SeldonDeployment, name: str) -> SeldonDeployment:
    if deployment.name == name:
        return deployment
    manifest = deployment.to_manifest()
    return SeldonDeployment.from_manifest({**manifest, "metadata": {**manifest["metadata"], "name": name}})


def _created(deployment: SeldonDeployment) -> str:
    """Return the creation time: RFC 3339 times in UTC, as the API server writes them, sort as text."""
    created = deployment.metadata.creation_timestamp if deployment.metadata else None
    return created if isinstance(created, str) else ""


def _resource_version(deployment: SeldonDeployment) -> str | None:
    version = deployment.metadata.resource_version if deployment.metadata else None
    return version if isinstance(version, str) and version else None


def _why(deploy: bool) -> str:
    return (
        "a new deployment"
        if deploy
        else "the decision is not to deploy, but no version of this model is running yet"
    )


def _count(names: Sequence[str]) -> str:
    return f"{', '.join(names)} {'is' if len(names) == 1 else 'are'}"
