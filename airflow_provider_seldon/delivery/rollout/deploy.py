"""
Carry out a deploy: a sequence of requests that can be interrupted anywhere.

    find equivalents -> decide -> plan -> look, or apply, with the storage Secret -> (the caller waits) -> complete

Killed between any two of these and restarted, the same task finds its earlier writes (the name is a function
of DAG, task and model; the Secret's name is a function of its content) and reaches the same single
deployment.

Requests, besides the wait: one LIST per 500 equivalents, and one GET if the user gave a name that none of
them has; then one PATCH or, if there is nothing to write, one LIST of the deployment's children
(``single_look``). A storage Secret that was used before takes one GET; a new one takes one POST and, for an
existing deployment, one PATCH before that (``storage_secret_use``). ``completion`` does what follows when it
is ready.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowException

from airflow_provider_seldon.core.identity.annotations import (
    ANNOTATION_ACTION,
    ANNOTATION_EXPIRY,
    ANNOTATION_METRICS,
    ANNOTATION_ORDER,
    ANNOTATION_WRITE,
    MANAGER,
)
from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.lifetime.expiry import (
    Expiry,
    carried_expiry,
    expiring,
    expiry_of,
)
from airflow_provider_seldon.core.readiness.expectation import Expectation
from airflow_provider_seldon.core.request.model_metrics import RecordedMetrics
from airflow_provider_seldon.core.request.validation import ensure_valid
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
from airflow_provider_seldon.core.rollout.decision import Decision, Evidence, decide
from airflow_provider_seldon.core.rollout.history import ProvenVersion, has_served
from airflow_provider_seldon.core.rollout.plan import (
    Action,
    Plan,
    plan,
    reported_action,
)
from airflow_provider_seldon.core.rollout.rebuilding import first_proof
from airflow_provider_seldon.core.rollout.write_mark import Written, fingerprint
from airflow_provider_seldon.core.waves.before_run import noted
from airflow_provider_seldon.delivery.conflicts import CONFLICT_ATTEMPTS
from airflow_provider_seldon.delivery.inventory.ownership import owners_of
from airflow_provider_seldon.delivery.rollout.claims import heed_claims, refuse_stale, takes_back
from airflow_provider_seldon.delivery.rollout.existing import existing_for
from airflow_provider_seldon.delivery.rollout.handoff import Rollout
from airflow_provider_seldon.delivery.rollout.order_note import note_run
from airflow_provider_seldon.delivery.rollout.single_look import SingleLook
from airflow_provider_seldon.delivery.rollout.write import write
from airflow_provider_seldon.delivery.storage.storage_secret import StorageSecret, storage_secret_for
from airflow_provider_seldon.delivery.storage.storage_secret_use import (
    former_secrets,
    restore_secret,
)
from airflow_provider_seldon.exceptions import (
    ConflictError,
    DeployDecisionError,
    InvalidModelServerError,
    TurnedDownError,
)

if TYPE_CHECKING:
    from airflow_provider_seldon.delivery.rollout.deploy_request import DeployRequest
    from airflow_provider_seldon.delivery.target import Target

log = logging.getLogger(__name__)

#: Actions that leave the spec as it is and need it to become ready, so that its Secret must exist.
_USE_AS_IT_IS = frozenset({Action.UNCHANGED, Action.REUSE, Action.RESTART})


class Deployer:
    """
    Deploys.

    :param target: the namespace.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._client = target.client

    def deploy(self, request: DeployRequest) -> Rollout:
        """See :meth:`SeldonHook.deploy_model`."""
        now = time.time()
        expiry = Expiry.after(request.ttl, now=now) if request.ttl else None
        identity, replace = request.identity, request.replace
        asked, secret = self.built(request, now)
        named = asked.name != identity.deployment_name(replace=replace)
        for _ in range(CONFLICT_ATTEMPTS):
            existing = existing_for(self._client, identity, asked, look_up=named, adopt=bool(request.adopt))
            decision = decision_on(request.deploy, request.evidence(existing, now=now))
            decided = plan(
                asked,
                existing,
                deploy=decision.deploy,
                replace=replace,
                adopt=bool(request.adopt),
                on_negative=request.on_negative,
                on_negative_empty=request.on_negative_empty,
            )
            if request.fence and replace and decided.action.writes and decided.action is not Action.RESTART:
                refuse_stale(self._client.namespace, request.order, existing)
            decided, in_flight = SingleLook(self._client).confirmed(decided)
            before = next((one for one in existing if one.name == decided.deployment.name), None)
            self._tell(decided, decision, before)
            if before is not None and decided.action is Action.UPDATE:
                heed_claims(before, decided.deployment, identity, replace=replace)
            action = reported_action(decided, before, run_id=identity.run_id, retry=request.retry)
            if before is not None and secret and decided.action in _USE_AS_IT_IS:
                restore_secret(self._client, secret, before)
            try:
                if not decided.action.writes:
                    found = note_run(self._client, decided, request.order, expiry)
                    left = self._rollout(decided, found, existing, action, decision)
                    # Nothing was written, so there is nothing to undo; its place distinguishes newer runs.
                    placed = Written(order=str(request.order or ""))
                    return dataclasses.replace(left, in_flight=in_flight, written=placed)
                marks = {ANNOTATION_ACTION: str(action), ANNOTATION_WRITE: request.mark}
                if decided.action is not Action.RESTART:
                    marks |= noted(before, identity, superseded=decided.superseded)
                wanted = expiring(decided.deployment.annotated(marks), expiry)
                stored = write(
                    self._target,
                    wanted,
                    before=before,
                    secret=None if decided.action is Action.RESTART else secret,
                    resource_version=decided.resource_version,
                    force=request.force_conflicts or bool(request.adopt) or takes_back(decided, before),
                    adopt=request.adopt,
                )
            except ConflictError as error:
                if error.managers and before is not None:
                    raise
                log.info("%s/%s changed meanwhile; reading it again", self._client.namespace, asked.name)
                # The deployment with that name now may not be an equivalent: without our label, a LIST does
                # not show it.
                named = named or before is None
                conflict = error
                continue
            rollout = self._rollout(decided, stored, existing, action, decision)
            return dataclasses.replace(rollout, written=Written.of(wanted, stored))
        raise conflict

    def built(self, request: DeployRequest, now: float) -> tuple[SeldonDeployment, StorageSecret | None]:
        """
        Build the requested resource, and return its storage Secret.

        :raises InvalidModelServerError: the request is wrong; nothing was sent.
        """
        server = request.server
        build: dict[str, Any] = {
            "identity": request.identity,
            "namespace": self._client.namespace,
            "replace": request.replace,
            "annotations": _annotations(request, now),
        }
        try:
            built = server.to_deployment(**build)
            secret = storage_secret_for(self._target, server, built)
            if secret:
                built = server.to_deployment(**build, secret_name=secret.name)
            # A cluster's admin may have added servers; only the webhook knows them.
            ensure_valid(built, known_servers=None)
        except InvalidRequestError as error:
            raise InvalidModelServerError(f"Nothing was sent to the cluster:\n{error}") from None
        return built, secret

    def _tell(self, decided: Plan, decision: Decision, before: SeldonDeployment | None) -> None:
        where = f"{self._client.namespace}/{decided.deployment.name}"
        log.info("Decision: %s", decision)
        if decided.action in {Action.SKIP, Action.REFUSE}:
            raise TurnedDownError(
                f"{decision.reason[:1].upper()}{decision.reason[1:]}. {decided.reason[:1].upper()}"
                f"{decided.reason[1:]}.",
                skip=decided.action is Action.SKIP,
            )
        what = f"is to be {decided.action}" if decided.action.writes else "stays as it is"
        log.info("%s %s: %s", where, what, decided.reason)
        others = [owner for owner in owners_of(before) if owner != MANAGER] if before else []
        if decided.as_stored and others:
            log.warning(
                "%s was also changed by %s. It is started with those changes; the next deploy replaces them.",
                where,
                ", ".join(others),
            )

    def _rollout(
        self,
        decided: Plan,
        stored: SeldonDeployment,
        existing: list[SeldonDeployment],
        action: Action,
        decision: Decision,
    ) -> Rollout:
        known = {one.name: one for one in existing}
        info = self._target.info(stored, action=str(action))
        before = known.get(stored.name)
        expected = Expectation.of_retry if decided.action.writes else Expectation.of
        # A reused deployment may have been changed by hand to another version than its annotations say.
        version = first_proof(stored) if decided.action is Action.REUSE else ProvenVersion.of(stored)
        return Rollout(
            name=stored.name,
            action=str(action),
            reason=decided.reason,
            info=dataclasses.replace(info, decision=str(decision)),
            expected=expected(stored, before=before),
            superseded={name: known[name].uid for name in decided.superseded if name in known},
            superseded_as={name: fingerprint(known[name]) for name in decided.superseded if name in known},
            last_available=version.to_json() if version else "",
            in_flight=decided.action.writes,
            unrecorded=version is not None and decided.action is Action.REUSE,
            former_secrets=former_secrets(before, stored),
            expires=str(expiry_of(stored) or ""),
            expiry_before=carried_expiry(before).get(ANNOTATION_EXPIRY, "") if before else "",
            served_before=any(
                has_served(known[name]) for name in (stored.name, *decided.superseded) if name in known
            ),
        )


def decision_on(deploy: Any, evidence: Evidence) -> Decision:
    """
    Evaluate the user's decision.

    :raises DeployDecisionError: it cannot be evaluated, or is neither yes nor no.
    """
    try:
        return decide(deploy, evidence)
    except InvalidRequestError as error:
        raise DeployDecisionError(str(error)) from None
    except AirflowException:
        # A user's own function may skip the task.
        raise
    except Exception as error:
        raise DeployDecisionError(
            f"deploy_decision could not be evaluated: {type(error).__name__}: {error}. Nothing was sent to "
            "the cluster."
        ) from error


def _annotations(request: DeployRequest, now: float) -> dict[str, str]:
    at, metrics, order = datetime.fromtimestamp(now, UTC), request.metrics, request.order
    given = {
        ANNOTATION_METRICS: RecordedMetrics(values=metrics, at=at).to_json() if metrics else "",
        ANNOTATION_ORDER: str(order) if order else "",
    }
    return {key: value for key, value in given.items() if value}
