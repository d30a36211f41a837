"""
Writes to an existing deployment: restore an earlier version, and scale.

Every write here is conditional on what was just read (the resource version is the precondition), so no write
of another manager in between is lost. The caller waits for the result, and ``Completion`` records its proof,
as for a deploy.
"""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_seldon.core.canary.lease import ANNOTATION_CANARY
from airflow_provider_seldon.core.children.expected import is_autoscaled
from airflow_provider_seldon.core.identity.annotations import (
    ANNOTATION_EXPIRY,
    ANNOTATION_ORDER,
    ANNOTATION_REVISION,
    ANNOTATION_ROLLED_BACK,
    ANNOTATION_WRITE,
)
from airflow_provider_seldon.core.identity.identity import Identity
from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.readiness.expectation import Expectation
from airflow_provider_seldon.core.request.model_server import ModelServer
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
from airflow_provider_seldon.core.resource.unstructured import items_at
from airflow_provider_seldon.core.rollout.adoption import given_back
from airflow_provider_seldon.core.rollout.fence import OrderToken
from airflow_provider_seldon.core.rollout.history import (
    ProvenVersion,
    has_served,
    json_object,
    proven_versions,
    secret_in_use,
    version_to_restore,
)
from airflow_provider_seldon.core.rollout.plan import Action, carried_annotations
from airflow_provider_seldon.core.rollout.rebuilding import built_again, first_proof, rebuilt
from airflow_provider_seldon.core.rollout.write_mark import Written, fingerprint
from airflow_provider_seldon.core.scaling.continuation import continued, says_the_same_numbers, scaled
from airflow_provider_seldon.core.waves.before_run import kept_for
from airflow_provider_seldon.delivery.conflicts import CONFLICT_ATTEMPTS, until_unchanged
from airflow_provider_seldon.delivery.inventory.ownership import refuse_foreign
from airflow_provider_seldon.delivery.inventory.search import is_being_deleted
from airflow_provider_seldon.delivery.rollout.annotation_space import make_room
from airflow_provider_seldon.delivery.rollout.claims import refuse_stale
from airflow_provider_seldon.delivery.rollout.handoff import Rollout, new_mark
from airflow_provider_seldon.delivery.rollout.replicas import apply_over_scaling
from airflow_provider_seldon.delivery.storage.storage_secret_use import (
    former_secrets,
    restore_secret_of,
    usable_secret,
)
from airflow_provider_seldon.exceptions import (
    ConflictError,
    DeploymentNotFoundError,
    InvalidModelServerError,
)

if TYPE_CHECKING:
    from airflow_provider_seldon.delivery.target import Target

log = logging.getLogger(__name__)


class Restore:
    """
    Rolls back and scales.

    :param target: the namespace.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._client = target.client

    def undo(self, failed: Rollout, *, delete_created: bool) -> Rollout | None:
        """
        Restore the version from before a failed rollout; do not change what another client wrote since.

        :param delete_created: delete the deployment if this run created it.
        :returns: the rollback, to wait for; None if there is nothing to go back to, or nothing left of this
            rollout.
        """
        for _ in range(CONFLICT_ATTEMPTS):
            try:
                current = self._client.get(failed.name)
            except DeploymentNotFoundError:
                return None
            if is_being_deleted(current) or not failed.is_still(current):
                log.info("%s is no longer what this run wrote; left as it is", failed.name)
                return None
            try:
                if delete_created and failed.action == Action.CREATE and not ProvenVersion.last_of(current):
                    self._client.delete(
                        failed.name, uid=current.uid, resource_version=current.resource_version
                    )
                    log.info("Deleted %s, which this run created", failed.name)
                    return None
                return self._put_back(current, failed.expiry_before, refuted=failed.refuted_revision)
            except ConflictError as error:
                if error.managers:
                    raise
                log.info("%s changed meanwhile; reading it again", failed.name)
        return None

    def roll_back(self, name: str, *, to: str, by: str, order: OrderToken | None) -> Rollout:
        """See :meth:`SeldonHook.roll_back`."""
        seen: list[str] = []

        def attempt() -> Rollout:
            current = self._client.get(name)
            seen.append(fingerprint(current))
            if seen[-1] != seen[0]:
                # The rollback was requested from the version at that time, not from a newer run's.
                refuse_stale(self._target.namespace, order, [current])
            return self._roll_back(current, to=to, by=by, order=order)

        return until_unchanged(name, attempt)

    def scale(self, name: str, *, replicas: int | None) -> Rollout:
        """See :meth:`SeldonHook.scale`."""
        return until_unchanged(name, lambda: self._scale(self._client.get(name), replicas))

    def _put_back(self, current: SeldonDeployment, expiry: str | None, *, refuted: str) -> Rollout | None:
        last = next((one for one in proven_versions(current) if one.revision != refuted), None)
        if last is None or last.revision == current.annotations.get(ANNOTATION_REVISION):
            return None
        try:
            # The expiry that the failed deploy set is undone with it.
            time = {} if expiry is None else {ANNOTATION_EXPIRY: expiry}
            wanted = rebuilt(last, current, annotations={**kept_for(last, current), **time})
        except InvalidRequestError as error:
            raise InvalidModelServerError(
                f"Revision {last.revision} cannot be built again:\n{error}"
            ) from None
        log.info("Rolling %s back to revision %s, which was last ready", current.name, last.revision)
        if last.adopted:
            # Its pods are the previous owner's: they carry no stamp of ours.
            wanted = given_back(last, wanted)
        wanted = continued(wanted, current, insist=False)
        reason = f"back to revision {last.revision}"
        return self._write(current, wanted, Action.ROLL_BACK, reason, withdrawn=refuted)

    def _roll_back(self, current: SeldonDeployment, *, to: str, by: str, order: OrderToken | None) -> Rollout:
        refuse_foreign(current, self._target.namespace)
        done = json_object(current.annotations.get(ANNOTATION_ROLLED_BACK))
        # For a retry, "previous" must not be the version that its first try replaced.
        again = bool(by) and done.get("by") == by and done.get("asked") == to
        try:
            version = version_to_restore(current, str(done["to"]) if again else to)
        except InvalidRequestError as error:
            raise InvalidModelServerError(f"Nothing was rolled back:\n{error}") from None
        return self.back_to(version, current, asked=to, by=by, order=order, done=done if again else None)

    def back_to(
        self,
        version: ProvenVersion,
        current: SeldonDeployment,
        *,
        asked: str,
        by: str,
        order: OrderToken | None,
        done: Mapping[str, Any] | None = None,
    ) -> Rollout:
        """
        Restore a version, on exactly the deployment that was read.

        :param asked: the requested version, for the record.
        :param done: the record of an earlier try of the same task that restored that version.
        :raises ConflictError: the deployment has changed since.
        :raises InvalidModelServerError: the version cannot be built again.
        """
        again = done is not None
        version = dataclasses.replace(
            version, secret_name=usable_secret(self._client, version.secret_name, secret_in_use(current))
        )
        present = current.annotations.get(ANNOTATION_REVISION, "")
        left = str(done.get("from", "")) if done is not None else present
        record = json.dumps({"asked": asked, "by": by, "from": left, "to": version.revision})
        annotations = {ANNOTATION_ROLLED_BACK: record}
        if order:
            # A late retry of the run that was rolled back must not undo this.
            annotations[ANNOTATION_ORDER] = str(order)
        try:
            wanted = rebuilt(version, current, annotations=annotations)
        except InvalidRequestError as error:
            raise InvalidModelServerError(f"Nothing was rolled back:\n{error}") from None
        restore_secret_of(self._target, ModelServer.parse(version.config, stored=True), wanted, current)
        if again and present == wanted.annotations[ANNOTATION_REVISION]:
            reason = "an earlier try wrote it"
            rollout = self._waiting(current, current, Action.ROLL_BACK, reason, withdrawn=left)
            return dataclasses.replace(rollout, expected=Expectation.of_retry(current, before=current))
        log.info("Rolling %s back from revision %s to %s", current.name, present, version.revision)
        reason = f"back from revision {present} to {version.revision}"
        wanted = continued(wanted, current, insist=False)
        return self._write(current, wanted, Action.ROLL_BACK, reason, withdrawn=left)

    def _scale(self, current: SeldonDeployment, replicas: int | None) -> Rollout:
        refuse_foreign(current, self._target.namespace)
        _refuse_canary(current, replicas)
        try:
            server = ModelServer.from_deployment(current)
            built = built_again(
                server,
                current.annotations.get(ANNOTATION_REVISION, ""),
                secrets=(secret_in_use(current), None),
                identity=Identity.of(current),
                annotations=carried_annotations(current),
            )
        except InvalidRequestError as error:
            raise InvalidModelServerError(f"Nothing was scaled:\n{error}") from None
        wanted = continued(_of_name(built, current.name), current)
        if replicas is not None:
            _refuse_autoscaled(wanted)
            wanted = scaled(wanted, replicas)
        count = "its configured replicas" if replicas is None else f"{replicas} replicas"
        same = wanted.annotations[ANNOTATION_REVISION] == current.annotations.get(ANNOTATION_REVISION)
        if same and says_the_same_numbers(wanted, current):
            return self._waiting(current, current, Action.SCALE, f"it has {count} already")
        if replicas != 0:
            restore_secret_of(self._target, server, wanted, current)
        log.info("Scaling %s to %s", current.name, count)
        # Whoever scaled it owns the number of pods, which is what this must change.
        return self._write(current, wanted, Action.SCALE, f"scaled to {count}", from_anybody=True)

    def _write(
        self,
        current: SeldonDeployment,
        wanted: SeldonDeployment,
        action: Action,
        reason: str,
        *,
        withdrawn: str = "",
        from_anybody: bool = False,
    ) -> Rollout:
        marked = wanted.annotated({ANNOTATION_WRITE: new_mark()})
        version = make_room(self._client, marked, current, current.resource_version)
        stored = apply_over_scaling(
            self._client, marked, before=current, resource_version=version, from_anybody=from_anybody
        )
        rollout = self._waiting(current, stored, action, reason, withdrawn=withdrawn)
        return dataclasses.replace(rollout, written=Written.of(marked, stored))

    def _waiting(
        self,
        before: SeldonDeployment,
        stored: SeldonDeployment,
        action: Action,
        reason: str,
        *,
        withdrawn: str = "",
    ) -> Rollout:
        version = first_proof(stored) if action is Action.SCALE else ProvenVersion.of(stored)
        return Rollout(
            name=stored.name,
            action=str(action),
            reason=reason,
            info=self._target.info(stored, action=str(action)),
            expected=Expectation.of(stored, before=before),
            last_available=version.to_json() if version else "",
            withdrawn=withdrawn,
            former_secrets=former_secrets(before, stored),
            served_before=has_served(before),
        )


def undo_handed_off(target: Target, handoff: Mapping[str, Any], *, kill_action: str) -> None:
    """
    Undo a rollout that a trigger waited for, if the deployment still is what its task wrote.

    :param handoff: the rollout, as returned by ``Rollout.to_json``.
    :param kill_action: ``rollback`` or ``delete``.
    """
    Restore(target).undo(Rollout.from_json(handoff), delete_created=kill_action == "delete")


def _of_name(built: SeldonDeployment, name: str) -> SeldonDeployment:
    manifest = built.to_manifest()
    return SeldonDeployment.from_manifest({**manifest, "metadata": {**manifest["metadata"], "name": name}})


def _refuse_canary(current: SeldonDeployment, replicas: int | None) -> None:
    """Refuse to scale during a canary, which would drop the candidate; to stop ends it on purpose."""
    if ANNOTATION_CANARY in current.annotations and replicas != 0:
        raise InvalidModelServerError(
            f"Nothing was scaled: a canary is in progress on {current.name}, which scaling would end. "
            "Promote or abort it first; kubectl scale leaves it as it is."
        )


def _refuse_autoscaled(deployment: SeldonDeployment) -> None:
    for predictor in items_at(deployment.to_manifest(), "spec", "predictors"):
        if any(is_autoscaled(one) for one in items_at(predictor, "componentSpecs")):
            raise InvalidModelServerError(
                f"Nothing was scaled: an autoscaler (hpaSpec, kedaSpec) controls the replicas of predictor "
                f"{predictor.get('name')!r}. Change its limits with a deploy."
            )
