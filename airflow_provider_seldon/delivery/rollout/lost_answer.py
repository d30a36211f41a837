"""What an interrupted deploy stored although the API server's response was lost."""

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
    Return the rollout that a deploy began although its response was lost; one LIST.

    A write that is stored after this LIST is not found.

    :returns: a rollout for :meth:`~airflow_provider_seldon.delivery.rollout.restore.Restore.undo`; None if
        nothing has the request's mark.
    :raises SeldonError: the API server does not answer.
    """
    for one in DeploymentSearch(target.client).equivalents(request.identity):
        if one.annotations.get(ANNOTATION_WRITE) == request.mark:
            action = one.annotations.get(ANNOTATION_ACTION, "")
            return Rollout(
                name=one.name,
                action=action,
                reason="the response to its write was lost",
                info=target.info(one, action=action),
                expected=Expectation.of(one),
                written=Written.of(one, one),
                # The previous expiry is not known; a deployment must not expire because a deploy of it
                # failed.
                expiry_before="",
            )
    return None
