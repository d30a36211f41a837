"""What others claim of a deployment: newer runs, other DAGs, and whoever applies its fields."""

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
    :param order: when, in the order of runs, this deploy belongs.
    :param existing: the equivalents.
    :raises StaleRunError: one of them is of a newer run.
    """
    now = datetime.now(UTC)
    newer = overtaken_by(order, existing, now=now)
    if newer is not None:
        theirs = order_of(newer, now=now)
        raise StaleRunError(
            f"{namespace}/{newer.name} was deployed by a newer run ({theirs}) than this one "
            f"({order}); it is left as it is. To deploy the older version all the same, use on_stale='deploy'."
        )


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


def heed_claims(
    before: SeldonDeployment, wanted: SeldonDeployment, identity: Identity, *, replace: bool
) -> None:
    """
    Refuse to replace what is meant to stay, and tell where two DAGs deploy under one name.

    :raises InvalidModelServerError: it is meant to stay.
    """
    if not is_managed(before):
        return
    try:
        refuse_to_replace(before, wanted, identity, replace=replace)
    except InvalidRequestError as error:
        raise InvalidModelServerError.of(f"{identity.dag_id}.{identity.task_id}", error) from None
    if other := other_dag(before, identity):
        log.warning(
            "%s was deployed by DAG %s, and DAG %s replaces that now. If both go on, they take turns: give each a name "
            "of its own, or remove one.",
            before.name,
            other,
            identity.dag_id,
        )


def takes_back(decided: Plan, before: SeldonDeployment | None) -> bool:
    """
    Whether to take over fields that others have written: what is stored anyway, and what was changed by hand.

    Not from somebody who applies them: two that apply the same fields would take turns for ever.
    """
    return decided.as_stored or (decided.puts_back and before is not None and not appliers_of(before))
