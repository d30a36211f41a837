"""
The writes of a canary: each is one server-side apply of the whole deployment, its lease included.

Spec and lease change in the same write, so the lease determines the spec. Every write is conditional on the
resource version that it was decided on; if it was stored and only its response was lost, the second attempt
finds the advanced lease and writes nothing. Since the whole deployment is applied, any other deploy or
rollback ends the canary: what they apply has no lease and no candidate.

The deployment's own annotations stay those of the baseline until the candidate is promoted.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_seldon.core.canary.lease import (
    ANNOTATION_CANARY,
    ANNOTATION_CANDIDATE,
    LEASE,
    Lease,
    Stage,
)
from airflow_provider_seldon.core.canary.predictors import (
    main_of,
    refuse_unlike,
    with_candidate,
    with_promoted,
)
from airflow_provider_seldon.core.canary.steps import Step
from airflow_provider_seldon.core.identity.annotations import (
    ANNOTATION_ACTION,
    ANNOTATION_REVISION,
    ANNOTATION_WRITE,
)
from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.lifetime.expiry import Expiry, expiring, expiry_of
from airflow_provider_seldon.core.readiness.expectation import Expectation
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
from airflow_provider_seldon.core.rollout.decision import Decision
from airflow_provider_seldon.core.rollout.history import ProvenVersion
from airflow_provider_seldon.core.rollout.plan import Action, Plan, plan
from airflow_provider_seldon.core.rollout.write_mark import Written
from airflow_provider_seldon.core.scaling.continuation import continued
from airflow_provider_seldon.delivery.canary.under_way import (
    UnderWay,
    baseline_of,
    canary_lost,
    candidate_of,
    has_baseline,
    has_canary,
    of_this_run,
    refuse_other_mapped_leader,
)
from airflow_provider_seldon.delivery.conflicts import known_then, until_unchanged
from airflow_provider_seldon.delivery.rollout.claims import heed_claims, refuse_stale
from airflow_provider_seldon.delivery.rollout.deploy import Deployer, decision_on
from airflow_provider_seldon.delivery.rollout.existing import existing_for
from airflow_provider_seldon.delivery.rollout.handoff import Rollout, new_mark
from airflow_provider_seldon.delivery.rollout.write import write
from airflow_provider_seldon.delivery.storage.storage_secret_use import former_secrets
from airflow_provider_seldon.exceptions import (
    ConflictError,
    DeploymentNotFoundError,
    InvalidModelServerError,
)

if TYPE_CHECKING:
    from airflow_provider_seldon.delivery.rollout.deploy_request import DeployRequest
    from airflow_provider_seldon.delivery.storage.storage_secret import StorageSecret
    from airflow_provider_seldon.delivery.target import Target

log = logging.getLogger(__name__)

#: Seconds for which an abandoned canary is left to a task that may resume it.
GRACE = 120.0
#: Fields that no other client has a reason to own.
_OWN = {f".metadata.annotations.{key}" for key in LEASE}


class Conductor:
    """
    Carries out canaries.

    :param target: the namespace.
    :param patience: maximum seconds of a step: to become ready, and to bake.
    :param force: take over fields that other field managers own.
    """

    def __init__(self, target: Target, *, patience: Callable[[Step], float], force: bool = False) -> None:
        self._target = target
        self._client = target.client
        self._deployer = Deployer(target)
        self._patience = patience
        self._force = force

    def begin(
        self,
        asked: DeployRequest,
        *,
        steps: Sequence[Step],
    ) -> UnderWay | Decision | None:
        """
        Start a canary, or find the one that this run has started.

        :returns: the canary; None if there is nothing to try: no version is running yet, this version is
            already running, or the running version was never proven; the decision, if it is negative.
        :raises InvalidModelServerError: the candidate cannot run together with the baseline; nothing was
            sent.
        :raises StaleRunError: a newer run has deployed, or has a canary in progress.
        """
        now, identity, order = time.time(), asked.identity, asked.order
        request, secret = self._deployer.built(asked, now)

        def begun() -> UnderWay | Decision | None:
            existing, decided = self._decided(asked, request)
            current = next((one for one in existing if one.name == decided.deployment.name), None)
            if current is None:
                return None
            found = of_this_run(current, identity.run_id, decided.deployment)
            if found is not None:
                return found
            if decided.action is not Action.UPDATE or not has_baseline(current, decided.deployment):
                return None
            decision = decision_on(asked.deploy, asked.evidence(existing, now=now))
            if not decision.deploy:
                return decision
            refuse_other_mapped_leader(current, identity)
            heed_claims(current, decided.deployment, identity, replace=True)
            if asked.fence:
                refuse_stale(self._client.namespace, order, existing)
            lease = Lease(
                run=identity.run_id,
                map_index=identity.map_index,
                order=str(order or ""),
                candidate=decided.deployment.annotations[ANNOTATION_REVISION],
                baseline=current.annotations[ANNOTATION_REVISION],
                steps=tuple(steps),
                ttl=asked.ttl,
                expires=time.time() + self._patience(steps[0]) + GRACE,
            )
            return self._write(current, lease, decided.deployment, secret, first=True)

        return until_unchanged(request.name, begun)

    def begun_by(self, asked: DeployRequest) -> UnderWay | None:
        """Return the canary that :meth:`begin` has written before it raised; None if it has written none."""
        request, _ = self._deployer.built(asked, time.time())
        existing, decided = self._decided(asked, request)
        found = (of_this_run(one, asked.identity.run_id, decided.deployment) for one in existing)
        return next((one for one in found if one), None)

    def _decided(
        self, asked: DeployRequest, request: SeldonDeployment
    ) -> tuple[list[SeldonDeployment], Plan]:
        named = request.name != asked.identity.deployment_name(replace=True)
        existing = existing_for(self._client, asked.identity, request, look_up=named, adopt=True)
        return existing, plan(request, existing, adopt=True)

    def bake(self, canary: UnderWay) -> UnderWay:
        """Record that the step has begun to bake: the routes have its weights."""
        now = time.time()
        expires = now + self._patience(canary.lease.current) + GRACE
        return self._move(canary, lambda lease: lease.baking(since=now, expires=expires))

    def shift(self, canary: UnderWay, **changes: Any) -> UnderWay:
        """Write the next step's weights."""

        def further(lease: Lease) -> Lease:
            step = lease.steps[lease.step + 1]
            expires = time.time() + self._patience(step) + GRACE
            return dataclasses.replace(lease.next_step(expires=expires, verdict=lease.verdict), **changes)

        return self._move(canary, further)

    def hold(self, canary: UnderWay, *, seconds: float, **changes: Any) -> UnderWay:
        """Record that the canary waits for an approval, for ``seconds``."""
        expires = time.time() + seconds
        return self._move(
            canary, lambda lease: dataclasses.replace(lease, stage=Stage.HOLDING, expires=expires, **changes)
        )

    def promote(self, canary: UnderWay, *, seconds: float, **changes: Any) -> UnderWay:
        """Write the candidate's content to the main predictor; the candidate stays while that rolls out."""
        expires = time.time() + seconds + GRACE
        return self._move(
            canary,
            lambda lease: dataclasses.replace(
                lease, stage=Stage.PROMOTING, since=None, expires=expires, **changes
            ),
        )

    def finish(self, canary: UnderWay) -> Rollout:
        """Remove the candidate, once the main predictor has its content; the caller waits and completes."""
        name = canary.stored.name
        stored, expected = until_unchanged(name, lambda: self._finished(canary, self._client.get(name)))
        return Rollout(
            name=stored.name,
            action=str(Action.UPDATE),
            reason="the candidate is promoted",
            info=self._target.info(stored, action=str(Action.UPDATE)),
            expected=expected,
            last_available=ProvenVersion.of(stored).to_json(),
            former_secrets=former_secrets(canary.stored, stored),
            written=Written.of(stored, stored),
            expires=str(expiry_of(stored) or ""),
            served_before=True,
        )

    def _finished(self, canary: UnderWay, current: SeldonDeployment) -> tuple[SeldonDeployment, Expectation]:
        if current.annotations.get(ANNOTATION_REVISION) == canary.lease.candidate:
            return current, Expectation.of_found(current)
        _ = self._still_ours(canary, current)
        marks = {ANNOTATION_WRITE: new_mark(), ANNOTATION_ACTION: str(Action.UPDATE)}
        ttl = canary.lease.ttl
        expiry = Expiry.after(ttl, now=time.time()) if ttl else None
        promoted = expiring(candidate_of(current).annotated(marks), expiry)
        stored = self._apply(current, continued(promoted, current, insist=False))
        return stored, dataclasses.replace(Expectation.of(stored), settle=True, routes=True)

    def under_way(self, name: str) -> UnderWay | None:
        """
        Return the canary that is in progress on a deployment, of any run; None when there is none.

        :raises InvalidModelServerError: there is one, and its lease cannot be read.
        """
        try:
            current = self._client.get(name)
        except DeploymentNotFoundError:
            return None
        lease = Lease.of(current)
        if lease is None and has_canary(current):
            raise InvalidModelServerError(
                f"The lease of the canary on {self._client.namespace}/{name} cannot be read. Abort the canary with "
                "SeldonAbortCanaryOperator, and begin it again."
            )
        return None if lease is None else UnderWay.of(current, lease)

    def _move(self, canary: UnderWay, change: Callable[[Lease], Lease]) -> UnderWay:
        wanted = change(canary.lease)
        name = canary.stored.name
        look = known_then(canary.stored, lambda: self._client.get(name))
        return until_unchanged(name, lambda: self._moved(canary, wanted, look()))

    def _moved(self, canary: UnderWay, wanted: Lease, current: SeldonDeployment) -> UnderWay:
        if current is not canary.stored:
            lease = self._still_ours(canary, current)
            if lease.position == wanted.position:
                return UnderWay.of(current, lease)
            if lease.position != canary.lease.position:
                raise canary_lost(self._client.namespace, current.name)
        return self._write(current, wanted, candidate_of(current), None)

    def _still_ours(self, canary: UnderWay, current: SeldonDeployment) -> Lease:
        lease = Lease.of(current)
        mine = (canary.lease.run, canary.lease.candidate)
        if current.uid != canary.stored.uid or lease is None or (lease.run, lease.candidate) != mine:
            raise canary_lost(self._client.namespace, current.name)
        return lease

    def _write(
        self,
        current: SeldonDeployment,
        lease: Lease,
        candidate: SeldonDeployment,
        secret: StorageSecret | None,
        *,
        first: bool = False,
    ) -> UnderWay:
        version = ProvenVersion.of(candidate).to_json()
        marks = {
            ANNOTATION_CANARY: lease.to_json(),
            ANNOTATION_CANDIDATE: version,
            ANNOTATION_WRITE: new_mark(),
        }
        base = baseline_of(current, annotations=marks).to_manifest()
        served = main_of(candidate.to_manifest()["spec"])
        try:
            if first:
                refuse_unlike(base["spec"], candidate.to_manifest()["spec"])
            spec = with_candidate(base["spec"], served, lease.current)
        except InvalidRequestError as error:
            raise InvalidModelServerError(f"Nothing was sent to the cluster:\n{error}") from None
        if lease.stage is Stage.PROMOTING:
            spec = with_promoted(spec, served)
        wanted = continued(SeldonDeployment.from_manifest({**base, "spec": spec}), current, insist=False)
        stored = self._apply(current, wanted, secret)
        return UnderWay(stored=stored, lease=lease, expected=Expectation.of(stored, before=current))

    def _apply(
        self, current: SeldonDeployment, wanted: SeldonDeployment, secret: StorageSecret | None = None
    ) -> SeldonDeployment:
        stored = functools.partial(
            write,
            *(self._target, wanted),
            before=current,
            secret=secret,
            resource_version=current.resource_version,
            adopt=False,
        )
        try:
            return stored(force=self._force)
        except ConflictError as error:
            if not error.fields or not set(error.fields) <= _OWN:
                raise
            log.warning(
                "%s has edited the lease on %s; it is replaced", *(", ".join(error.managers), wanted.name)
            )
        return stored(force=True)
