"""
Carrying a plan out: the order of requests that is safe to interrupt anywhere.

    find equivalents -> plan -> ensure the storage Secret -> apply -> (the caller waits) -> complete

Killed between any two of these and started again, the same task finds what it left behind (the name is a
function of DAG, task and model; the Secret's name one of its content) and comes to the same single deployment.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_seldon.core import identity as ids
from airflow_provider_seldon.core.errors import InvalidRequestError
from airflow_provider_seldon.core.expectation import Expectation
from airflow_provider_seldon.core.fence import OrderToken, overtaken_by
from airflow_provider_seldon.core.identity import Identity
from airflow_provider_seldon.core.info import ModelServerInfo
from airflow_provider_seldon.core.model_server import ModelServer
from airflow_provider_seldon.core.resource import API_VERSION, KIND, SeldonDeployment
from airflow_provider_seldon.core.rollout import Action, LastAvailable, Plan, carried_annotations, plan
from airflow_provider_seldon.core.validation import ensure_valid
from airflow_provider_seldon.exceptions import (
    ConflictError,
    DeploymentNotFoundError,
    InvalidModelServerError,
    StaleRunError,
)
from airflow_provider_seldon.hooks.finder import Finder
from airflow_provider_seldon.hooks.storage import StorageSecret, storage_secret_for

if TYPE_CHECKING:
    from airflow_provider_seldon.hooks.seldon import SeldonHook

log = logging.getLogger(__name__)

#: How often a deploy looks again when somebody else changed the deployment between its read and its write.
CONFLICT_ATTEMPTS = 5


@dataclass(frozen=True, kw_only=True)
class Rollout:
    """
    What a deploy did, and what is left to do when it serves. JSON-able, so that it can travel with a trigger.

    :param name: name of the deployment.
    :param action: a :class:`core.rollout.Action` value.
    :param reason: sentence for the log that says why that action.
    :param info: what is known about the deployment right after the write.
    :param expected: how the applied version is recognised.
    :param superseded: name -> uid of deployments to delete once it serves.
    :param last_available: annotation value to record once it serves.
    """

    name: str
    action: str
    reason: str
    info: ModelServerInfo
    expected: Expectation
    superseded: Mapping[str, str]
    last_available: str = ""

    @property
    def in_flight(self) -> bool:
        """Whether something was written, so that there is a rollout to wait for."""
        return self.action in {Action.CREATE, Action.UPDATE, Action.RESTART}

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {
            "name": self.name,
            "action": str(self.action),
            "reason": self.reason,
            "info": self.info.to_dict(),
            "expected": self.expected.to_json(),
            "superseded": dict(self.superseded),
            "last_available": self.last_available,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Rollout:
        """Read what :meth:`to_json` returned."""
        return cls(
            **{
                **data,
                "info": ModelServerInfo(**data["info"]),
                "expected": Expectation.from_json(data["expected"]),
            }
        )


class Deployer:
    """
    Deploys, completes, scales and deletes through a hook.

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
        deploy: bool,
        replace: bool,
        metrics: Mapping[str, float] | None,
        force_conflicts: bool,
        adopt: bool,
        order: OrderToken | None,
        fence: bool,
    ) -> Rollout:
        """See :meth:`SeldonHook.deploy_model`."""
        request, secret = self._request(
            server, identity=identity, replace=replace, annotations=_annotations(metrics, order)
        )
        named = request.name != identity.deployment_name(replace=replace)
        for _ in range(CONFLICT_ATTEMPTS):
            existing = self._existing(identity, request, named=named, adopt=adopt)
            decided = plan(request, existing, deploy=deploy, replace=replace, adopt=adopt)
            log.info(
                "%s %s/%s: %s",
                decided.action,
                self._client.namespace,
                decided.deployment.name,
                decided.reason,
            )
            if decided.action in {Action.UNCHANGED, Action.REUSE}:
                return self._rollout(decided, decided.deployment, existing)
            if fence and replace and decided.action is not Action.RESTART:
                self._fence(order, existing)
            if secret and decided.action is not Action.RESTART:
                secret.ensure(self._client)
            try:
                stored = self._client.apply(
                    decided.deployment,
                    resource_version=decided.resource_version,
                    force=force_conflicts or adopt,
                )
            except ConflictError as error:
                if error.managers:
                    raise
                log.info("%s/%s changed meanwhile; looking again", self._client.namespace, request.name)
                conflict = error
                continue
            if secret and decided.action is not Action.RESTART:
                self._own(secret, stored)
            return self._rollout(decided, stored, existing)
        raise conflict

    def complete(self, rollout: Rollout) -> list[str]:
        """See :meth:`SeldonHook.complete`."""
        if rollout.in_flight and rollout.last_available:
            self._record_last_available(rollout)
        deleted = []
        for name, uid in rollout.superseded.items():
            try:
                if self._client.delete(name, uid=uid):
                    log.info("Deleted %s/%s, superseded by %s", self._client.namespace, name, rollout.name)
                    deleted.append(name)
            except ConflictError:
                log.info("%s/%s is another object by now; left as it is", self._client.namespace, name)
        return deleted

    def delete(self, name: str, *, wait: bool, timeout: float, managed_only: bool) -> bool:
        """See :meth:`SeldonHook.delete_model_server`."""
        try:
            found = self._client.get(name)
        except DeploymentNotFoundError:
            return False
        if managed_only:
            self._hook.require_managed(found)
        deleted = self._client.delete(name, uid=found.uid)
        if wait:
            self._client.wait_until_deleted(name, uid=found.uid, timeout=timeout)
        return deleted

    def scale(self, name: str, *, stopped: bool) -> SeldonDeployment:
        """See :meth:`SeldonHook.stop` and :meth:`SeldonHook.start`."""
        found = self._client.get(name)
        self._hook.require_managed(found)
        server = ModelServer.from_deployment(found)
        rebuilt = server.to_deployment(
            identity=Identity.of(found), annotations=carried_annotations(found)
        ).to_manifest()
        rebuilt["metadata"]["name"] = name
        if stopped:
            rebuilt["spec"]["predictors"] = [{**one, "replicas": 0} for one in rebuilt["spec"]["predictors"]]
            # What is stored is no longer what the configuration says, and must not pass for "unchanged".
            rebuilt["metadata"]["annotations"][ids.ANNOTATION_REVISION] = ids.deployment_revision(rebuilt)
        return self._client.apply(SeldonDeployment.from_manifest(rebuilt), force=True)

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
        self, identity: Identity, request: SeldonDeployment, *, named: bool, adopt: bool
    ) -> list[SeldonDeployment]:
        """List the equivalents and, where the user gave a name, what bears it now, whoever made that."""
        existing = Finder(self._client).equivalents(identity)
        if not named or any(one.name == request.name for one in existing):
            return existing
        try:
            bearer = self._client.get(request.name)
        except DeploymentNotFoundError:
            return existing
        if not adopt:
            self._hook.require_managed(bearer)
        return [bearer, *existing]

    def _fence(self, order: OrderToken | None, existing: list[SeldonDeployment]) -> None:
        newer = overtaken_by(order, existing)
        if newer is not None:
            theirs = OrderToken.parse(newer.annotations.get(ids.ANNOTATION_ORDER))
            raise StaleRunError(
                f"{self._client.namespace}/{newer.name} was deployed by a newer run ({theirs}) than this one "
                f"({order}); it is left as it is. To deploy the older version all the same, use on_stale='deploy'."
            )

    def _own(self, secret: StorageSecret, stored: SeldonDeployment) -> None:
        if secret.managed:
            self._client.secrets.add_owner(
                secret.name, owner=stored.name, uid=stored.uid, api_version=API_VERSION, kind=KIND
            )

    def _rollout(self, decided: Plan, stored: SeldonDeployment, existing: list[SeldonDeployment]) -> Rollout:
        known = {one.name: one for one in existing}
        return Rollout(
            name=stored.name,
            action=str(decided.action),
            reason=decided.reason,
            info=self._hook.get_model_server_info(stored, action=str(decided.action)),
            expected=Expectation.of(stored, before=known.get(stored.name)),
            superseded={name: known[name].uid for name in decided.superseded if name in known},
            last_available=LastAvailable.of(stored).to_json(),
        )

    def _record_last_available(self, rollout: Rollout) -> None:
        """Record the proof, unless another deploy has written to the deployment meanwhile."""
        try:
            current = self._client.get(rollout.name)
            proven = LastAvailable.from_json(rollout.last_available)
            if current.annotations.get(ids.ANNOTATION_REVISION) != proven.revision:
                log.info("%s was deployed again meanwhile; its proof is not recorded", rollout.name)
                return
            if current.annotations.get(ids.ANNOTATION_LAST_AVAILABLE) == rollout.last_available:
                return
            self._client.annotate(
                rollout.name, {ids.ANNOTATION_LAST_AVAILABLE: rollout.last_available}, uid=current.uid
            )
        except (ConflictError, DeploymentNotFoundError) as error:
            log.info("The proof of %s is not recorded: %s", rollout.name, error)


def _annotations(metrics: Mapping[str, float] | None, order: OrderToken | None) -> dict[str, str]:
    given = {
        ids.ANNOTATION_METRICS: json.dumps(dict(metrics), sort_keys=True) if metrics else None,
        ids.ANNOTATION_ORDER: str(order) if order else None,
    }
    return {key: value for key, value in given.items() if value}
