"""
Notes on the deployment by a run that found its version ready and writes nothing else.

The run's place in the order of runs: without it, a late older run would take the deployment for that of an
even older run, and replace the version that the newer run has just confirmed. And the deployment's expiry:
deploying again renews it.
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
    Record that a run confirms the deployed version, if it is not older than the run that deployed it.

    Requests: one PATCH of annotations, which starts no rollout; none for an older run, and none for a retry
    without an expiry to renew. A deploy does not apply these annotations: otherwise the API server would
    regard them as owned by another manager.

    :param decided: a plan that leaves the deployment as it was read.
    :param expiry: when it expires; None for never.
    :returns: the deployment with the notes.
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
