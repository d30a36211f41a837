"""Wait until a deployment is ready, or is known to have failed."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseSensorOperator, PokeReturnValue, conf
from airflow.triggers.base import StartTriggerArgs

from airflow_provider_seldon.core.request import argument_rules
from airflow_provider_seldon.links.deployment import LINKS
from airflow_provider_seldon.triggers.argument_checks import checked
from airflow_provider_seldon.triggers.deferral import BACKSTOP, SeldonTask

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_seldon.core.readiness.outcome import Outcome

#: Seconds for which one poke watches while it occupies its worker anyway.
WATCH = 60.0
#: Seconds for which a rescheduled poke continues after that, if it sees a failure that must last before it
#: counts: the next poke would start from zero. By default the longest of these times is 300 s.
PATIENCE = 330.0
#: Arguments that select the deployment.
SELECTORS = ("name", "model_name", "dag_id_of_deployer", "task_id_of_deployer")
TRIGGER = "airflow_provider_seldon.triggers.deployment.SeldonDeploymentTrigger"


class SeldonDeploymentSensor(SeldonTask, BaseSensorOperator):
    """
    Wait for a SeldonDeployment, whoever created it: succeed when it is ready, fail when it cannot become
    ready.

    "Ready" means that every child runs the current spec and has finished rolling out. The deployment's own
    ``state`` is not sufficient, because it is stale after an update. If the deployment does not exist yet,
    the sensor waits for it.

    Deferred, it checks again when it resumes, and waits again if the deployment is no longer ready.

    Returns name, URLs, state and origin of the deployment, as ``SeldonDeployModelOperator`` does.

    :param name: name of the deployment; alternatively, select this provider's newest by the following.
    :param model_name: model that it serves.
    :param dag_id_of_deployer: DAG that deployed it.
    :param task_id_of_deployer: task that deployed it.
    :param namespace: namespace; defaults to the connection's.
    :param seldon_conn_id: Airflow connection of type ``seldon`` or ``kubernetes``.
    :param failure_policy: what counts as failed, where that differs from the defaults: fields of
        :class:`~airflow_provider_seldon.core.readiness.failure_policy.FailurePolicy`.
    :param deferrable: wait in the triggerer instead of on a worker.
    :param start_from_trigger: start in the triggerer, without a worker; needs ``deferrable``.
    :param poke_interval: seconds between two checks with ``mode="reschedule"``, or on a worker while the
        deployment is not found; otherwise a change is seen at once.
    """

    template_fields: Sequence[str] = (*SELECTORS, "namespace", "seldon_conn_id")
    ui_color = "#fdf6e0"
    operator_extra_links = LINKS
    rules = argument_rules.of(
        *SELECTORS,
        *(
            "namespace",
            "seldon_conn_id",
            "failure_policy",
            "deferrable",
            "start_from_trigger",
            "poke_interval",
        ),
        "timeout",
    )

    def __init__(
        self,
        *,
        name: str | None = None,
        model_name: str | None = None,
        dag_id_of_deployer: str | None = None,
        task_id_of_deployer: str | None = None,
        namespace: str | None = None,
        seldon_conn_id: str = "seldon_default",
        failure_policy: Mapping[str, Any] | None = None,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        start_from_trigger: bool = False,
        poke_interval: float = 10.0,
        **kwargs: Any,
    ) -> None:
        # Airflow's own constructor uses these two.
        times = {"poke_interval": poke_interval, **{key: kwargs[key] for key in kwargs if key == "timeout"}}
        kwargs |= checked(type(self).__name__, times, self.rules, parsing=True)
        super().__init__(**kwargs)
        self.name = name
        self.model_name = model_name
        self.dag_id_of_deployer = dag_id_of_deployer
        self.task_id_of_deployer = task_id_of_deployer
        self.namespace = namespace
        self.seldon_conn_id = seldon_conn_id
        self.failure_policy = failure_policy
        self.deferrable = deferrable
        self.start_from_trigger = start_from_trigger
        self.check_literals()
        self.start_from_trigger = start_from_trigger and deferrable
        if self.start_from_trigger:
            self.start_trigger_args = StartTriggerArgs(
                trigger_cls=TRIGGER,
                trigger_kwargs=self._trigger_arguments(),
                next_method="execute_complete",
                timeout=timedelta(seconds=self.timeout + BACKSTOP),
            )

    def execute(self, context: Context) -> Any:
        """Wait; see the class."""
        self.check_arguments()
        if not self.deferrable:
            return super().execute(context)
        deadline = time.time() + self.timeout
        looked = self._look(context, for_seconds=0.0)
        if looked.is_done:
            return looked.xcom_value
        return self.defer_until(deadline, **self._selected())

    def poke(self, context: Context) -> PokeReturnValue:
        """
        Watch for a while: a failure shows only over time, and a change is seen at once.

        A failure that must last longer than ``poke_interval`` is found in mode ``reschedule`` as well: a poke
        that sees one keeps its worker until the failure has passed or has lasted.

        :raises DeploymentFailedError: the deployment cannot become ready as it is.
        """
        # Between two pokes the worker is occupied as well, unless the task is rescheduled.
        seconds = self.poke_interval if self.reschedule else WATCH
        patience = min(PATIENCE, self.timeout) if self.reschedule else 0.0
        return self._look(context, for_seconds=min(seconds, self.timeout), patience=patience)

    def _look(self, context: Context, *, for_seconds: float, patience: float = 0.0) -> PokeReturnValue:
        name = self._find_name()
        if name is None:
            self.log.info("The deployment does not exist yet")
            return PokeReturnValue(is_done=False)
        deadline = time.time() + for_seconds
        outcome = self.hook.wait_for(
            name, deadline=deadline, failure_policy=self.failure_policy, patience=patience
        )
        return self._judge(context, outcome)

    def execute_complete(self, context: Context, event: Mapping[str, Any]) -> Any:
        """Resume after the deferral with the trigger's event; wait again if it is outdated."""
        from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSensorTimeout

        from airflow_provider_seldon.core.readiness.outcome import Ending, Outcome

        outcome = Outcome.from_json(event)
        self.namespace = outcome.namespace
        if outcome.ending is Ending.READY:
            # The event is as old as the task waited for a worker.
            now = time.time()
            outcome = self.hook.wait_for(outcome.name, deadline=now, failure_policy=self.failure_policy)
            if outcome.ending is Ending.TIMEOUT:
                self.log.info(
                    "%s: %s (%s); waiting for it again", outcome.name, outcome.message, outcome.reason
                )
                return self.defer_until(now + self.timeout, **self._selected())
        try:
            looked = self._judge(context, outcome)
        except AirflowFailException as error:
            self._skip_if_soft(error)
            raise
        if looked.is_done:
            return looked.xcom_value
        timeout = AirflowSensorTimeout(f"Sensor has timed out: {outcome.reason}: {outcome.message}")
        self._skip_if_soft(timeout)
        raise timeout

    def _judge(self, context: Context, outcome: Outcome) -> PokeReturnValue:
        """Convert an outcome to a poke's return value; one that is not final is "not done"."""
        from airflow_provider_seldon.core.readiness.outcome import Ending
        from airflow_provider_seldon.exceptions import DeploymentFailedError, RolloutError

        if outcome.ending is not Ending.READY:
            self._announce_unready(context, outcome.name)
        if outcome.ending is Ending.TIMEOUT:
            return PokeReturnValue(is_done=False)
        try:
            self.hook.raise_for_outcome(outcome)
        except RolloutError as error:
            raise DeploymentFailedError(
                str(error), reason=error.reason, deployment=error.deployment
            ) from None
        info = self.hook.get_model_server_info(outcome.name)
        self.announce(context, info)
        return PokeReturnValue(is_done=True, xcom_value=info.to_dict())

    def _announce_unready(self, context: Context, name: str) -> None:
        """Announce, once, a deployment that is not ready; missing links must not fail the task."""
        from airflow_provider_seldon.core.invalid_request import InvalidRequestError
        from airflow_provider_seldon.exceptions import SeldonError

        if self.announced is not None or not name:
            return
        try:
            self.announce(context, self.hook.get_model_server_info(name))
        except (SeldonError, InvalidRequestError) as error:
            self.log.debug("%s has no links yet: %s", name, error)

    def _trigger_arguments(self) -> dict[str, Any]:
        common = {name: getattr(self, name) for name in ("seldon_conn_id", "namespace", "failure_policy")}
        given = {name: value for name, value in common.items() if value}
        return {**given, **self._selected(), "timeout": self.timeout}

    def _selected(self) -> dict[str, Any]:
        given = {name: getattr(self, name) for name in SELECTORS}
        return {name: value for name, value in given.items() if value}

    def _find_name(self) -> str | None:
        if self.name:
            return self.name
        found = self.hook.find_model_servers(**self._selectors())
        return found[0].name if found else None

    def _selectors(self) -> dict[str, Any]:
        from airflow_provider_seldon.exceptions import InvalidModelServerError

        given = {
            "model_name": self.model_name,
            "dag_id": self.dag_id_of_deployer,
            "task_id": self.task_id_of_deployer,
        }
        selectors = {key: value for key, value in given.items() if value}
        if not selectors:
            raise InvalidModelServerError(
                "No argument selects the deployment to wait for: give name, model_name, dag_id_of_deployer "
                "or task_id_of_deployer (a template that renders to an empty text counts as not given)."
            )
        return selectors

    def _skip_if_soft(self, error: Exception) -> None:
        from airflow.providers.common.compat.sdk import AirflowSkipException

        if self.soft_fail or getattr(self, "never_fail", False):
            raise AirflowSkipException(str(error)) from error
