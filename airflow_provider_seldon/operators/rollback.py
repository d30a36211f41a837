"""Roll a model server back to an earlier version, and wait until that is ready."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_seldon.core.request import argument_rules
from airflow_provider_seldon.operators.base import SeldonRolloutOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_seldon.exceptions import StaleRunError


class SeldonRollbackOperator(SeldonRolloutOperator):
    """
    Roll back to a version that was ready before; the URL stays.

    The deployment keeps the last ten versions that were ready. The running version keeps serving until the
    earlier one is ready, and also if that fails. A retry restores the same version, also with ``previous``.
    Afterwards, deploys of runs older than this task's run count as stale; newer runs deploy as usual. If a
    newer run deploys while this task writes or waits, the task is skipped.

    ``to="before_run"`` undoes what the task's own DAG run changed, in all of its tasks and tries: it restores
    the version from before the run, and deletes a deployment that the run created. If the run changed
    nothing, or another run has deployed since, the task is skipped.

    Returns, and pushes as separate XComs, what ``SeldonDeployModelOperator`` does; ``action`` is ``rolled_back``, or
    ``deleted``.

    :param name: name of the deployment, such as the ``name`` that the deploying task pushed.
    :param to: ``previous``: the version before the running one, skipping versions that were
        rolled back; the revision of one of the versions that are kept; or ``before_run``.
    :param kwargs: see :class:`~airflow_provider_seldon.operators.base.SeldonRolloutOperator`.
    """

    template_fields: Sequence[str] = ("name", "to", "namespace", "seldon_conn_id")
    ui_color = "#f5ead9"
    rules = {**SeldonRolloutOperator.rules, **argument_rules.of("to", name=argument_rules.NAME)}  # noqa: RUF012

    def __init__(self, *, name: str, to: str = "previous", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.to = to
        self.check_literals()

    def execute(self, context: Context) -> dict[str, Any]:
        """Roll back and wait; see the class."""
        from airflow_provider_seldon.core.waves.before_run import BEFORE_RUN
        from airflow_provider_seldon.exceptions import StaleRunError

        self.check_arguments()
        task_instance = context["ti"]
        by = "/".join(
            str(part)
            for part in (
                task_instance.dag_id,
                task_instance.task_id,
                task_instance.run_id,
                task_instance.map_index,
            )
        )
        if self.to == BEFORE_RUN:
            return self._undo_run(context, by)
        try:
            rollout = self.hook.roll_back(self.name, to=self.to, by=by, order=self.order(context))
        except StaleRunError as error:
            self.stale(error)
        self.announce_write(context, rollout)
        return self.wait_for(rollout)

    def stale(self, error: StaleRunError) -> NoReturn:
        """Skip the task: a retry would roll back the newer run's version."""
        from airflow.providers.common.compat.sdk import AirflowSkipException

        raise AirflowSkipException(str(error)) from error

    def _undo_run(self, context: Context, by: str) -> dict[str, Any]:
        from airflow.providers.common.compat.sdk import AirflowSkipException

        task_instance = context["ti"]
        run = {"dag_id": task_instance.dag_id, "run_id": task_instance.run_id}
        undone = self.hook.undo_run(self.name, **run, by=by, order=self.order(context))
        if undone.rollout is not None:
            self.announce_write(context, undone.rollout)
            return self.wait_for(undone.rollout)
        if not undone.deleted:
            raise AirflowSkipException(f"This run has nothing to undo on {self.hook.namespace}/{self.name}.")
        told = {"name": self.name, "namespace": self.hook.namespace, "action": "deleted"}
        if not self.is_dry_run:
            return told
        diff = self.hook.dry_run_changes()
        self.log.info("Dry run: %s would be deleted. Nothing was.\n%s", self.name, diff)
        return {**told, "action": "dry-run (deleted)", "dry_run": True, "diff": diff}
