"""
Undo what a DAG run changed on a deployment, in all of its tries and tasks, and nothing else.

The deployment records what the run found there (``core.waves.before_run``). Without such a record, or with
another run's, this run changed nothing, was already undone, or a newer run has deployed since: then the
deployment is left as it is. Interrupted anywhere and restarted, the undo ends in the same state.

Requests: one GET; then one PATCH, or one DELETE if the run created the deployment.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_seldon.core.identity.annotations import ANNOTATION_REVISION, ANNOTATION_ROLLED_BACK
from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.rollout.history import json_object, proven_versions
from airflow_provider_seldon.core.waves.before_run import BEFORE_RUN, BeforeRun, version_before
from airflow_provider_seldon.delivery.canary.abort import abort
from airflow_provider_seldon.delivery.canary.under_way import is_of
from airflow_provider_seldon.delivery.conflicts import until_unchanged
from airflow_provider_seldon.delivery.inventory.ownership import refuse_foreign
from airflow_provider_seldon.delivery.inventory.search import is_being_deleted
from airflow_provider_seldon.delivery.rollout.restore import Restore
from airflow_provider_seldon.exceptions import DeploymentNotFoundError, InvalidModelServerError

if TYPE_CHECKING:
    from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
    from airflow_provider_seldon.core.rollout.fence import OrderToken
    from airflow_provider_seldon.delivery.rollout.handoff import Rollout
    from airflow_provider_seldon.delivery.target import Target

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Undone:
    """
    Result of an undo.

    :param rollout: the rollout to wait for; None if there is none.
    :param deleted: the run had created the deployment, and it is deleted.
    """

    rollout: Rollout | None = None
    deleted: bool = False


class RunUndo:
    """
    Undoes the changes of one run.

    :param target: the namespace.
    :param dag_id: the run's DAG.
    :param run_id: its id.
    :param by: the caller: a retry of the same task continues what its first try did.
    :param order: its place in the order of runs; recorded, so that no older run deploys over it.
    """

    def __init__(
        self, target: Target, *, dag_id: str, run_id: str, by: str, order: OrderToken | None
    ) -> None:
        self._target = target
        self._client = target.client
        self._run = {"dag_id": dag_id, "run_id": run_id}
        self._by = by
        self._order = order

    def undo(self, name: str) -> Undone:
        """
        Undo what the run changed on a deployment.

        :raises InvalidModelServerError: there is no version from before the run to restore.
        """
        try:
            return until_unchanged(name, lambda: self._undo(self._client.get(name)))
        except DeploymentNotFoundError:
            log.info("%s/%s does not exist; nothing to undo", self._client.namespace, name)
            return Undone()

    def _undo(self, current: SeldonDeployment) -> Undone:
        if is_being_deleted(current):
            return self._nothing(current, "is being deleted")
        run, dag_id = self._run["run_id"], self._run["dag_id"]
        if is_of(current, run=run, dag_id=dag_id):
            # Its task was killed before it could abort.
            return Undone(rollout=abort(self._target, current.name, run=run, dag_id=dag_id))
        record = BeforeRun.of(current)
        if record is None or not record.is_of(**self._run):
            return self._begun(current)
        refuse_foreign(current, self._target.namespace)
        if record.created:
            return self._delete(current, record)
        try:
            version = version_before(current, record)
        except InvalidRequestError as error:
            raise InvalidModelServerError(f"Nothing was rolled back:\n{error}") from None
        if version is None:
            return self._nothing(current, "has the version that this run found")
        back = Restore(self._target).back_to(
            version, current, asked=BEFORE_RUN, by=self._by, order=self._order
        )
        return Undone(rollout=back)

    def _begun(self, current: SeldonDeployment) -> Undone:
        """Continue what an earlier try of the same task wrote, if there is such a write."""
        done = json_object(current.annotations.get(ANNOTATION_ROLLED_BACK))
        present = current.annotations.get(ANNOTATION_REVISION, "")
        mine = done.get("by") == self._by and done.get("asked") == BEFORE_RUN and done.get("to") == present
        version = next((one for one in proven_versions(current) if mine and one.revision == present), None)
        if version is None:
            return self._nothing(current, "was not changed by this run, or not as it is now")
        back = Restore(self._target).back_to(
            version, current, asked=BEFORE_RUN, by=self._by, order=self._order, done=done
        )
        return Undone(rollout=back)

    def _delete(self, current: SeldonDeployment, record: BeforeRun) -> Undone:
        gone = [name for name in record.superseded if not self._exists(name)]
        if gone:
            raise InvalidModelServerError(
                f"Nothing was rolled back: {current.name} replaced {', '.join(gone)}, which has been "
                "deleted, so nothing would serve without it. Deploy the earlier version."
            )
        self._client.delete(current.name, uid=current.uid, resource_version=current.resource_version)
        log.info("Deleted %s/%s, which this run created", self._client.namespace, current.name)
        return Undone(deleted=True)

    def _exists(self, name: str) -> bool:
        try:
            return not is_being_deleted(self._client.get(name))
        except DeploymentNotFoundError:
            return False

    def _nothing(self, current: SeldonDeployment, why: str) -> Undone:
        log.info("%s/%s %s; it is left as it is", self._client.namespace, current.name, why)
        return Undone()
