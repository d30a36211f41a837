"""Deploy a manifest without the fields that the cluster's CRD does not declare, if the user allows it."""

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
    Deploy; if the API server reports undeclared fields, deploy again without them.

    They are removed from the request itself, so a rollback or the next run does not see them again, and the
    revision is that of the applied content.

    :raises UndeclaredFieldsError: they must not be dropped, or are not in the request's manifest.
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
        log.warning("Dropped, because the cluster's CRD does not declare it: %s", ", ".join(dropped))
        request = dataclasses.replace(request, server=server.model_copy(update={"manifest": manifest}))
