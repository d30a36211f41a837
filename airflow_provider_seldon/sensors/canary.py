"""Monitor a canary that is held for an approval."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.common.compat.sdk import (
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
    PokeReturnValue,
    conf,
)

from airflow_provider_seldon.core.request import argument_rules
from airflow_provider_seldon.triggers.argument_checks import checked
from airflow_provider_seldon.triggers.deferral import BACKSTOP, SeldonTask

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_seldon.core.analysis.analysis import Analysis
    from airflow_provider_seldon.delivery.canary.held import HeldCanary


class SeldonCanarySensor(SeldonTask, BaseSensorOperator):
    """
    Monitor a canary that is held (``hold_at``) while it waits for an approval, and abort it when necessary.

    It runs in parallel to the task that waits for the approval. It succeeds once the canary is promoted,
    aborted, or replaced by another run's. It aborts the canary, and fails with
    :class:`~airflow_provider_seldon.exceptions.CanaryAbortedError`, when the candidate exceeds a hard limit
    (``at_most``) or is no longer ready. It also aborts the canary when its own ``timeout`` expires without a
    decision. It monitors only a canary of its own DAG run.

    Comparisons with the baseline (``at_most_ratio``, ``at_most_delta``, ``GoldenSet``) belong to the end of a
    step and are not made here. ``failure_limit`` counts the failing measurements of one try; with
    ``mode="reschedule"``, those of one poke, which continues while measurements fail.

    :param name: name of the deployment, such as the ``name`` that the canary's task pushed.
    :param analysis: metrics that the candidate must meet; None checks only that it is ready.
    :param prometheus_conn_id: Airflow connection of the Prometheus server to query.
    :param window: seconds of metrics that a measurement covers.
    :param namespace: namespace; defaults to the connection's.
    :param seldon_conn_id: Airflow connection of type ``seldon`` or ``kubernetes``.
    :param failure_policy: see :class:`~airflow_provider_seldon.sensors.deployment.SeldonDeploymentSensor`.
    :param deferrable: free the worker between two measurements. A failure of the candidate's pods then ends a
        pause early.
    :param poke_interval: seconds between two measurements.
    """

    template_fields: Sequence[str] = ("name", "prometheus_conn_id", "namespace", "seldon_conn_id")
    ui_color = "#fdf6d8"
    rules = argument_rules.of(
        *("analysis", "prometheus_conn_id", "window", "namespace", "seldon_conn_id", "failure_policy"),
        *("deferrable", "poke_interval", "timeout"),
        name=argument_rules.NAME,
    )

    def __init__(
        self,
        *,
        name: str,
        analysis: Analysis | None = None,
        prometheus_conn_id: str | None = None,
        window: float = 600.0,
        namespace: str | None = None,
        seldon_conn_id: str = "seldon_default",
        failure_policy: Mapping[str, Any] | None = None,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poke_interval: float = 60.0,
        **kwargs: Any,
    ) -> None:
        # Airflow's own constructor uses these two.
        times = {"poke_interval": poke_interval, **{key: kwargs[key] for key in kwargs if key == "timeout"}}
        kwargs |= checked(type(self).__name__, times, self.rules, parsing=True)
        super().__init__(**kwargs)
        self.name = name
        self.analysis = analysis
        self.prometheus_conn_id = prometheus_conn_id
        self.window = window
        self.namespace = namespace
        self.seldon_conn_id = seldon_conn_id
        self.failure_policy = failure_policy
        self.deferrable = deferrable
        self._held: HeldCanary | None = None
        self.check_literals()

    def execute(self, context: Context) -> Any:
        """Monitor until the canary has ended; see the class."""
        from airflow_provider_seldon.delivery.analysis.measure import refuse_without_prometheus

        self.check_arguments()
        metrics = self.analysis.metrics if self.analysis else ()
        refuse_without_prometheus(metrics, of=type(self).__name__, connected=bool(self.prometheus_conn_id))
        if self.deferrable:
            return self._look_and_defer(context, deadline=time.time() + self.timeout, counters={})
        try:
            return super().execute(context)
        except (AirflowSensorTimeout, AirflowSkipException):
            self._nobody_decided(context)
            raise

    def poke(self, context: Context) -> PokeReturnValue:
        """Measure once; with ``mode="reschedule"``, which loses the counters, until a measurement passes."""
        held = self._held = self._held or self._of(context)
        under_way = held.look()
        while under_way and held.doubtful and self.reschedule:
            time.sleep(self.poke_interval)
            under_way = held.look()
        return PokeReturnValue(is_done=not under_way, xcom_value=None if under_way else "over")

    def execute_complete(self, context: Context, event: Mapping[str, Any]) -> Any:
        """Measure again after a pause in the triggerer."""
        self.check_arguments()
        handoff = event.get("handoff") or {}
        return self._look_and_defer(
            context, deadline=handoff["deadline"], counters=handoff.get("counters") or {}
        )

    def _look_and_defer(self, context: Context, *, deadline: float, counters: Mapping[str, Any]) -> Any:
        from airflow_provider_seldon.core.analysis.counters import Counters

        held = self._of(context)
        held.counters = {name: Counters.from_json(one) for name, one in counters.items()}
        if not held.look():
            return "over"
        if time.time() >= deadline:
            self._held = held
            self._nobody_decided(context)
            if self.soft_fail:
                raise AirflowSkipException("No decision in time; the canary is aborted")
            raise AirflowSensorTimeout("No decision in time; the canary is aborted")
        return self._defer(held, min(deadline, time.time() + self.poke_interval), deadline)

    def _nobody_decided(self, context: Context) -> None:
        """Abort a canary that is still held at the timeout."""
        error = (self._held or self._of(context)).aborted("no decision in time")
        self.log.error("%s", error)

    def _of(self, context: Context) -> HeldCanary:
        from airflow_provider_seldon.delivery.canary.held import HeldCanary
        from airflow_provider_seldon.hooks.prometheus import PrometheusHook

        prometheus = PrometheusHook(self.prometheus_conn_id) if self.prometheus_conn_id else None
        return HeldCanary(
            target=self.hook.target,
            name=self.name,
            run=context["ti"].run_id,
            dag_id=context["ti"].dag_id,
            analysis=self.analysis,
            query=prometheus.client.query if prometheus else None,
            namespace_label=prometheus.namespace_label if prometheus else "namespace",
            window=self.window,
            failure_policy=self.failure_policy,
        )

    def _defer(self, held: HeldCanary, until: float, deadline: float) -> NoReturn:
        from airflow_provider_seldon.triggers.canary import SeldonCanaryTrigger

        left = max(0.0, until - time.time())
        self.defer(
            trigger=SeldonCanaryTrigger(
                seldon_conn_id=self.seldon_conn_id,
                namespace=self.hook.namespace,
                name=self.name,
                deadline=until,
                timeout=left,
                until=until,
                handoff={
                    "deadline": deadline,
                    "counters": {name: one.to_json() for name, one in held.counters.items()},
                },
            ),
            method_name="execute_complete",
            timeout=timedelta(seconds=left + BACKSTOP),
        )
        raise AssertionError("a deferral does not return")
