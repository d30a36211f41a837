"""Deploy a manifest without the fields that the cluster's CRD does not declare, where the user says so."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_seldon.core.resource.undeclared_fields import without_fields
from airflow_provider_seldon.exceptions import UndeclaredFieldsError

if TYPE_CHECKING:
    from airflow_provider_seldon.delivery.rollout.deploy_request import DeployRequest

log = logging.getLogger(__name__)

Done = TypeVar("Done")


def with_declared_fields(deploy: Callable[[DeployRequest], Done], request: DeployRequest) -> Done:
    """
    Deploy, and where the API server names fields that it does not know, once more without them.

    They leave the request itself, so a rollback or the next run does not meet them again, and the revision is that of
    what is applied.

    :raises UndeclaredFieldsError: they are not to be left out, or are not in the request's manifest.
    """
    while True:
        server = request.server
        try:
            return deploy(request)
        except UndeclaredFieldsError as error:
            if not request.drop_unknown_fields or server.manifest is None:
                raise
            manifest, dropped = without_fields(server.manifest, error.fields)
            if not dropped:
                raise
        log.warning("Left out, because the cluster's CRD does not declare it: %s", ", ".join(dropped))
        request = dataclasses.replace(request, server=server.model_copy(update={"manifest": manifest}))
