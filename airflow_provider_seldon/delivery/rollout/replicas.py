"""
An apply that succeeds although another client has scaled the deployment.

``kubectl scale`` and autoscalers own ``spec.replicas`` from then on. A deploy carries their numbers over, so
an apply conflicts with them only if it has a reason to set another number; then it takes over that field, and
no other.

An apply without a canary ends one. The lease is removed also if another client has edited it, and so owns it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow_provider_seldon.core.canary.lease import LEASE
from airflow_provider_seldon.core.scaling.replicas import set_by_hand
from airflow_provider_seldon.exceptions import ConflictError

if TYPE_CHECKING:
    from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
    from airflow_provider_seldon.kube.requests.client import SeldonClient

log = logging.getLogger(__name__)

_NUMBER = ".spec.replicas"


def apply_over_scaling(
    client: SeldonClient,
    wanted: SeldonDeployment,
    *,
    before: SeldonDeployment | None,
    resource_version: str | None,
    force: bool = False,
    from_anybody: bool = False,
) -> SeldonDeployment:
    """
    Apply; if another manager owns only the number of pods, take that over.

    The second request has the same resource version as the first, so no other field can have changed its
    owner in between.

    :param before: the deployment as it was read; None for one that must not exist yet.
    :param resource_version: resource version of ``before``; without it nothing is taken over.
    :param force: take over whatever others own.
    :param from_anybody: take the number over also from a manager that applies it, such as a GitOps tool.
    :raises ConflictError: other managers also own other fields, or the object has changed since.
    """
    uid = before.uid if before else None
    try:
        stored = client.apply(
            wanted, create=before is None, uid=uid, resource_version=resource_version, force=force
        )
        return _without_edited_lease(client, wanted, stored)
    except ConflictError as error:
        theirs = before is not None and (from_anybody or set_by_hand(before.to_manifest()))
        if set(error.fields) != {_NUMBER} or not resource_version or not theirs:
            raise
        log.info("%s has set the number of pods; taking it over", ", ".join(error.managers))
    stored = client.apply(wanted, uid=uid, resource_version=resource_version, force=True)
    return _without_edited_lease(client, wanted, stored)


def _without_edited_lease(
    client: SeldonClient, wanted: SeldonDeployment, stored: SeldonDeployment
) -> SeldonDeployment:
    left = [key for key in LEASE if key in stored.annotations and key not in wanted.annotations]
    if not left:
        return stored
    log.warning(
        "Another client has edited %s on %s; removing it with the canary", " and ".join(left), stored.name
    )
    return client.annotate(stored.name, dict.fromkeys(left), uid=stored.uid)
