"""A deploy that was broken off while the API server answered: what it has stored all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_seldon.core.identity.annotations import ANNOTATION_ACTION, ANNOTATION_WRITE
from airflow_provider_seldon.core.readiness.expectation import Expectation
from airflow_provider_seldon.core.rollout.write_mark import Written
from airflow_provider_seldon.delivery.inventory.search import DeploymentSearch
from airflow_provider_seldon.delivery.rollout.handoff import Rollout

if TYPE_CHECKING:
    from airflow_provider_seldon.delivery.rollout.deploy_request import DeployRequest
    from airflow_provider_seldon.delivery.target import Target


def stored_by(target: Target, request: DeployRequest) -> Rollout | None:
    """
    Return the rollout that a deploy has begun although its answer was lost; one LIST.

    A write that is stored later than this looks is not seen.

    :returns: what :meth:`~airflow_provider_seldon.delivery.rollout.restore.Restore.undo` takes back; None where nothing
        bears the request's mark.
    :raises SeldonError: the API server does not answer.
    """
    for one in DeploymentSearch(target.client).equivalents(request.identity):
        if one.annotations.get(ANNOTATION_WRITE) == request.mark:
            action = one.annotations.get(ANNOTATION_ACTION, "")
            return Rollout(
                name=one.name,
                action=action,
                reason="the answer to its write was lost",
                info=target.info(one, action=action),
                expected=Expectation.of(one),
                written=Written.of(one, one),
                # What was there before is not known; a deployment must not expire because a deploy of it failed.
                expiry_before="",
            )
    return None
