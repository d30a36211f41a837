"""
A canary that is held for an approval: monitored in the meantime, and aborted when it exceeds a limit.

Only hard limits are checked. The comparison with the baseline is made once, at the end of a step; repeated
for the hours that an approval may take, it would eventually find a difference between equal versions.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_seldon.core.analysis.analysis import Analysis, look
from airflow_provider_seldon.core.analysis.assessment import Grade
from airflow_provider_seldon.core.analysis.counters import Counters
from airflow_provider_seldon.core.analysis.queries import Sides
from airflow_provider_seldon.core.canary.lease import Lease, Stage
from airflow_provider_seldon.core.canary.predictors import CANDIDATE, main_of
from airflow_provider_seldon.core.readiness.expectation import Expectation
from airflow_provider_seldon.core.readiness.outcome import Ending
from airflow_provider_seldon.delivery.analysis.measure import Query, measure, measure_on_worker
from airflow_provider_seldon.delivery.canary.abort import abort, wait_out
from airflow_provider_seldon.delivery.canary.under_way import is_of
from airflow_provider_seldon.delivery.waiting.wait import Waiter
from airflow_provider_seldon.exceptions import CanaryAbortedError, DeploymentNotFoundError

if TYPE_CHECKING:
    from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
    from airflow_provider_seldon.delivery.target import Target

log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class HeldCanary:
    """
    The canary of one DAG run on one deployment.

    :param target: the namespace.
    :param name: name of the deployment.
    :param run: id of its DAG run.
    :param dag_id: its DAG.
    :param analysis: metrics that the candidate must meet; None checks only that it is ready.
    :param query: queries Prometheus; None without a connection.
    :param namespace_label: name of the label in which scraping stores the namespace.
    :param window: seconds of metrics that a measurement covers, at most since the step began to bake.
    :param failure_policy: see ``Waiter.wait``.
    :param counters: counters of the previous measurements.
    """

    target: Target
    name: str
    run: str
    dag_id: str
    analysis: Analysis | None
    query: Query | None = None
    namespace_label: str = "namespace"
    window: float = 600.0
    failure_policy: Mapping[str, Any] | None = None
    counters: Mapping[str, Counters] = field(default_factory=dict)
    #: Whether the last measurement failed, which a few of them may.
    doubtful: bool = False

    def look(self) -> bool:
        """
        Measure once.

        :returns: whether it must be monitored further: False once it is promoted, aborted, or another run's.
        :raises CanaryAbortedError: it exceeded a limit, or is no longer ready, and was aborted.
        """
        try:
            current = self.target.client.get(self.name)
        except DeploymentNotFoundError:
            return False
        lease = Lease.of(current)
        mine = is_of(current, run=self.run, dag_id=self.dag_id)
        if mine and lease is None:
            raise self.aborted("its lease cannot be read, so nothing else would end it")
        if lease is None or not mine or lease.stage is Stage.PROMOTING:
            return False
        if lease.stage is Stage.HOLDING:
            problem = self._unready(current) or self._broken(current, lease)
            if problem:
                raise self.aborted(problem)
        return True

    def aborted(self, reason: str, *, within: float = 300.0) -> CanaryAbortedError:
        """
        Abort the canary, wait until the previous version has all traffic, and return the error with the
        reason.

        :param within: seconds for the wait.
        """
        where = f"{self.target.namespace}/{self.name}"
        error = CanaryAbortedError(
            f"{where}: CanaryAborted: the canary was aborted while it was held: {reason}.",
            reason="CanaryAborted",
            deployment=where,
        )
        back = abort(self.target, self.name, run=self.run, dag_id=self.dag_id)
        if back is None:
            return error.amended("It had no candidate any more.")
        outcome = wait_out(self.target, back, deadline=time.time() + within)
        if outcome.ending is Ending.READY:
            return error.amended("The previous version has all of the traffic again.")
        return error.amended(
            f"Its predictor is removed, but the previous version is not ready: {outcome.reason}: "
            f"{outcome.message}."
        )

    def _unready(self, current: SeldonDeployment) -> str:
        """Return why it has failed, by the same verdict as every wait; checked once."""
        expected = dataclasses.replace(Expectation.of(current), settle=False, routes=False, status=None)
        outcome = Waiter(self.target).wait(
            self.name, expected=expected, deadline=0.0, failure_policy=self.failure_policy
        )
        failed = outcome.ending is Ending.FAILED
        return f"it is no longer ready: {outcome.reason}: {outcome.message}" if failed else ""

    def _broken(self, current: SeldonDeployment, lease: Lease) -> str:
        metrics = [one for one in self.analysis.metrics if not one.at_end] if self.analysis else []
        if self.analysis is None or not metrics:
            return ""
        window = min(self.window, time.time() - (lease.since or 0.0))
        sides = Sides(
            deployment=self.name,
            candidate=CANDIDATE,
            baseline=str(main_of(current.to_manifest()["spec"]).get("name")),
            namespace=self.target.namespace,
            namespace_label=self.namespace_label,
        )
        samples = {
            **asyncio.run(measure(metrics, sides=sides, window=window, query=self.query)),
            **measure_on_worker(metrics, sides=sides, window=window),
        }
        verdict = look(dataclasses.replace(self.analysis, metrics=metrics), samples, self.counters)
        self.counters = verdict.counters
        self.doubtful = any(one.grade is Grade.FAIL for one in verdict.assessments)
        log.info("Held at %s: %s", lease.current, "; ".join(map(str, verdict.assessments)))
        return verdict.reason if verdict.grade is Grade.FAIL else ""
