"""The rate at which the operator repeats an endless update."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from airflow_provider_seldon.local.client.kinds import Manifest
from airflow_provider_seldon.local.controllers.informer import Key
from airflow_provider_seldon.local.controllers.manifests import controller_of, namespace_of


class HotLoop:
    """
    Limits the rate of endless updates of Deployments without a number of replicas in the spec.

    A real operator is slowed down by its client and by the server; here nothing else does that.

    :param rate: updates a second of each such Deployment; 0 for none
    :param again: schedules another pass over a SeldonDeployment after some seconds
    """

    def __init__(self, *, rate: float, again: Callable[[Key, float], None]) -> None:
        self._rate = rate
        self._again = again
        self._due: dict[str, float] = {}

    def is_due(self, child: Manifest) -> bool:
        """Whether it is time for another update of this Deployment; otherwise one is scheduled."""
        if self._rate <= 0:
            return False
        uid, time = child["metadata"]["uid"], asyncio.get_running_loop().time()
        due = self._due.get(uid, 0.0)
        is_due = time >= due
        if is_due:
            due = self._due[uid] = time + 1 / self._rate
        owner = controller_of(child)
        if owner is not None:
            self._again((namespace_of(child), owner["name"]), due - time)
        return is_due

    def forget(self, child: Manifest) -> None:
        """Forget a deleted Deployment."""
        self._due.pop(child["metadata"]["uid"], None)
