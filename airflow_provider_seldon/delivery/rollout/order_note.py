"""
The place of a run that found what it wants: noted on the deployment, although nothing else is written.

Without it, an older run that comes late would take the deployment for one of a run that is older still, and put its own
version in the place of what the newer run has just called right.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow_provider_seldon.core.identity.annotations import ANNOTATION_CONFIRMED
from airflow_provider_seldon.core.rollout.fence import OrderToken, order_of

if TYPE_CHECKING:
    from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
    from airflow_provider_seldon.kube.requests.client import SeldonClient


def note_order(client: SeldonClient, deployment: SeldonDeployment, order: OrderToken | None) -> None:
    """
    Note that a run stands by what is deployed, if it is newer than the run that has deployed it.

    Requests: one PATCH of an annotation, which starts no rollout; none for a retry, or for an older run. It is not the
    annotation that a deploy applies: to the API server, that would be somebody else's by then.

    :param deployment: as it was read.
    :raises ConflictError: it has changed since.
    """
    present = order_of(deployment, now=datetime.now(UTC))
    if order is None or (present is not None and order <= present):
        return
    client.annotate(
        deployment.name,
        {ANNOTATION_CONFIRMED: str(order)},
        uid=deployment.uid,
        resource_version=deployment.resource_version,
    )
