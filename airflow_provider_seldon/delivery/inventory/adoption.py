"""Taking over somebody else's deployment: before it is done, what that changes is told, and what was there recorded."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow_provider_seldon.core.identity.identity import is_managed
from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.rollout.adoption import given_back, taken_over
from airflow_provider_seldon.core.rollout.diff import difference
from airflow_provider_seldon.core.rollout.history import annotations_after
from airflow_provider_seldon.core.rollout.rebuilding import rebuilt
from airflow_provider_seldon.delivery.inventory.ownership import owners_of
from airflow_provider_seldon.exceptions import NotManagedError, RejectedError

if TYPE_CHECKING:
    from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
    from airflow_provider_seldon.delivery.target import Target

log = logging.getLogger(__name__)

#: The value of ``adopt`` with which an adoption goes on although it could not be undone.
IRREVERSIBLY = "irreversibly"


def take_over(
    target: Target, before: SeldonDeployment | None, wanted: SeldonDeployment, *, irreversibly: bool
) -> SeldonDeployment | None:
    """
    Prepare an apply on a deployment that this provider did not make; do nothing for one of ours, and for none.

    The server says in dry runs what the apply would change, and that what is there now could be put back. Then that is
    recorded, before anything of it is lost. Killed anywhere, a retry does the same again.

    :param before: the deployment as it is.
    :param wanted: what is going to be applied.
    :param irreversibly: record nothing, so that a failure leaves the new version.
    :returns: the deployment as it is after that.
    :raises NotManagedError: the adoption could not be undone.
    :raises ConflictError: the deployment has changed since it was read.
    """
    if before is None or is_managed(before):
        return before
    where = f"{target.namespace}/{before.name}"
    client = target.client
    uid, version = before.uid, before.resource_version
    after = client.apply(wanted, uid=uid, resource_version=version, force=True, dry_run=True)
    owners = owners_of(before)
    log.warning(
        "Taking over %s, which was made by %s:\n%s",
        where,
        ", ".join(owners) or "somebody else",
        target.redact(difference(before, after)) or "No difference.",
    )
    if irreversibly:
        log.warning("What %s is now is not recorded: this cannot be undone, as the task asks for.", where)
        return before
    try:
        theirs = taken_over(before, wanted)
        back = given_back(theirs, rebuilt(theirs, before))
        client.apply(back, uid=uid, resource_version=version, force=True, dry_run=True)
    except (InvalidRequestError, RejectedError) as error:
        raise NotManagedError(
            f"SeldonDeployment {where} was not made by this provider, and is left as it is: a rollback could not give "
            f"it back as it is now. adopt={IRREVERSIBLY!r} takes it over all the same.\n{target.redact(str(error))}",
            owners=owners,
        ) from None
    return client.annotate(before.name, annotations_after(before, theirs), uid=uid, resource_version=version)
