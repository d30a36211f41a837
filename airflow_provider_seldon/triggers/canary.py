"""Lead a canary's pauses in the triggerer: until a write serves, and while a step bakes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import TriggerEvent

from airflow_provider_seldon.core.request import argument_rules
from airflow_provider_seldon.triggers.arguments import serialized
from airflow_provider_seldon.triggers.deployment import ARGUMENTS as OF_A_WAIT
from airflow_provider_seldon.triggers.deployment import SeldonDeploymentTrigger

#: Names of the constructor's arguments. They are stored in Airflow's database: add, never rename or remove.
ARGUMENTS = (*OF_A_WAIT, "until", "run_id")
#: Seconds after which a worker is woken whose bake has broken off.
BROKEN_OFF = 10.0


class SeldonCanaryTrigger(SeldonDeploymentTrigger):
    """
    Ends with one event, of which the worker makes the next move: a write serves, or a step has baked.

    While a step bakes nothing is asked of the API server: the watch that all waits of a namespace share tells when the
    deployment has failed, which ends the bake early. A user who ends the task ends the canary (Airflow 3.3).

    :param until: epoch seconds until which the step bakes, or is to be looked at; None to wait for ``expected``.
    :param run_id: DAG run whose canary a user ends who ends the task.
    :param kwargs: see :class:`~airflow_provider_seldon.triggers.deployment.SeldonDeploymentTrigger`.
    """

    rules = {  # noqa: RUF012
        **SeldonDeploymentTrigger.rules,
        **argument_rules.of(
            "run_id",
            until=argument_rules.optional(argument_rules.RULES["deadline"]),
        ),
    }

    def __init__(self, *, until: float | None = None, run_id: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.until = until
        self.run_id = run_id
        self.check_literals()

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return class path and arguments."""
        return serialized(self, ARGUMENTS)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait or bake, and report."""
        if self.until is None:
            async for event in super().run():
                yield event
            return
        self.check_arguments()
        yield TriggerEvent({"baked": await self._baked(self.until), "handoff": self.handoff})

    async def on_kill(self) -> None:
        """Abort the canary; Airflow calls this when a user ends the task while it is deferred."""
        from airflow_provider_seldon.delivery.canary.abort import abort
        from airflow_provider_seldon.hooks.triggerer import reach

        if self.run_id:
            target = await reach(self.seldon_conn_id, self.namespace)
            self.log.info("The task was ended by a user; the canary on %s is aborted", self.name)
            await asyncio.to_thread(abort, target, self.name or "", run=self.run_id)

    async def _baked(self, until: float) -> str:
        """
        Bake; see ``bake``.

        What goes wrong here wakes the worker early, which then looks for itself: Airflow would fail the task without
        waking it, and the canary would be left alone.
        """
        from airflow_provider_seldon.delivery.canary.bake import bake
        from airflow_provider_seldon.hooks.masking import redact
        from airflow_provider_seldon.hooks.triggerer import reach

        try:
            target = await reach(self.seldon_conn_id, self.namespace)
            return await bake(target.access, target.namespace, self.name or "", until=until)
        except Exception as error:
            self.log.exception("The bake broke off")
            await asyncio.sleep(max(0.0, min(BROKEN_OFF, until - time.time())))
            return f"{type(error).__name__}: {redact(str(error))}"
