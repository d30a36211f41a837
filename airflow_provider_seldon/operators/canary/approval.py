"""Promote or abort a canary that is held for an approval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_seldon.core.request import argument_rules
from airflow_provider_seldon.operators.base import SeldonRolloutOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_seldon.core.canary.lease import Lease


class SeldonPromoteCanaryOperator(SeldonRolloutOperator):
    """
    Replace the running version by the candidate of a canary, and wait until it is ready.

    The main predictor gets the candidate's content and becomes ready. Then the candidate's predictor is
    removed, the version is recorded, and asset events and lineage report it. If the new content does not
    become ready, the previous version is restored, and the task fails. Without a canary on the deployment,
    the task succeeds and does nothing. It is skipped if another DAG run has the canary: an approval is for
    the version that this run has tried.

    Returns what ``SeldonDeployModelOperator`` does; ``action`` is ``updated``, or ``unchanged``.

    It waits on its worker until the main predictor is updated; the wait after that follows ``deferrable``.

    :param name: name of the deployment, such as the ``name`` that the canary's task has pushed.
    :param any_run: also promote a canary of another DAG run.
    :param kwargs: see :class:`~airflow_provider_seldon.operators.base.SeldonRolloutOperator`.
    """

    template_fields: Sequence[str] = ("name", "namespace", "seldon_conn_id")
    ui_color = "#e8f4ea"
    rules = {  # noqa: RUF012
        **SeldonRolloutOperator.rules,
        **argument_rules.of("any_run", name=argument_rules.NAME),
    }

    def __init__(self, *, name: str, any_run: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.any_run = any_run
        self.check_literals()

    def execute(self, context: Context) -> dict[str, Any]:
        """Promote and wait; see the class."""
        from airflow.providers.common.compat.sdk import AirflowSkipException

        from airflow_provider_seldon.core.canary.lease import Stage
        from airflow_provider_seldon.core.readiness.outcome import Ending
        from airflow_provider_seldon.delivery.canary.conduct import Conductor
        from airflow_provider_seldon.delivery.canary.under_way import is_of

        self.check_arguments()
        self.note_start(context)
        conductor = Conductor(self.hook.target, patience=lambda step: 2 * self.timeout + 2 * step.bake)
        canary = conductor.under_way(self.name)
        where = f"{self.hook.namespace}/{self.name}"
        ti = context["ti"]
        mine = canary is not None and is_of(canary.stored, run=ti.run_id, dag_id=ti.dag_id)
        if canary is not None and not mine and not self.any_run:
            raise AirflowSkipException(
                f"Run {canary.lease.run} has a canary on {where}, and this run has none: nothing was promoted. "
                "To promote the canary of any run, use any_run=True."
            )
        if canary is None:
            self.log.info("No canary is under way on %s", where)
            return self.hook.get_model_server_info(self.name, action="unchanged").to_dict()
        if canary.lease.stage is not Stage.PROMOTING:
            canary = conductor.promote(canary, seconds=2 * self.timeout)
        if self.is_dry_run:
            info = self.hook.get_model_server_info(canary.stored, action="dry-run (updated)").to_dict()
            return {**info, "dry_run": True, "diff": self.hook.dry_run_changes()}
        outcome = self.hook.wait_for(
            self.name,
            expected=canary.expected,
            deadline=self.deadline(undoing=False),
            failure_policy=self.failure_policy,
        )
        if outcome.ending in {Ending.FAILED, Ending.TIMEOUT, Ending.WRONG}:
            self._put_back(canary.lease)
        self.hook.raise_for_outcome(outcome, served_before=True)
        rollout = conductor.finish(canary)
        self.announce_write(context, rollout)
        return self.wait_for(rollout)

    def _put_back(self, lease: Lease) -> None:
        from airflow_provider_seldon.delivery.canary.abort import abort, wait_out

        back = abort(self.hook.target, self.name, run=lease.run, candidate=lease.candidate)
        if back is not None:
            self.log.error("The candidate does not become ready in the main predictor; the canary is aborted")
            wait_out(self.hook.target, back, deadline=self.deadline(undoing=True))


class SeldonAbortCanaryOperator(SeldonRolloutOperator):
    """
    Remove the candidate of a canary in one write, and wait until the previous version has all traffic again.

    Without a matching canary, the task succeeds and does nothing. So it can be the teardown of the canary's
    task, and abort what a killed task left behind::

        canary >> SeldonAbortCanaryOperator(task_id="abort", model_name="iris").as_teardown(setups=canary)

    Returns ``aborted``: the names of the deployments whose canary was aborted.

    :param name: name of the deployment, such as the ``name`` that the canary's task has pushed. If it is left
        out, or empty because that task was killed before it could push: all deployments of the model that
        this DAG created, or has a canary on.
    :param model_name: name of the model, if no name is given.
    :param any_run: also abort a canary of another DAG run.
    :param kwargs: see :class:`~airflow_provider_seldon.operators.base.SeldonRolloutOperator`. It waits on its
        worker: routes are updated at once.
    """

    template_fields: Sequence[str] = ("name", "model_name", "namespace", "seldon_conn_id")
    ui_color = "#f7dcd9"
    rules = {  # noqa: RUF012
        **SeldonRolloutOperator.rules,
        **argument_rules.of("name", "model_name", "any_run"),
    }

    def __init__(
        self,
        *,
        name: str | None = None,
        model_name: str | None = None,
        any_run: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.model_name = model_name
        self.any_run = any_run
        self.check_literals()

    def execute(self, context: Context) -> dict[str, Any]:
        """Abort and wait; see the class."""
        from airflow_provider_seldon.delivery.canary.abort import abort, left_behind, wait_out

        self.check_arguments()
        self.note_start(context)
        ti = context["ti"]
        mine = {} if self.any_run else {"run": ti.run_id, "dag_id": ti.dag_id}
        aborted = []
        for name in self._names(context):
            back = abort(self.hook.target, name, **mine)
            if back is not None:
                aborted.append(name)
            else:
                self.log.info("No canary of this run is under way on %s/%s", self.hook.namespace, name)
                back = left_behind(self.hook.target, name)
            if back is not None and not self.is_dry_run:
                outcome = wait_out(
                    self.hook.target,
                    back,
                    deadline=self.deadline(undoing=False),
                    failure_policy=self.failure_policy,
                )
                self.hook.raise_for_outcome(outcome)
        return {"aborted": aborted}

    def _names(self, context: Context) -> list[str]:
        if self.name:
            return [self.name]
        from airflow_provider_seldon.core.identity.identity import Identity
        from airflow_provider_seldon.delivery.canary.under_way import is_of

        ti = context["ti"]
        # Until the promotion, a deployment's labels name the DAG that deployed the running version.
        return [
            one.name
            for one in self.hook.find_model_servers(model_name=self.model_name or None)
            if Identity.of(one).dag_id == ti.dag_id or is_of(one, run=ti.run_id, dag_id=ti.dag_id)
        ]
