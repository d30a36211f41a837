"""
What a run that found what it wants notes on the deployment, although nothing else is written.

Its place: without it, an older run that comes late would take the deployment for one of a run that is older still, and
put its own version in the place of what the newer run has just called right. And the time for which the deployment is
meant to be there: what is deployed again lives on.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow_provider_seldon.core.identity.annotations import ANNOTATION_CONFIRMED
from airflow_provider_seldon.core.lifetime.expiry import renewal
from airflow_provider_seldon.core.rollout.fence import OrderToken, order_of
from airflow_provider_seldon.core.rollout.plan import Action

if TYPE_CHECKING:
    from airflow_provider_seldon.core.lifetime.expiry import Expiry
    from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
    from airflow_provider_seldon.core.rollout.plan import Plan
    from airflow_provider_seldon.kube.requests.client import SeldonClient


def note_run(
    client: SeldonClient, decided: Plan, order: OrderToken | None, expiry: Expiry | None
) -> SeldonDeployment:
    """
    Note that a run stands by what is deployed, if it is not older than the run that has deployed it.

    Requests: one PATCH of annotations, which starts no rollout; none for an older run, and none for a retry without a
    time to renew. They are not the annotations that a deploy applies: to the API server, those would be somebody else's
    by then.

    :param decided: a plan that leaves the deployment as it was read.
    :param expiry: when its time is over; None so that it stays.
    :returns: the deployment, with what was noted.
    :raises ConflictError: it has changed since.
    """
    deployment = decided.deployment
    present = order_of(deployment, now=datetime.now(UTC))
    if decided.action is Action.KEEP or (order is not None and present is not None and order < present):
        return deployment
    notes = renewal(deployment, expiry)
    if decided.action is Action.UNCHANGED and order is not None and (present is None or order > present):
        notes[ANNOTATION_CONFIRMED] = str(order)
    if notes:
        client.annotate(
            deployment.name, notes, uid=deployment.uid, resource_version=deployment.resource_version
        )
    return deployment.annotated(notes) if notes else deployment
