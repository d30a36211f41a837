"""
Make the measurements of a step when they are due: on a worker, and in the triggerer.

Meanwhile the API server gets no requests: the watch that all waits of a namespace share reports when the
deployment fails. Measurements that are overdue, because no process could make them, are made at once, as of
their times.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_seldon.core.analysis.analysis_json import has_json
from airflow_provider_seldon.core.analysis.queries import Sides
from airflow_provider_seldon.core.analysis.samples import Sample
from airflow_provider_seldon.core.canary.looks import Look, Plan, Progress
from airflow_provider_seldon.core.canary.report import line_of
from airflow_provider_seldon.delivery.analysis.measure import (
    Compare,
    Query,
    measure,
    measure_on_worker,
    on_worker,
)
from airflow_provider_seldon.delivery.canary.bake import bake

if TYPE_CHECKING:
    from airflow_provider_seldon.kube.access.access import ClusterAccess

#: Seconds after which the clock is read again, which may have been adjusted meanwhile.
LONGEST_SLEEP = 30.0

Measure = Callable[[Look], Awaitable[Mapping[str, Sample]]]


@dataclass(frozen=True, kw_only=True)
class Baked:
    """
    How a pause ended in which a step baked.

    :param failed: why it ended early; empty when it did not.
    :param progress: the step's measurements so far; None if not reported.
    """

    failed: str = ""
    progress: Progress | None = None


@dataclass(kw_only=True)
class AnalysisRun:
    """
    Makes the measurements of one step.

    :param plan: when they are due, and how they are evaluated.
    :param progress: the measurements so far.
    :param measure: measures both sides of all metrics; never raises for an answer of Prometheus.
    :param logger: the task's logger.
    """

    plan: Plan
    progress: Progress
    measure: Measure
    logger: logging.Logger | logging.LoggerAdapter[logging.Logger]
    _told_of: float = field(default=0.0, init=False)
    _made_again: int = field(default=0, init=False)

    @property
    def over(self) -> bool:
        """Whether the step needs no further measurement."""
        return self.plan.over(self.progress)

    async def bake(self, access: ClusterAccess, namespace: str, name: str, *, until: float) -> Baked:
        """
        Let a step bake until it has a verdict, the deployment has failed, or ``until``.

        :param until: epoch seconds.
        """
        watching = asyncio.ensure_future(bake(access, namespace, name, until=until + LONGEST_SLEEP))
        measuring = asyncio.ensure_future(self.look_until(until))
        try:
            done, _ = await asyncio.wait({watching, measuring}, return_when=asyncio.FIRST_COMPLETED)
            failed = "" if measuring in done else watching.result()
            if measuring in done:
                measuring.result()
        finally:
            for one in (watching, measuring):
                one.cancel()
            await asyncio.gather(watching, measuring, return_exceptions=True)
        return Baked(failed=failed, progress=self.progress)

    async def look_until(self, moment: float) -> None:
        """Make the measurements due before ``moment``, in epoch seconds, or until the step is over."""
        while not self.over:
            due = self.plan.due(self.progress)
            await _sleep_until(min(due.at, moment))
            if due.at >= moment:
                return
            samples = await self.measure(due)
            self.progress = self.plan.after(self.progress, samples)
            self._tell(due)

    def _tell(self, made: Look) -> None:
        """Log a measurement: at most one line for each interval, and the one that ends the step."""
        interval = self.plan.interval
        if not self.over and time.time() - made.at > interval:
            self._made_again += 1
            return
        if self._made_again:
            self.logger.info("%d overdue measurements were made, as of their times", self._made_again)
            self._made_again = 0
        verdict = self.progress.verdict
        if verdict is None or (not self.over and made.at - self._told_of < interval * 0.99):
            return
        self._told_of = made.at
        self.logger.info("%s", line_of(self.plan.step, verdict, baked=made.window, over=self.over))


def from_prometheus(plan: Plan, sides: Sides, query: Query | None) -> Measure:
    """Return a function that measures the Prometheus metrics; the others are left out."""

    async def measured(look: Look) -> Mapping[str, Sample]:
        return await measure(plan.metrics, sides=sides, window=look.window, query=query, at=look.at)

    return measured


def from_anything(
    plan: Plan, sides: Sides, query: Query | None, *, compare: Compare | None = None
) -> Measure:
    """
    Return a function that measures all metrics; for a worker. Golden rows come last, so that other metrics do
    not count them.

    Metrics that can only be measured now are left out of overdue measurements, except of those that end a
    step.

    :param compare: sends golden rows to both predictors.
    """
    ask = from_prometheus(plan, sides, query)

    async def measured(look: Look) -> Mapping[str, Sample]:
        samples = dict(await ask(look))
        if look.concludes or time.time() - look.at <= plan.interval:
            asked = [one for one in plan.metrics if look.concludes or not one.at_end]
            samples |= await asyncio.to_thread(
                measure_on_worker, asked, sides=sides, window=look.window, compare=compare
            )
        return samples

    return measured


def for_triggerer(run: AnalysisRun, *, until: float) -> tuple[Plan, float] | None:
    """
    Return which measurements the triggerer can make, and until when; None if a worker must make the next one.

    A metric that runs a user's code (also a subclass of a metric), or sends requests to models, needs a worker:
    for every measurement, or only for those at the end of a step.

    :param until: epoch seconds at which a worker must resume in any case.
    """
    plan = run.plan
    elsewhere = [one for one in plan.metrics if on_worker(one)]
    asked = [one for one in plan.metrics if not on_worker(one)]
    if not asked or plan.analysis is None or not all(one.at_end for one in elsewhere):
        return None
    # The evaluation that ends a step must include the metrics that are not measured here.
    analysis = dataclasses.replace(plan.analysis, metrics=asked, consecutive_success_limit=None)
    if not has_json(analysis):
        return None
    if not elsewhere:
        return plan, until
    if plan.due(run.progress).concludes:
        return None
    return dataclasses.replace(plan, analysis=analysis), min(until, plan.since + plan.step.bake)


async def _sleep_until(moment: float) -> None:
    # Not one long sleep: the clock may be adjusted meanwhile.
    while True:
        left = moment - time.time()
        if left <= 0:
            return
        await asyncio.sleep(min(left, LONGEST_SLEEP))
