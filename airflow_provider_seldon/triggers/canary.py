"""Run a canary's pauses in the triggerer: until a written version is ready, and while a step bakes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import nullcontext
from importlib import import_module
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import TriggerEvent

from airflow_provider_seldon.core.request import argument_rules
from airflow_provider_seldon.triggers.arguments import serialized
from airflow_provider_seldon.triggers.deployment import ARGUMENTS as OF_A_WAIT
from airflow_provider_seldon.triggers.deployment import SeldonDeploymentTrigger

if TYPE_CHECKING:
    from airflow_provider_seldon.core.analysis.samples import Sample
    from airflow_provider_seldon.core.canary.looks import Look
    from airflow_provider_seldon.delivery.canary.analysis_run import AnalysisRun

#: Names of the constructor's arguments. They are stored in Airflow's database: add, never rename or remove.
ARGUMENTS = (*OF_A_WAIT, "until", "run_id")
#: Seconds after which a worker resumes whose bake was interrupted.
BROKEN_OFF = 10.0


class SeldonCanaryTrigger(SeldonDeploymentTrigger):
    """
    Fires one event, with which the worker continues: a written version is ready, or a step has baked.

    While a step bakes, the API server gets no requests: the watch that all waits of a namespace share reports
    when the deployment fails, which ends the bake early. The trigger queries Prometheus itself, and no worker
    resumes before the step has a verdict; see :mod:`airflow_provider_seldon.core.canary.looks`. A user who
    stops the task aborts the canary (Airflow 3.3).

    :param until: epoch seconds at which the bake ends, or a worker must measure; None to wait for
        ``expected``.
    :param run_id: DAG run whose canary is aborted when a user stops the task.
    :param kwargs: ``handoff`` may hold ``looks`` (the measurements of the trigger, and their end; without it,
        a worker measures at ``until``) and ``progress`` (the measurements so far). A release that knows
        neither passes them on, and a worker measures. For the others see
        :class:`~airflow_provider_seldon.triggers.deployment.SeldonDeploymentTrigger`.
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
        failed, looked = await self._baked(self.until)
        yield TriggerEvent({"baked": failed, "looked": looked, "handoff": self.handoff})

    async def on_kill(self) -> None:
        """Abort the canary; Airflow calls this when a user stops the task while it is deferred."""
        from airflow_provider_seldon.delivery.canary.abort import abort
        from airflow_provider_seldon.hooks.triggerer import reach

        if self.run_id:
            target = await reach(self.seldon_conn_id, self.namespace)
            self.log.info("A user stopped the task; aborting the canary on %s", self.name)
            candidate = (self.handoff or {}).get("candidate")
            await asyncio.to_thread(abort, target, self.name or "", run=self.run_id, candidate=candidate)

    async def _baked(self, until: float) -> tuple[str, Any]:
        """
        Bake, and measure if the triggerer can; return why the bake ended early, and the progress as JSON
        data.

        After an error here the worker resumes early and measures by itself: Airflow would fail the task
        without resuming it, and the canary would be abandoned.
        """
        from airflow_provider_seldon.hooks.masking import redact
        from airflow_provider_seldon.hooks.triggerer import reach

        looks = (self.handoff or {}).get("looks")
        run = None
        try:
            target = await reach(self.seldon_conn_id, self.namespace)
            name = self.name or ""
            if not looks:
                from airflow_provider_seldon.delivery.canary.bake import bake

                return await bake(target.access, target.namespace, name, until=until), None
            run = await self._analysis_run(looks)
            ended = await run.bake(target.access, target.namespace, name, until=float(looks["until"]))
            return ended.failed, run.progress.to_json()
        except Exception as error:
            self.log.exception("The bake was interrupted")
            await asyncio.sleep(max(0.0, min(BROKEN_OFF, until - time.time())))
            looked = run.progress.to_json() if run else None
            return f"{type(error).__name__}: {redact(str(error))}", looked

    async def _analysis_run(self, looks: Mapping[str, Any]) -> AnalysisRun:
        """Return the run that measures the step, with the Prometheus connection already read."""
        # Its first import is slow.
        await asyncio.to_thread(import_module, "airflow_provider_seldon.delivery.canary.analysis_run")
        from airflow_provider_seldon.core.analysis.queries import Sides
        from airflow_provider_seldon.core.canary.looks import Plan, Progress
        from airflow_provider_seldon.delivery.canary.analysis_run import AnalysisRun, from_prometheus
        from airflow_provider_seldon.hooks.triggerer import reach_prometheus, spare_collector_of_waits

        plan = Plan.from_json(looks["plan"])
        made = Progress.from_json((self.handoff or {}).get("progress"))
        conn_id = looks.get("prometheus_conn_id")
        client = await reach_prometheus(conn_id) if conn_id else None
        ask = from_prometheus(plan, Sides(**looks["sides"]), client.query if client else None)

        async def measure(look: Look) -> Mapping[str, Sample]:
            # By now all canaries that began together hold their objects; before, there were few waits to
            # count.
            spare_collector_of_waits()
            async with client.turns if client else nullcontext():
                return await ask(look)

        return AnalysisRun(
            plan=plan,
            progress=made if made is not None and made.since == plan.since else plan.begun(),
            measure=measure,
            logger=self.log,
        )
