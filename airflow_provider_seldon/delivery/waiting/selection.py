"""Selection of a trigger's deployment: by name, or the newest that matches."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_seldon.delivery.target import Target

#: Seconds between two searches for a deployment that does not exist yet.
FIND_INTERVAL = 10.0


@dataclass(frozen=True, kw_only=True)
class Selection:
    """
    Selects a deployment.

    :param name: its name; alternatively, the following three select this provider's newest.
    :param model_name: model that it serves.
    :param dag_id: DAG that deployed it.
    :param task_id: task that deployed it.
    """

    name: str | None = None
    model_name: str | None = None
    dag_id: str | None = None
    task_id: str | None = None

    @property
    def facts(self) -> dict[str, str | None]:
        """The facts that select the deployment without a name; None does not select."""
        return {"model_name": self.model_name, "dag_id": self.dag_id, "task_id": self.task_id}

    async def find(self, target: Target) -> str | None:
        """Return the name of the deployment, None while there is none."""
        if self.name:
            return self.name
        return await asyncio.to_thread(self._newest, target)

    def _newest(self, target: Target) -> str | None:
        from airflow_provider_seldon.delivery.inventory.search import DeploymentSearch

        found = DeploymentSearch(target.client).find(facts=self.facts)
        return found[0].name if found else None
