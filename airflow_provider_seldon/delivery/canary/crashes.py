"""Check whether a candidate has crashed while it baked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_seldon.core.canary.crashes import crashed_since
from airflow_provider_seldon.core.canary.lease import Stage
from airflow_provider_seldon.core.children.expected import child_ids
from airflow_provider_seldon.exceptions import ForbiddenError

if TYPE_CHECKING:
    from airflow_provider_seldon.delivery.canary.under_way import UnderWay
    from airflow_provider_seldon.delivery.target import Target


def crashed(target: Target, canary: UnderWay) -> str:
    """
    Return which container of the candidate has terminated since the step began to bake; empty when none has.

    Without permission to read pods, it returns nothing.
    """
    lease = canary.lease
    if lease.since is None or lease.stage is Stage.PROMOTING:
        return ""
    try:
        engines = {one: one for one in child_ids(canary.stored.to_manifest())}
        pods = target.client.pods.of_deployment(canary.stored.name, engines=engines)
    except ForbiddenError:
        return ""
    return crashed_since(canary.stored.to_manifest(), pods, lease.since)
