"""
Complete a rollout that is ready: record its proof, then delete what it supersedes; in this order.

Requests: one GET and one PATCH record the proof, and a GET and a DELETE go to each superseded deployment; a
Secret that the deployment no longer uses takes two GETs and a DELETE. All of it can be repeated after an
interruption.
"""

from __future__ import annotations

import dataclasses
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow_provider_seldon.core.identity.annotations import (
    ANNOTATION_REVISION,
    ANNOTATION_RUN_ID,
    ANNOTATION_WRITE,
)
from airflow_provider_seldon.core.readiness.expectation import predictor_contents, spoken_by
from airflow_provider_seldon.core.rollout.history import ProvenVersion, annotations_after
from airflow_provider_seldon.core.rollout.write_mark import fingerprint
from airflow_provider_seldon.delivery.conflicts import CONFLICT_ATTEMPTS
from airflow_provider_seldon.delivery.inventory.removal import delete_if
from airflow_provider_seldon.delivery.inventory.search import is_being_deleted
from airflow_provider_seldon.delivery.storage.storage_secret_use import release_unused
from airflow_provider_seldon.exceptions import (
    ConflictError,
    DeletedError,
    DeploymentNotFoundError,
    ReplacedError,
)

if TYPE_CHECKING:
    from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
    from airflow_provider_seldon.delivery.rollout.handoff import Rollout
    from airflow_provider_seldon.delivery.target import Target

log = logging.getLogger(__name__)


class Completion:
    """
    Completes rollouts.

    :param target: the namespace.
    """

    def __init__(self, target: Target) -> None:
        self._client = target.client

    def complete(self, rollout: Rollout) -> list[str]:
        """See :meth:`SeldonHook.complete`."""
        if rollout.last_available and (rollout.in_flight or rollout.unrecorded):
            self._record_proof(rollout)
        for secret in release_unused(self._client, rollout.name, rollout.former_secrets):
            log.info("Deleted Secret %s/%s, which is no longer used", self._client.namespace, secret)
        deleted = []
        for name, uid in rollout.superseded.items():
            if self._delete_superseded(name, uid, rollout.superseded_as.get(name)):
                log.info("Deleted %s/%s, superseded by %s", self._client.namespace, name, rollout.name)
                deleted.append(name)
        return deleted

    def _record_proof(self, rollout: Rollout) -> None:
        """
        Record the proof.

        :raises DeletedError: the deployment is gone.
        :raises ReplacedError: it was re-created, or another deploy has written to it.
        """
        proven = ProvenVersion.from_json(rollout.last_available)
        for _ in range(CONFLICT_ATTEMPTS):
            try:
                current = self._client.get(rollout.name)
                self._refuse_another(rollout, current)
                seen = proven if _is_own_write(rollout, current) else ProvenVersion.of(current)
                seen = _dated(seen, ProvenVersion.last_of(current))
                record = annotations_after(current, seen, withdrawn=rollout.withdrawn)
                if all(current.annotations.get(key) == value for key, value in record.items()):
                    return
                # The operator is writing the status, so this may take several attempts.
                self._client.annotate(
                    rollout.name, record, uid=current.uid, resource_version=current.resource_version
                )
                return
            except ConflictError as error:
                log.info("%s changed meanwhile; reading it again (%s)", rollout.name, error)
            except DeploymentNotFoundError:
                raise self._deleted(rollout) from None
        log.warning("The proof of %s is not recorded: it changes too often", rollout.name)

    def _refuse_another(self, rollout: Rollout, current: SeldonDeployment) -> None:
        """Refuse to record a proof for another version than the one that was waited for."""
        if is_being_deleted(current):
            raise self._deleted(rollout)
        found = current.annotations.get(ANNOTATION_REVISION)
        contents, wanted = predictor_contents(current.to_manifest()), rollout.expected.contents
        unedited = all(contents.get(name) == content for name, content in wanted.items())
        unedited &= rollout.expected.speaks in (None, spoken_by(current.to_manifest()))
        if rollout.expected.uid in (None, current.uid) and found == rollout.info.revision and unedited:
            return
        where = f"{self._client.namespace}/{rollout.name}"
        by = current.annotations.get(ANNOTATION_RUN_ID)
        raise ReplacedError(
            f"{where}: DeployedAgain: it became ready with revision {rollout.info.revision}, but was changed "
            f"meanwhile: it is at revision {found or 'unknown'}{f' of run {by}' if by else ''}"
            f"{'' if unedited else ', with other content'}. Nothing was recorded or deleted.",
            reason="DeployedAgain",
            deployment=where,
        )

    def _deleted(self, rollout: Rollout) -> DeletedError:
        where = f"{self._client.namespace}/{rollout.name}"
        return DeletedError(
            f"{where}: NotFound: it became ready, and was deleted before its proof was recorded. A retry deploys "
            "it again.",
            reason="NotFound",
            deployment=where,
        )

    def _delete_superseded(self, name: str, uid: str, seen: str | None) -> bool:
        """
        Delete a deployment, unless it was re-created or deployed to since.

        :param seen: its fingerprint at the time of the decision; None if not known.
        """
        try:
            return (
                delete_if(self._client, name, lambda one: one.uid == uid and seen in (None, fingerprint(one)))
                is not None
            )
        except ConflictError as error:
            log.warning("%s/%s is left as it is: %s", self._client.namespace, name, error)
            return False


def _dated(seen: ProvenVersion, last: ProvenVersion | None) -> ProvenVersion:
    """Return a version with the time of its proof: an earlier one, or now."""
    before = last.proven_at if last and last.revision == seen.revision else ""
    return dataclasses.replace(seen, proven_at=before or datetime.now(UTC).isoformat(timespec="seconds"))


def _is_own_write(rollout: Rollout, current: SeldonDeployment) -> bool:
    """Return whether the same revision was not deployed again, with another order and other metrics."""
    return rollout.written is None or current.annotations.get(ANNOTATION_WRITE) == rollout.written.mark
