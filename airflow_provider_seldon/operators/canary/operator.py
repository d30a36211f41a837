"""Try a new version on a part of the traffic before it replaces the running version."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_seldon.core.canary.arguments import refuse_never_held
from airflow_provider_seldon.core.canary.steps import Bake, Shadow, Weight, steps_of
from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.request import argument_rules
from airflow_provider_seldon.exceptions import InvalidModelServerError
from airflow_provider_seldon.links.canary import CANARY_LINKS
from airflow_provider_seldon.operators.canary.breaking_off import BrokenOffCanary
from airflow_provider_seldon.operators.canary.measurable import refuse_unmeasurable
from airflow_provider_seldon.operators.deploy import SeldonDeployModelOperator
from airflow_provider_seldon.operators.unfinished import BREAKING_OFF, leaves_open
from airflow_provider_seldon.triggers.deferral import BACKSTOP

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_seldon.core.analysis.analysis import Analysis
    from airflow_provider_seldon.core.canary.looks import Progress
    from airflow_provider_seldon.core.readiness.outcome import Outcome
    from airflow_provider_seldon.core.request.model_server import ModelServer
    from airflow_provider_seldon.delivery.canary.analysis_run import Baked
    from airflow_provider_seldon.delivery.canary.conduct import Conductor
    from airflow_provider_seldon.delivery.canary.lead import Leader, Pause, Terms
    from airflow_provider_seldon.delivery.canary.under_way import UnderWay
    from airflow_provider_seldon.delivery.rollout.handoff import Rollout
    from airflow_provider_seldon.hooks.prometheus import PrometheusHook


class SeldonCanaryOperator(BrokenOffCanary, SeldonDeployModelOperator):
    """
    Send a growing part of the traffic to a new version, analyse its metrics, and only then replace the old
    version.

    The candidate is an additional predictor of the same deployment, called ``canary``, so URL and names stay.
    Each step writes its weights, waits until every predictor is ready and the routes are written, and bakes.
    While it bakes, the hard limits of the analysis are checked; at its end, the candidate is compared with
    the running version. After the last step the main predictor gets the candidate's content and
    becomes ready, and the candidate's predictor is removed. Only then is the version recorded, and asset
    events and lineage report it.

    Whatever goes wrong (a limit is exceeded, a version does not become ready, an error, a timeout of the
    task, a user who stops it), the candidate's predictor is removed in one write, and the previous version
    gets all traffic.

    After a kill, the task resumes at the step in the lease on the deployment: no step is repeated, none is
    skipped. A newer run's canary replaces an older run's; an older run is refused (``on_stale``).

    The first deploy, an unchanged version, and a negative decision are handled as in
    :class:`~airflow_provider_seldon.operators.deploy.SeldonDeployModelOperator`; so is a version if no proven
    version keeps serving.

    Returns what that operator returns, and ``canary``: ``outcome`` (``promoted`` or ``held``) and the verdict
    of each step. When a canary is aborted, ``canary`` is pushed before the task fails.

    :param steps: weights in percent, rising, as numbers or ``Weight``; after any ``Shadow`` steps.
    :param bake: bake time of steps without their own: seconds or a ``timedelta``, counted from when the
        routes have the weights.
    :param analysis: metrics that the candidate must meet; with None, each step only bakes.
    :param promote: False holds the canary at the weight of the last step, as ``hold_at`` does.
    :param hold_at: once the first step with at least this weight has passed, succeed and leave the canary as
        it is, for an approval: :class:`~airflow_provider_seldon.operators.canary.SeldonPromoteCanaryOperator` or
        :class:`~airflow_provider_seldon.operators.canary.SeldonAbortCanaryOperator` then ends it.
    :param hold_for: seconds to wait for the approval; after that the lease expires.
    :param look_interval: seconds between two measurements while a step bakes.
    :param skip_analysis: for emergencies: only bake (templated).
    :param prometheus_conn_id: Airflow connection of the Prometheus server to query.
    :param kwargs: see :class:`~airflow_provider_seldon.operators.deploy.SeldonDeployModelOperator`.
        ``timeout`` applies to each write, and to a step without a result. ``on_kill`` is not among them:
        stopping the task aborts the canary. ``wait_for_available=False`` applies only where no canary is run.
    """

    template_fields: Sequence[str] = (
        *SeldonDeployModelOperator.template_fields,
        "skip_analysis",
        "prometheus_conn_id",
    )
    ui_color = "#fdf6d8"
    operator_extra_links = CANARY_LINKS
    rules = {  # noqa: RUF012
        **SeldonDeployModelOperator.rules,
        **argument_rules.of(
            *("steps", "bake", "analysis", "promote", "hold_at", "hold_for", "look_interval"),
            *("skip_analysis", "prometheus_conn_id"),
        ),
    }

    def __init__(
        self,
        *,
        steps: Sequence[int | Weight | Shadow],
        bake: Bake = None,
        analysis: Analysis | None = None,
        promote: bool = True,
        hold_at: int | None = None,
        hold_for: float = 86400.0,
        look_interval: float = 60.0,
        skip_analysis: bool | str = False,
        prometheus_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.steps = steps
        self.bake = bake
        self.analysis = analysis
        self.promote = promote
        self.hold_at = hold_at
        self.hold_for = hold_for
        self.look_interval = look_interval
        self.skip_analysis = skip_analysis
        self.prometheus_conn_id = prometheus_conn_id
        self._canary_told: dict[str, Any] | None = None
        self.check_literals()

    def _check_given(self, *, parsing: bool) -> None:
        super()._check_given(parsing=parsing)
        steps, hold_at = (vars(self).get(name) for name in ("steps", "hold_at"))
        if parsing and argument_rules.is_template([steps, hold_at]):
            return
        try:
            refuse_never_held(steps, hold_at)
        except InvalidRequestError as error:
            raise InvalidModelServerError.of(type(self).__name__, error) from None

    def execute(self, context: Context) -> dict[str, Any]:
        """Run the canary, or deploy if there is nothing to try; see the class."""
        self.check_arguments()
        server = self._server()
        self.namespace = self.namespace or server.namespace
        self.note_start(context)
        if self.analysis is not None and not self.skip_analysis:
            refuse_unmeasurable(
                self.analysis,
                of=type(self).__name__,
                hook=self.hook,
                steps=steps_of(self.steps, bake=self.bake),
                prometheus=self._prometheus,
            )
        canary = self._begin(context, server)
        if canary is None:
            return super().execute(context)
        if self.is_dry_run:
            return {**self._info(canary), "dry_run": True, "diff": self.hook.dry_run_changes()}
        with self.aborted_without_leader(context, canary.stored.name, canary.lease.candidate):
            self._leader = self._lead(canary)
        with self.aborted_if_broken_off(context):
            self.announce(context, self.hook.get_model_server_info(canary.stored))
        return self._go_on(context, None, None)

    def execute_complete(self, context: Context, event: Mapping[str, Any]) -> dict[str, Any]:
        """Resume after a pause in the triggerer; the promoted version is waited for as in a plain deploy."""
        handoff = event.get("handoff") or {}
        if "canary" not in handoff:
            self._canary_told = handoff.get("told")
            self.judged_steps = (self._canary_told or {}).get("steps") or ()
            return self._with_canary(super().execute_complete(context, event))
        from airflow_provider_seldon.core.canary.looks import Progress
        from airflow_provider_seldon.core.readiness.outcome import Outcome
        from airflow_provider_seldon.delivery.canary.analysis_run import Baked
        from airflow_provider_seldon.delivery.canary.under_way import is_of

        self.note_start(context)
        self.namespace, name, candidate = handoff["namespace"], handoff["canary"], handoff.get("candidate")
        with self.aborted_without_leader(context, name, candidate):
            self.check_arguments()
            canary = self._conductor().under_way(name)
            if canary is None or not is_of(canary.stored, run=context["ti"].run_id, candidate=candidate):
                self._lost(name)
            self._leader = self._lead(canary)
        progress = Progress.from_json(event.get("looked") or handoff.get("progress"))
        if "ending" in event:
            return self._go_on(context, Outcome.from_json(event), progress)
        return self._go_on(context, Baked(failed=str(event.get("baked", "")), progress=progress), progress)

    def on_kill(self) -> None:
        """Abort the canary; Airflow calls this on the worker."""
        if self._leader is not None:
            from airflow_provider_seldon.delivery.canary.abort import abort

            lease = self._leader.canary.lease
            name = self._leader.canary.stored.name
            abort(self.hook.target, name, run=lease.run, candidate=lease.candidate)
            return
        super().on_kill()

    def _go_on(
        self, context: Context, told: Outcome | Baked | None, progress: Progress | None
    ) -> dict[str, Any]:
        from airflow_provider_seldon.core.canary.transition import Next
        from airflow_provider_seldon.delivery.canary.lead import told as tell

        leader = self._leader
        assert leader is not None
        leader.progress = progress
        with self.aborted_if_broken_off(context):
            pause = leader.next(told)
            while not isinstance(pause, Next):
                self.judged_steps = leader.verdicts
                if self.deferrable:
                    self._defer(pause)
                ended = leader.pause(pause, deadline=self._ends_at(pause), policy=self.failure_policy)
                pause = leader.next(ended)
            self.judged_steps = leader.verdicts
            if pause is Next.HOLD:
                held = tell("held", leader.verdicts)
                self._leader = None
                return {**self._info(leader.canary), "action": "held", "canary": held}
            self._canary_told = tell("promoted", leader.verdicts)
        # From here on it is a plain deploy of the running version; it removes the candidate. Without the wait, the
        # version would not be recorded as proven, and the next one would have no baseline.
        self.deploy_decision = self.wait_for_available = True
        return self._with_canary(super().execute(context))

    def defer_until(self, deadline: float, **wait: Any) -> None:
        """Defer the wait of the deploy that ends a canary, and hand over the verdicts."""
        if self._canary_told:
            wait["handoff"] = {**wait["handoff"], "told": self._canary_told}
        super().defer_until(deadline, **wait)

    def _deploy(self, context: Context, server: ModelServer) -> Rollout:
        with self.aborted_if_broken_off(context):
            rollout = super()._deploy(context, server)
        self._leader = None
        return rollout

    def _with_canary(self, result: dict[str, Any]) -> dict[str, Any]:
        return {**result, "canary": self._canary_told} if self._canary_told else result

    def _begin(self, context: Context, server: ModelServer) -> UnderWay | None:
        from airflow_provider_seldon.core.rollout.decision import Decision
        from airflow_provider_seldon.delivery.rollout.undeclared_fields import with_declared_fields
        from airflow_provider_seldon.exceptions import StaleRunError

        if not self.replace:
            return None
        begin = functools.partial(self._conductor().begin, steps=steps_of(self.steps, bake=self.bake))
        request = self._request(context, server)
        try:
            begun = with_declared_fields(begin, request)
        except StaleRunError as error:
            self.stale(error)
            raise
        except BREAKING_OFF as error:
            if leaves_open(error) and not self.is_dry_run:
                self.abort_unanswered(functools.partial(self._conductor().begun_by, request), error)
            raise
        if isinstance(begun, Decision):
            self.deploy_decision = begun
            return None
        return begun

    def _conductor(self) -> Conductor:
        from airflow_provider_seldon.delivery.canary.conduct import Conductor

        return Conductor(
            self.hook.target,
            patience=lambda step: 2 * self.timeout + 2 * step.bake,
            force=self.force_conflicts,
        )

    def _terms(self) -> Terms:
        from airflow_provider_seldon.delivery.canary.lead import Terms

        analysis = None if self.skip_analysis else self.analysis
        prometheus = self._prometheus if analysis else None
        return Terms(
            analysis=analysis,
            timeout=self.timeout,
            hold_at=self.hold_at,
            hold_for=self.hold_for,
            promote=self.promote,
            look_interval=self.look_interval,
            query=prometheus.client.query if prometheus else None,
            namespace_label=prometheus.namespace_label if prometheus else "namespace",
            ends=self._task_ends(),
        )

    @functools.cached_property
    def _prometheus(self) -> PrometheusHook | None:
        from airflow_provider_seldon.hooks.prometheus import PrometheusHook

        return PrometheusHook(self.prometheus_conn_id) if self.prometheus_conn_id else None

    def _lead(self, canary: UnderWay) -> Leader:
        from airflow_provider_seldon.delivery.canary.lead import Leader

        return Leader(
            target=self.hook.target, conductor=self._conductor(), terms=self._terms(), canary=canary
        )

    def _info(self, canary: UnderWay) -> dict[str, Any]:
        return dict(self.hook.get_model_server_info(canary.stored, action="canary").to_dict())

    def _defer(self, pause: Pause) -> NoReturn:
        from airflow_provider_seldon.operators.canary.pause_trigger import trigger_of_pause

        leader = self._leader
        assert leader is not None
        trigger = trigger_of_pause(
            pause,
            leader,
            end=self._ends_at(pause),
            seldon_conn_id=self.seldon_conn_id,
            namespace=self.hook.namespace,
            prometheus_conn_id=self.prometheus_conn_id,
            failure_policy=self.failure_policy,
        )
        self.defer(
            trigger=trigger,
            method_name="execute_complete",
            timeout=timedelta(seconds=(trigger.timeout or 0.0) + BACKSTOP),
        )
        raise AssertionError("a deferral does not return")
