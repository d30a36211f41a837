"""What is there already when something is to be deployed."""

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

#: Seconds to wait for the end of a deployment that is being deleted and has the name that is asked for.
DELETION_TIMEOUT = 300.0


def existing_for(
    client: SeldonClient, identity: Identity, asked: SeldonDeployment, *, look_up: bool, adopt: bool
) -> list[SeldonDeployment]:
    """
    List the equivalents and, where the name is to be looked up, what bears it now, whoever made that.

    One that is being deleted is none any more. Where it bears the name that is asked for, its end is waited for:
    what is re-created before its children are gone takes them for its own, and loses them.

    :param asked: what is going to be deployed.
    :param look_up: whether its name is to be looked up.
    :param adopt: whether somebody else's deployment of that name may be returned.
    :raises NotManagedError: it is somebody else's, and may not be.
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
    """Wait until a deployment that is being deleted is gone; return False where it is not."""
    if not is_being_deleted(deployment):
        return False
    log.info("%s/%s is being deleted; waiting for its end", client.namespace, deployment.name)
    client.wait_until_deleted(deployment.name, uid=deployment.uid, timeout=DELETION_TIMEOUT)
    return True
