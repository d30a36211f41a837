"""Bake: no writes and no requests; the shared watch reports when the deployment fails meanwhile."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from airflow_provider_seldon.core.readiness.health import Health, HealthMonitor
from airflow_provider_seldon.delivery.waiting.health_watch import HealthObserver
from airflow_provider_seldon.kube.watch.informer_factory import subscribe

if TYPE_CHECKING:
    from airflow_provider_seldon.kube.access.access import ClusterAccess

#: Seconds for which a deployment must be found failed before its bake is interrupted.
FAILED_FOR = 5.0


async def bake(
    access: ClusterAccess, namespace: str, name: str, *, until: float, grace: float = FAILED_FOR
) -> str:
    """
    Wait until ``until``, or until the deployment has failed.

    :param until: epoch seconds.
    :param grace: seconds for which it must be found failed.
    :returns: why it ended early; empty when it did not.
    """
    ends_at = time.monotonic() + until - time.time()
    monitor = HealthMonitor(grace=grace)
    if until <= time.time():
        return ""
    async with subscribe(access, namespace, name) as subscription:
        look = HealthObserver(monitor, subscription)
        while (left := ends_at - time.monotonic()) > 0:
            change = await look()
            if change is not None and change.event is Health.FAILED:
                return f"{change.reason}: {change.message}"
            if monitor.gone:
                return "NotFound: the deployment is gone"
            await subscription.changed(min(look.pause, left))
    return ""
