"""
Abort a canary: remove the candidate's predictor, in one write.

A weight of 0 is not enough: the operator rewrites no routes while a Deployment is not ready, and a crashing
candidate never is (measured, Seldon's operator 1.18.2). Removing it makes the rest ready, so the routes
follow at once.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_seldon.core.canary.lease import Lease
from airflow_provider_seldon.core.canary.predictors import CANDIDATE, without_candidate
from airflow_provider_seldon.core.children.expected import child_ids, expected_children
from airflow_provider_seldon.core.children.removed import leftovers
from airflow_provider_seldon.core.identity.annotations import ANNOTATION_WRITE
from airflow_provider_seldon.core.readiness.expectation import Expectation
from airflow_provider_seldon.core.readiness.outcome import Ending, Outcome
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
from airflow_provider_seldon.core.resource.unstructured import mapping_at, text_at
from airflow_provider_seldon.core.rollout.drift import drift
from airflow_provider_seldon.core.rollout.write_mark import Written
from airflow_provider_seldon.core.scaling.continuation import continued
from airflow_provider_seldon.delivery.canary.under_way import baseline_of, has_canary, is_of
from airflow_provider_seldon.delivery.conflicts import CONFLICT_ATTEMPTS
from airflow_provider_seldon.delivery.inventory.search import is_being_deleted
from airflow_provider_seldon.delivery.rollout.completion import Completion
from airflow_provider_seldon.delivery.rollout.handoff import Rollout, new_mark
from airflow_provider_seldon.delivery.rollout.replicas import apply_over_scaling
from airflow_provider_seldon.delivery.storage.storage_secret_use import former_secrets
from airflow_provider_seldon.delivery.waiting.wait import Waiter
from airflow_provider_seldon.exceptions import ConflictError, DeploymentNotFoundError, ForbiddenError

if TYPE_CHECKING:
    from airflow_provider_seldon.delivery.target import Target

log = logging.getLogger(__name__)

#: Seconds between two reads of the Deployments of a removed candidate.
CHILDREN_INTERVAL = 0.5
#: Seconds for which an abort waits until the operator has seen the candidate, and between two reads.
LISTED_WITHIN, LISTED_INTERVAL = 3.0, 0.1
#: Action that a task reports after it has aborted a canary.
ABORTED = "canary_aborted"


def abort(
    target: Target,
    name: str,
    *,
    run: str | None = None,
    dag_id: str | None = None,
    candidate: str | None = None,
    expired_at: float | None = None,
) -> Rollout | None:
    """
    Remove the candidate of the canary that is in progress on a deployment.

    :param run: abort only a canary of this DAG run, also if its lease or the deployment's labels were edited;
        None for any.
    :param dag_id: with ``run``, only one of this DAG; None for any.
    :param candidate: with ``run``, only one with a candidate of this revision; None for any.
    :param expired_at: abort only if its lease has expired at this time, in epoch seconds; None for any.
    :returns: the rollout to wait for; None if there is no such canary, which is success.
    """
    is_meant = (
        functools.partial(is_of, run=run, dag_id=dag_id, candidate=candidate)
        if run is not None
        else functools.partial(_is_abandoned, at=expired_at)
    )
    until = time.monotonic() + LISTED_WITHIN
    owned = False
    for _ in range(CONFLICT_ATTEMPTS):
        try:
            current = _listed(target, name, until)
            if is_being_deleted(current) or not is_meant(current):
                return None
            marked = baseline_of(current, annotations={ANNOTATION_WRITE: new_mark()})
            wanted = continued(marked, current, insist=False)
            stored = apply_over_scaling(
                target.client,
                wanted,
                before=current,
                resource_version=current.resource_version,
                force=owned and _only_shared(current, wanted),
            )
        except DeploymentNotFoundError:
            return None
        except ConflictError as error:
            if error.managers:
                # A client that moved traffic by hand owns the predictors from then on; that must not block
                # the removal.
                if owned or not _only_shared(current, wanted):
                    raise
                owned = True
            log.info("%s changed meanwhile; reading it again", name)
            conflict = error
            continue
        log.info("Aborted the canary on %s/%s: its predictor is removed", target.namespace, name)
        return Rollout(
            name=stored.name,
            action=ABORTED,
            reason="the canary is aborted",
            info=target.info(stored, action=ABORTED),
            expected=Expectation.of(stored, before=current),
            former_secrets=former_secrets(current, stored),
            written=Written.of(wanted, stored),
            served_before=True,
        )
    raise conflict


def left_behind(target: Target, name: str) -> Rollout | None:
    """
    Return the wait for a candidate that an earlier, killed try has removed from the spec.

    :returns: None if no object of a candidate exists, or none can be read; or if a canary is in progress.
    """
    try:
        current = target.client.get(name)
    except DeploymentNotFoundError:
        return None
    if has_canary(current) or is_being_deleted(current) or not _left_over(target, current):
        return None
    log.info(
        "%s/%s: the candidate is already removed from the spec; waiting until its objects are gone",
        target.namespace,
        name,
    )
    return Rollout(
        name=name,
        action=ABORTED,
        reason="the canary is aborted",
        info=target.info(current, action=ABORTED),
        expected=Expectation.of_found(current),
        served_before=True,
    )


def wait_out(
    target: Target, back: Rollout, *, deadline: float, failure_policy: Mapping[str, Any] | None = None
) -> Outcome:
    """
    Wait until routes and children are those of the baseline, and delete what only the candidate used.

    :param back: what :func:`abort` returned.
    :param deadline: epoch seconds.
    """
    outcome = Waiter(target).wait(
        back.name, expected=back.expected, deadline=deadline, failure_policy=failure_policy
    )
    while outcome.ending is Ending.READY and (left := _left_over(target, target.client.get(back.name))):
        if time.time() > deadline:
            return dataclasses.replace(
                outcome, ending=Ending.TIMEOUT, reason="CandidateLeft", message=f"{left} is still there"
            )
        time.sleep(CHILDREN_INTERVAL)
    if outcome.ending is Ending.READY:
        Completion(target).complete(back)
    return outcome


def _left_over(target: Target, deployment: SeldonDeployment) -> str:
    """
    Return the candidate's Deployments that still exist; without permission to read them, none are known.

    Not those that the operator never listed: it will not delete them, and the outcome of the wait reports
    them.
    """
    current = deployment.to_manifest()
    try:
        children = target.client.children(*child_ids(current))
    except ForbiddenError:
        return ""
    left = leftovers(current, expected_children(current), children)
    return ", ".join(one.name for one in left if one.listed and f"-{CANDIDATE}-" in one.name)


def _only_shared(current: SeldonDeployment, wanted: SeldonDeployment) -> bool:
    """Return whether the running version is as it was deployed, apart from its share of the traffic."""
    manifest = current.to_manifest()
    stored = {**manifest, "spec": without_candidate(manifest["spec"])}
    return not drift(wanted, SeldonDeployment.from_manifest(stored))


def _listed(target: Target, name: str, until: float) -> SeldonDeployment:
    """
    Read the deployment once its status lists the candidate's Deployments, at the latest at ``until``.

    Seldon's operator deletes what its status lists and the spec no longer has. A candidate that is removed
    before it is listed, right after it was written, leaves its Deployment behind for ever.
    """
    while True:
        current = target.client.get(name)
        manifest = current.to_manifest()
        listed = mapping_at(manifest, "status", "deploymentStatus")
        children = [
            one for one in expected_children(manifest) if text_at(one.predictor or {}, "name") == CANDIDATE
        ]
        if all(listed.keys() & set(one.names) for one in children) or time.monotonic() > until:
            return current
        time.sleep(LISTED_INTERVAL)


def _is_abandoned(current: SeldonDeployment, at: float | None) -> bool:
    if not has_canary(current):
        return False
    lease = Lease.of(current)
    return at is None or (lease is not None and lease.expired(at))
