"""Claims of others on a deployment: newer runs, other DAGs, and managers that apply its fields."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow_provider_seldon.core.identity.identity import is_managed
from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.rollout.fence import OrderToken, order_of, overtaken_by
from airflow_provider_seldon.core.rollout.replacement import other_dag, refuse_to_replace
from airflow_provider_seldon.delivery.inventory.ownership import appliers_of
from airflow_provider_seldon.exceptions import DeploymentNotFoundError, InvalidModelServerError, StaleRunError

if TYPE_CHECKING:
    from airflow_provider_seldon.core.identity.identity import Identity
    from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
    from airflow_provider_seldon.core.rollout.plan import Plan
    from airflow_provider_seldon.delivery.rollout.handoff import Rollout
    from airflow_provider_seldon.kube.requests.client import SeldonClient

log = logging.getLogger(__name__)


def refuse_stale(namespace: str, order: OrderToken | None, existing: list[SeldonDeployment]) -> None:
    """
    Refuse to replace what a newer run has deployed.

    :param namespace: for the message.
    :param order: place of this deploy in the order of runs.
    :param existing: the equivalents.
    :raises StaleRunError: a newer run has deployed one of them.
    """
    now = datetime.now(UTC)
    newer = overtaken_by(order, existing, now=now)
    if newer is not None:
        theirs = order_of(newer, now=now)
        raise StaleRunError(
            f"{namespace}/{newer.name} was deployed by a newer run ({theirs}) than this one "
            f"({order}); it is left as it is. To deploy the older version anyway, a deploy has "
            "on_stale='deploy'."
        )


def overtaken(client: SeldonClient, rollout: Rollout) -> StaleRunError | None:
    """
    Return the error of a rollout that a newer run has overwritten; None if none has.

    Requests: one GET. Call it only after a failed wait.
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
        f"{client.namespace}/{rollout.name} was deployed by a newer run ({theirs}) while this one ({own}) "
        f"waited for revision {rollout.info.revision}; it is left as it is."
    )


def heed_claims(
    before: SeldonDeployment, wanted: SeldonDeployment, identity: Identity, *, replace: bool
) -> None:
    """
    Refuse to replace a deployment that must stay, and warn if two DAGs deploy under one name.

    :raises InvalidModelServerError: the deployment must stay.
    """
    if not is_managed(before):
        return
    try:
        refuse_to_replace(before, wanted, identity, replace=replace)
    except InvalidRequestError as error:
        raise InvalidModelServerError.of(f"{identity.dag_id}.{identity.task_id}", error) from None
    if other := other_dag(before, identity):
        log.warning(
            "%s was deployed by DAG %s, and DAG %s now replaces it. If both continue, they alternate: "
            "give each its own name, or remove one.",
            before.name,
            other,
            identity.dag_id,
        )


def takes_back(decided: Plan, before: SeldonDeployment | None) -> bool:
    """
    Return whether to take over fields that others wrote: stored content is kept, manual changes are reverted.

    Not from a manager that applies them: two that apply the same fields would overwrite each other for ever.
    """
    return decided.as_stored or (decided.puts_back and before is not None and not appliers_of(before))
