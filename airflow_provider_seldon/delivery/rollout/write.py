"""Apply a deployment, with everything that must exist before or right after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_seldon.core.rollout.write_mark import Written
from airflow_provider_seldon.delivery.inventory.adoption import IRREVERSIBLY, take_over
from airflow_provider_seldon.delivery.inventory.removal import delete_if
from airflow_provider_seldon.delivery.rollout.annotation_space import make_room
from airflow_provider_seldon.delivery.rollout.replicas import apply_over_scaling
from airflow_provider_seldon.delivery.storage.storage_secret_use import note, storage_secrets_of
from airflow_provider_seldon.exceptions import SeldonError

if TYPE_CHECKING:
    from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
    from airflow_provider_seldon.core.rollout.plan import Adopt
    from airflow_provider_seldon.delivery.storage.storage_secret import StorageSecret
    from airflow_provider_seldon.delivery.target import Target


def write(
    target: Target,
    wanted: SeldonDeployment,
    *,
    before: SeldonDeployment | None,
    secret: StorageSecret | None,
    resource_version: str | None,
    force: bool,
    adopt: Adopt,
) -> SeldonDeployment:
    """
    Apply, with a storage Secret that always has an owner: the old object before the new spec, else the new
    one.

    A Secret that the deployment used before is checked as well: it may have been deleted by hand.
    """
    client = target.client
    foreign = take_over(target, before, wanted, irreversibly=adopt == IRREVERSIBLY)
    if foreign is not before:
        before, resource_version = foreign, foreign.resource_version if foreign else None
    resource_version = make_room(client, wanted, before, resource_version)
    if secret and before is not None:
        known = secret.name in storage_secrets_of(before)
        if secret.managed and not known:
            resource_version = note(client, secret.name, before, resource_version)
        secret.ensure(client, before, known=known)
    stored = apply_over_scaling(client, wanted, before=before, resource_version=resource_version, force=force)
    if secret and before is None:
        try:
            secret.ensure(client, stored)
        except SeldonError:
            written, uid = Written.of(wanted, stored), stored.uid
            delete_if(client, stored.name, lambda one: one.uid == uid and written.is_in(one))
            raise
    return stored
