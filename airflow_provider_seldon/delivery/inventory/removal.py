"""Delete a deployment: always as it was just read, so that no other writer's change is lost."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from airflow_provider_seldon.delivery.conflicts import CONFLICT_ATTEMPTS
from airflow_provider_seldon.delivery.inventory.ownership import refuse_foreign
from airflow_provider_seldon.exceptions import ConflictError, DeploymentNotFoundError

if TYPE_CHECKING:
    from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
    from airflow_provider_seldon.kube.requests.client import SeldonClient

log = logging.getLogger(__name__)


def delete_if(
    client: SeldonClient, name: str, condition: Callable[[SeldonDeployment], bool]
) -> SeldonDeployment | None:
    """
    Delete a deployment on a condition, which is evaluated again if the deployment changes meanwhile.

    :returns: the deleted deployment; None if there is none, or the condition does not hold.
    :raises ConflictError: it changes all the time.
    """
    for _ in range(CONFLICT_ATTEMPTS):
        try:
            current = client.get(name)
        except DeploymentNotFoundError:
            return None
        if not condition(current):
            return None
        try:
            deleted = client.delete(name, uid=current.uid, resource_version=current.resource_version)
        except ConflictError as error:
            log.info("%s/%s changed meanwhile; reading it again", client.namespace, name)
            conflict = error
            continue
        return current if deleted else None
    raise conflict


def delete_named(client: SeldonClient, name: str, *, wait: bool, timeout: float, managed_only: bool) -> bool:
    """See :meth:`SeldonHook.delete_model_server`."""

    def may_go(current: SeldonDeployment) -> bool:
        if managed_only:
            refuse_foreign(current, client.namespace)
        return True

    deleted = delete_if(client, name, may_go)
    if deleted is not None and wait:
        client.wait_until_deleted(name, uid=deleted.uid, timeout=timeout)
    return deleted is not None
