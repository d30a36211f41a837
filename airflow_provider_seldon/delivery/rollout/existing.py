"""Deployments that exist before a deploy."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow_provider_seldon.delivery.inventory.ownership import refuse_foreign
from airflow_provider_seldon.delivery.inventory.search import DeploymentSearch, is_being_deleted
from airflow_provider_seldon.exceptions import DeploymentNotFoundError

if TYPE_CHECKING:
    from airflow_provider_seldon.core.identity.identity import Identity
    from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
    from airflow_provider_seldon.kube.requests.client import SeldonClient

log = logging.getLogger(__name__)

#: Seconds to wait for the deletion of a deployment that has the requested name.
DELETION_TIMEOUT = 300.0


def existing_for(
    client: SeldonClient, identity: Identity, asked: SeldonDeployment, *, look_up: bool, adopt: bool
) -> list[SeldonDeployment]:
    """
    List the equivalents and, if the name is to be looked up, the deployment with that name, whoever created
    it.

    A deployment that is being deleted does not count. If it has the requested name, this waits until it is
    gone: a deployment that is re-created earlier adopts the old children, and loses them.

    :param asked: the deployment to write.
    :param look_up: whether to look up its name.
    :param adopt: whether a deployment that this provider does not manage may be returned.
    :raises NotManagedError: this provider does not manage it, and ``adopt`` is false.
    """
    found = DeploymentSearch(client).equivalents(identity)
    for one in found:
        if one.name == asked.name:
            _wait_for_the_end(client, one)
    existing = [one for one in found if not is_being_deleted(one)]
    if not look_up or any(one.name == asked.name for one in existing):
        return existing
    try:
        bearer = client.get(asked.name)
    except DeploymentNotFoundError:
        return existing
    if _wait_for_the_end(client, bearer):
        return existing
    if not adopt:
        refuse_foreign(bearer, client.namespace)
    return [bearer, *existing]


def _wait_for_the_end(client: SeldonClient, deployment: SeldonDeployment) -> bool:
    """Wait until a deployment that is being deleted is gone; return False if it is not being deleted."""
    if not is_being_deleted(deployment):
        return False
    log.info("%s/%s is being deleted; waiting until it is gone", client.namespace, deployment.name)
    client.wait_until_deleted(deployment.name, uid=deployment.uid, timeout=DELETION_TIMEOUT)
    return True
