"""Whether a newer run has deployed over a rollout that was waited for: then it has not failed, it is out of date."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow_provider_seldon.core.rollout.fence import OrderToken, order_of
from airflow_provider_seldon.exceptions import DeploymentNotFoundError, StaleRunError

if TYPE_CHECKING:
    from airflow_provider_seldon.delivery.rollout.handoff import Rollout
    from airflow_provider_seldon.kube.requests.client import SeldonClient


def overtaken(client: SeldonClient, rollout: Rollout) -> StaleRunError | None:
    """
    Return what to tell of a rollout that a newer run has written over; None where none has.

    Requests: one GET. Only ask where a wait has ended badly.
    """
    own = OrderToken.parse(rollout.written.order) if rollout.written else None
    if own is None:
        return None
    try:
        current = client.get(rollout.name)
    except DeploymentNotFoundError:
        return None
    theirs = order_of(current, now=datetime.now(UTC))
    if theirs is None or theirs <= own or rollout.is_still(current):
        return None
    return StaleRunError(
        f"{client.namespace}/{rollout.name} was deployed by a newer run ({theirs}) while this one ({own}) waited "
        f"for revision {rollout.info.revision}; it is left as it is."
    )
