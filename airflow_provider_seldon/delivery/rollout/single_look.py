"""
One check before reporting a deployment as ready that this task did not write, or has not just watched.

Annotations and ``status.state`` were true when they were written. Since then the operator may have gone down,
and the children may have been scaled to zero or deleted. Requests: one LIST of the deployment's children;
also a GET of the deployment if it was not just read, and of its VirtualService if Istio splits its traffic.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from typing import TYPE_CHECKING

from airflow_provider_seldon.core.children.expected import child_ids
from airflow_provider_seldon.core.readiness.expectation import Expectation
from airflow_provider_seldon.core.readiness.failure_policy import DEFAULT_POLICY, FailurePolicy
from airflow_provider_seldon.core.readiness.judge import Verdict, judge
from airflow_provider_seldon.core.readiness.outcome import Outcome
from airflow_provider_seldon.core.readiness.routes import asks_for_routes, held_against_routes
from airflow_provider_seldon.core.rollout.plan import Action, Plan
from airflow_provider_seldon.exceptions import DeploymentNotFoundError, ForbiddenError
from airflow_provider_seldon.kube.watch.wait import ENDINGS

if TYPE_CHECKING:
    from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
    from airflow_provider_seldon.delivery.rollout.handoff import Rollout
    from airflow_provider_seldon.kube.requests.client import SeldonClient

log = logging.getLogger(__name__)

#: After a wait, which has already waited for removed children.
_WAITED = dataclasses.replace(DEFAULT_POLICY, leftover_grace=0.0)


class SingleLook:
    """
    Checks deployments of a namespace.

    :param client: client of that namespace.
    """

    def __init__(self, client: SeldonClient) -> None:
        self._client = client

    def confirmed(self, decided: Plan) -> tuple[Plan, bool]:
        """
        Return a plan with the check's result in its reason, and whether to wait for the unchanged deployment.

        A plan that writes, or that leaves a deployment unchanged whatever its state, is returned as it is.
        """
        if decided.action not in {Action.UNCHANGED, Action.REUSE}:
            return decided, decided.action.writes
        expected = Expectation.of(decided.deployment)
        verdict = self._with_routes(self._judge(decided.deployment, expected), decided.deployment, expected)
        if verdict.final and ENDINGS[verdict.phase].is_good:
            return decided, False
        reason = (
            f"{decided.reason}; but it is not ready: {verdict.message} ({verdict.reason}); waiting for it"
        )
        return dataclasses.replace(decided, reason=reason), True

    def still(self, rollout: Rollout, ready: Outcome) -> Outcome | None:
        """
        Check whether a ready deployment still is ready; time may have passed, as after a deferral.

        :param ready: how the wait for it ended.
        :returns: the outcome as of now; None if that takes time to find out, so that it must be waited for
            again.
        """
        try:
            deployment: SeldonDeployment | None = self._client.get(rollout.name)
        except DeploymentNotFoundError:
            deployment = None
        expected = dataclasses.replace(rollout.expected, settle=False, routes=False)
        verdict = self._judge(deployment, expected, policy=_WAITED)
        if not verdict.final:
            log.info("%s: %s (%s); waiting for it again", rollout.name, verdict.message, verdict.reason)
            return None
        state = deployment.state.value if deployment else ""
        return dataclasses.replace(
            ready, ending=ENDINGS[verdict.phase], reason=verdict.reason, message=verdict.message, state=state
        )

    def _with_routes(self, verdict: Verdict, deployment: SeldonDeployment, expected: Expectation) -> Verdict:
        """Return the verdict compared with the routes: a written traffic split may not be in effect yet."""
        manifest = deployment.to_manifest()
        if not asks_for_routes(manifest, expected, verdict):
            return verdict
        routes = self._client.routes(deployment.name)
        return held_against_routes(verdict, manifest, routes, expected=expected, now=time.time())

    def _judge(
        self,
        deployment: SeldonDeployment | None,
        expected: Expectation,
        *,
        policy: FailurePolicy = DEFAULT_POLICY,
    ) -> Verdict:
        if deployment is None:
            return judge(None, None, expected=expected, now=time.time())
        manifest = deployment.to_manifest()
        try:
            children = self._client.children(*child_ids(manifest))
        except ForbiddenError:
            children = None
        return judge(manifest, children, expected=expected, now=time.time(), policy=policy)
