"""Adopt a deployment that this provider did not create: log the changes and record its content first."""

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

#: The value of ``adopt`` that allows an adoption that cannot be undone.
IRREVERSIBLY = "irreversibly"


def take_over(
    target: Target, before: SeldonDeployment | None, wanted: SeldonDeployment, *, irreversibly: bool
) -> SeldonDeployment | None:
    """
    Prepare an apply on a deployment that this provider did not create; do nothing for one of ours, or without
    one.

    Dry runs on the server show what the apply would change, and that the current content could be restored.
    Then that content is recorded, before anything of it is lost. After a kill at any point, a retry does the
    same again.

    :param before: the existing deployment.
    :param wanted: the deployment to apply.
    :param irreversibly: record nothing, so that a failure leaves the new version.
    :returns: the deployment afterwards.
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
        "Taking over %s, which was created by %s:\n%s",
        where,
        ", ".join(owners) or "another client",
        target.redact(difference(before, after)) or "No difference.",
    )
    if irreversibly:
        log.warning(
            "The current content of %s is not recorded: this cannot be undone, as the task requests.", where
        )
        return before
    try:
        theirs = taken_over(before, wanted)
        back = given_back(theirs, rebuilt(theirs, before))
        client.apply(back, uid=uid, resource_version=version, force=True, dry_run=True)
    except (InvalidRequestError, RejectedError) as error:
        raise NotManagedError(
            f"SeldonDeployment {where} was not created by this provider, and is left as it is: a rollback "
            f"could not restore its current content. adopt={IRREVERSIBLY!r} takes it over "
            f"anyway.\n{target.redact(str(error))}",
            owners=owners,
        ) from None
    return client.annotate(before.name, annotations_after(before, theirs), uid=uid, resource_version=version)
