"""
Carrying a deploy out: the order of requests that is safe to interrupt anywhere.

    find equivalents -> decide -> plan -> look, or apply, with the storage Secret -> (the caller waits) -> complete

Killed between any two of these and started again, the same task finds what it left behind (the name is a
function of DAG, task and model; the Secret's name one of its content) and comes to the same single deployment.

Requests, besides the wait: one LIST per 500 equivalents, and where the user gave a name that none of them bears,
one GET; then one PATCH, or where nothing is to be written one LIST of the deployment's children (``single_look``). A
storage Secret that was used before takes one GET; one that has to be made takes one POST, and for a deployment that is
there already one PATCH before that (``storage_secret_use``). What follows when it is ready is in ``completion``.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowException

from airflow_provider_seldon.core.identity import names as ids
from airflow_provider_seldon.core.identity.names import Identity
from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.readiness.expectation import Expectation
from airflow_provider_seldon.core.request.model_metrics import RecordedMetrics
from airflow_provider_seldon.core.request.model_server import ModelServer
from airflow_provider_seldon.core.request.validation import ensure_valid
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
from airflow_provider_seldon.core.rollout.decision import Decision, Evidence, decide
from airflow_provider_seldon.core.rollout.fence import OrderToken, order_of, overtaken_by
from airflow_provider_seldon.core.rollout.history import ProvenVersion, has_served
from airflow_provider_seldon.core.rollout.plan import (
    Action,
    Adopt,
    OnNegative,
    OnNegativeEmpty,
    Plan,
    plan,
    reported_action,
)
from airflow_provider_seldon.core.rollout.replacement import other_dag, refuse_to_replace
from airflow_provider_seldon.core.rollout.write_mark import Written, fingerprint
from airflow_provider_seldon.delivery.inventory.adoption import IRREVERSIBLY, take_over
from airflow_provider_seldon.delivery.inventory.ownership import appliers_of, owners_of, refuse_foreign
from airflow_provider_seldon.delivery.inventory.removal import delete_if
from airflow_provider_seldon.delivery.inventory.search import DeploymentSearch, is_being_deleted
from airflow_provider_seldon.delivery.rollout.annotation_space import make_room
from airflow_provider_seldon.delivery.rollout.handoff import CONFLICT_ATTEMPTS, Rollout, new_mark
from airflow_provider_seldon.delivery.rollout.order_note import note_order
from airflow_provider_seldon.delivery.rollout.replicas import apply_over_scaling
from airflow_provider_seldon.delivery.storage.storage_secret import StorageSecret, storage_secret_for
from airflow_provider_seldon.delivery.storage.storage_secret_use import (
    former_secrets,
    note,
    restore_secret,
    storage_secrets_of,
)
from airflow_provider_seldon.delivery.waiting.single_look import SingleLook
from airflow_provider_seldon.exceptions import (
    ConflictError,
    DeployDecisionError,
    DeploymentNotFoundError,
    InvalidModelServerError,
    SeldonError,
    StaleRunError,
    TurnedDownError,
)

if TYPE_CHECKING:
    from airflow_provider_seldon.hooks.seldon import SeldonHook

log = logging.getLogger(__name__)

#: Seconds to wait for the end of a deployment that is being deleted and has the name that is asked for.
DELETION_TIMEOUT = 300.0
#: Actions that leave the spec as it is and want it to serve, so that the Secret that it names has to be there.
_USE_AS_IT_IS = frozenset({Action.UNCHANGED, Action.REUSE, Action.RESTART})


class Deployer:
    """
    Deploys through a hook.

    :param hook: the connection; its client's namespace applies.
    """

    def __init__(self, *, hook: SeldonHook) -> None:
        self._hook = hook
        self._client = hook.client

    def deploy(
        self,
        server: ModelServer,
        *,
        identity: Identity,
        deploy: Any,
        replace: bool,
        metrics: Mapping[str, float] | None,
        force_conflicts: bool,
        adopt: Adopt,
        order: OrderToken | None,
        fence: bool,
        on_negative: OnNegative,
        on_negative_empty: OnNegativeEmpty,
        retry: bool,
    ) -> Rollout:
        """See :meth:`SeldonHook.deploy_model`."""
        now, mark = time.time(), new_mark()
        request, secret = self._request(
            server, identity=identity, replace=replace, annotations=_annotations(metrics, order, now)
        )
        named = request.name != identity.deployment_name(replace=replace)
        for _ in range(CONFLICT_ATTEMPTS):
            existing = self._existing(identity, request, look_up=named, adopt=bool(adopt))
            decision = _decide(deploy, Evidence.of(metrics or {}, existing, now=now))
            decided = plan(
                request,
                existing,
                deploy=decision.deploy,
                replace=replace,
                adopt=bool(adopt),
                on_negative=on_negative,
                on_negative_empty=on_negative_empty,
            )
            if fence and replace and decided.action.writes and decided.action is not Action.RESTART:
                self._fence(order, existing)
            decided, in_flight = SingleLook(hook=self._hook).confirmed(decided)
            before = next((one for one in existing if one.name == decided.deployment.name), None)
            self._tell(decided, decision, before)
            if before is not None and decided.action is Action.UPDATE:
                _heed_claims(before, decided.deployment, identity, replace=replace)
            action = reported_action(decided, before, run_id=identity.run_id, retry=retry)
            if before is not None and secret and decided.action in _USE_AS_IT_IS:
                restore_secret(self._client, secret, before)
            try:
                if not decided.action.writes:
                    if decided.action is Action.UNCHANGED:
                        note_order(self._client, decided.deployment, order)
                    left = self._rollout(decided, decided.deployment, existing, action, decision)
                    # Nothing was written, so nothing is to be undone; by its place a newer run is told apart.
                    placed = Written(order=str(order or ""))
                    return dataclasses.replace(left, in_flight=in_flight, written=placed)
                marks = {ids.ANNOTATION_ACTION: str(action), ids.ANNOTATION_WRITE: mark}
                wanted = decided.deployment.annotated(marks)
                stored = self._write(
                    wanted,
                    before=before,
                    secret=None if decided.action is Action.RESTART else secret,
                    resource_version=decided.resource_version,
                    force=force_conflicts or bool(adopt) or _takes_back(decided, before),
                    adopt=adopt,
                )
            except ConflictError as error:
                if error.managers and before is not None:
                    raise
                log.info("%s/%s changed meanwhile; looking again", self._client.namespace, request.name)
                # What bears the name now may be nobody's equivalent: without our label, a LIST does not show it.
                named = named or before is None
                conflict = error
                continue
            rollout = self._rollout(decided, stored, existing, action, decision)
            return dataclasses.replace(rollout, written=Written.of(wanted, stored))
        raise conflict

    def _request(
        self, server: ModelServer, *, identity: Identity, replace: bool, annotations: Mapping[str, str]
    ) -> tuple[SeldonDeployment, StorageSecret | None]:
        build: dict[str, Any] = {
            "identity": identity,
            "namespace": self._client.namespace,
            "replace": replace,
            "annotations": annotations,
        }
        try:
            request = server.to_deployment(**build)
            secret = storage_secret_for(self._hook, server, request)
            if secret:
                request = server.to_deployment(**build, secret_name=secret.name)
            # A cluster's admin may have added servers of their own; the webhook knows them, we do not.
            ensure_valid(request, known_servers=None)
        except InvalidRequestError as error:
            raise InvalidModelServerError(f"Nothing was sent to the cluster:\n{error}") from None
        return request, secret

    def _existing(
        self, identity: Identity, request: SeldonDeployment, *, look_up: bool, adopt: bool
    ) -> list[SeldonDeployment]:
        """
        List the equivalents and, where the name is to be looked up, what bears it now, whoever made that.

        One that is being deleted is none any more. Where it bears the name that is asked for, its end is waited for:
        what is made anew before its children are gone takes them for its own, and loses them.
        """
        found = DeploymentSearch(self._client).equivalents(identity)
        for one in found:
            if one.name == request.name:
                self._wait_for_the_end(one)
        existing = [one for one in found if not is_being_deleted(one)]
        if not look_up or any(one.name == request.name for one in existing):
            return existing
        try:
            bearer = self._client.get(request.name)
        except DeploymentNotFoundError:
            return existing
        if self._wait_for_the_end(bearer):
            return existing
        if not adopt:
            refuse_foreign(bearer, self._hook.namespace)
        return [bearer, *existing]

    def _wait_for_the_end(self, deployment: SeldonDeployment) -> bool:
        """Wait until a deployment that is being deleted is gone; return False where it is not."""
        if not is_being_deleted(deployment):
            return False
        log.info("%s/%s is being deleted; waiting for its end", self._client.namespace, deployment.name)
        self._client.wait_until_deleted(deployment.name, uid=deployment.uid, timeout=DELETION_TIMEOUT)
        return True

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
        others = [owner for owner in owners_of(before) if owner != ids.MANAGER] if before else []
        if decided.as_stored and others:
            log.warning(
                "%s was changed by %s too. It is started with those changes; the next deploy replaces them.",
                where,
                ", ".join(others),
            )

    def _fence(self, order: OrderToken | None, existing: list[SeldonDeployment]) -> None:
        now = datetime.now(UTC)
        newer = overtaken_by(order, existing, now=now)
        if newer is not None:
            theirs = order_of(newer, now=now)
            raise StaleRunError(
                f"{self._client.namespace}/{newer.name} was deployed by a newer run ({theirs}) than this one "
                f"({order}); it is left as it is. To deploy the older version all the same, use on_stale='deploy'."
            )

    def _write(
        self,
        wanted: SeldonDeployment,
        *,
        before: SeldonDeployment | None,
        secret: StorageSecret | None,
        resource_version: str | None,
        force: bool,
        adopt: Adopt,
    ) -> SeldonDeployment:
        """
        Apply, with the storage Secret that always has an owner: the old object before the new spec, else the new one.

        One that the deployment has used before is looked at all the same: it may have been deleted by hand.
        """
        foreign = take_over(self._client, before, wanted, irreversibly=adopt == IRREVERSIBLY)
        if foreign is not before:
            before, resource_version = foreign, foreign.resource_version if foreign else None
        resource_version = make_room(self._client, wanted, before, resource_version)
        if secret and before is not None:
            known = secret.name in storage_secrets_of(before)
            if secret.managed and not known:
                resource_version = note(self._client, secret.name, before, resource_version)
            secret.ensure(self._client, before, known=known)
        stored = apply_over_scaling(
            self._client, wanted, before=before, resource_version=resource_version, force=force
        )
        if secret and before is None:
            try:
                secret.ensure(self._client, stored)
            except SeldonError:
                written, uid = Written.of(wanted, stored), stored.uid
                delete_if(self._client, stored.name, lambda one: one.uid == uid and written.is_in(one))
                raise
        return stored

    def _rollout(
        self,
        decided: Plan,
        stored: SeldonDeployment,
        existing: list[SeldonDeployment],
        action: Action,
        decision: Decision,
    ) -> Rollout:
        known = {one.name: one for one in existing}
        info = self._hook.get_model_server_info(stored, action=str(action))
        return Rollout(
            name=stored.name,
            action=str(action),
            reason=decided.reason,
            info=dataclasses.replace(info, decision=str(decision)),
            expected=Expectation.of(stored, before=known.get(stored.name)),
            superseded={name: known[name].uid for name in decided.superseded if name in known},
            superseded_as={name: fingerprint(known[name]) for name in decided.superseded if name in known},
            # What is reused may be another version than its annotations say, by somebody's hand.
            last_available="" if decided.action is Action.REUSE else ProvenVersion.of(stored).to_json(),
            in_flight=decided.action.writes,
            former_secrets=former_secrets(known.get(stored.name), stored),
            served_before=any(
                has_served(known[name]) for name in (stored.name, *decided.superseded) if name in known
            ),
        )


def _decide(deploy: Any, evidence: Evidence) -> Decision:
    try:
        return decide(deploy, evidence)
    except InvalidRequestError as error:
        raise DeployDecisionError(str(error)) from None
    except AirflowException:
        # A user's own function may well skip the task.
        raise
    except Exception as error:
        raise DeployDecisionError(
            f"deploy_decision could not be asked: {type(error).__name__}: {error}. Nothing was sent to the cluster."
        ) from error


def _heed_claims(
    before: SeldonDeployment, wanted: SeldonDeployment, identity: Identity, *, replace: bool
) -> None:
    """Refuse to replace what is meant to stay, and tell where two DAGs deploy under one name."""
    if not ids.is_managed(before):
        return
    try:
        refuse_to_replace(before, wanted, identity, replace=replace)
    except InvalidRequestError as error:
        raise InvalidModelServerError.of(f"{identity.dag_id}.{identity.task_id}", error) from None
    if other := other_dag(before, identity):
        log.warning(
            "%s was deployed by DAG %s, and DAG %s replaces that now. If both go on, they take turns: give each a name "
            "of its own, or remove one.",
            before.name,
            other,
            identity.dag_id,
        )


def _takes_back(decided: Plan, before: SeldonDeployment | None) -> bool:
    """
    Whether to take over fields that others have written: what is stored anyway, and what was changed by hand.

    Not from somebody who applies them: two that apply the same fields would take turns for ever.
    """
    return decided.as_stored or (decided.puts_back and before is not None and not appliers_of(before))


def _annotations(metrics: Mapping[str, float] | None, order: OrderToken | None, now: float) -> dict[str, str]:
    at = datetime.fromtimestamp(now, UTC)
    given = {
        ids.ANNOTATION_METRICS: RecordedMetrics(values=metrics, at=at).to_json() if metrics else "",
        ids.ANNOTATION_ORDER: str(order) if order else "",
    }
    return {key: value for key, value in given.items() if value}
