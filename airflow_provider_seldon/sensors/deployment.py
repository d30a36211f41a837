"""Wait until a deployment serves, or is known not to."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseSensorOperator, PokeReturnValue, conf

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_seldon.hooks.seldon import SeldonHook

#: Seconds by which the framework's own time limit lies behind ours, so that ours is the one that is told.
BACKSTOP = 60.0


class SeldonDeploymentSensor(BaseSensorOperator):
    """
    Wait for a SeldonDeployment of whoever: succeed when it serves, fail when it cannot.

    "Serves" means that every child runs the current spec and is up to date; the deployment's own ``state`` alone
    is stale after an update and is not believed.

    Returns name, URLs, state and origin of the deployment, as ``SeldonDeployModelOperator`` does.

    :param name: name of the deployment; or select the newest of this provider's by the following.
    :param model_name: model that it serves.
    :param dag_id_of_deployer: DAG that deployed it.
    :param task_id_of_deployer: task that deployed it.
    :param namespace: namespace; the connection's when left out.
    :param seldon_conn_id: Airflow connection of type ``seldon`` or ``kubernetes``.
    :param failure_policy: what counts as failed, where it should differ from the defaults: fields of
        :class:`~airflow_provider_seldon.core.failure.FailurePolicy`.
    :param deferrable: wait in the triggerer instead of on a worker.
    """

    template_fields: Sequence[str] = (
        "name",
        "model_name",
        "dag_id_of_deployer",
        "task_id_of_deployer",
        "namespace",
        "seldon_conn_id",
    )
    ui_color = "#fdf6e0"

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
        poke_interval: float = 10.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(poke_interval=poke_interval, **kwargs)
        self.name = name
        self.model_name = model_name
        self.dag_id_of_deployer = dag_id_of_deployer
        self.task_id_of_deployer = task_id_of_deployer
        self.namespace = namespace
        self.seldon_conn_id = seldon_conn_id
        self.failure_policy = failure_policy
        self.deferrable = deferrable

    @cached_property
    def hook(self) -> SeldonHook:
        """The hook of ``seldon_conn_id`` in ``namespace``."""
        from airflow_provider_seldon.hooks.seldon import SeldonHook

        return SeldonHook(self.seldon_conn_id, namespace=self.namespace or None)

    def execute(self, context: Context) -> Any:
        """Wait; see the class."""
        if not self.deferrable:
            return super().execute(context)
        ready = self.poke(context)
        if ready:
            return ready.xcom_value
        self._defer()
        return None

    def poke(self, context: Context) -> PokeReturnValue:
        """
        Look once.

        :raises RolloutFailedError: the deployment cannot come to serve as it is.
        """
        from airflow_provider_seldon.core.outcome import Ending

        name = self._find_name()
        if name is None:
            self.log.info("There is no such deployment yet")
            return PokeReturnValue(is_done=False)
        outcome = self.hook.wait_for(name, deadline=time.time(), failure_policy=self.failure_policy)
        if outcome.ending is Ending.TIMEOUT:
            return PokeReturnValue(is_done=False)
        self.hook.raise_for_outcome(outcome)
        return PokeReturnValue(is_done=True, xcom_value=self._result(name))

    def execute_complete(self, context: Context, event: Mapping[str, Any]) -> Any:
        """Go on after the deferral with what the trigger reported."""
        from airflow.providers.common.compat.sdk import AirflowException

        from airflow_provider_seldon.core.outcome import Ending, Outcome

        outcome = Outcome.from_json(event)
        if outcome.ending is Ending.TIMEOUT:
            self._time_out(outcome.message)
        try:
            self.hook.raise_for_outcome(outcome)
        except AirflowException as error:
            self._fail(error)
        return self._result(outcome.name)

    def _defer(self) -> None:
        from airflow_provider_seldon.triggers.deployment import SeldonDeploymentTrigger

        self.defer(
            trigger=SeldonDeploymentTrigger(
                seldon_conn_id=self.seldon_conn_id,
                namespace=self.hook.namespace,
                name=self.name,
                selectors={} if self.name else self._selectors(),
                deadline=time.time() + self.timeout,
                failure_policy=self.failure_policy,
            ),
            method_name="execute_complete",
            timeout=timedelta(seconds=self.timeout + BACKSTOP),
        )

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
                "Nothing says which deployment to wait for: give name, model_name, dag_id_of_deployer or "
                "task_id_of_deployer (a template that renders to an empty text counts as not given)."
            )
        return selectors

    def _result(self, name: str) -> dict[str, Any]:
        return self.hook.get_model_server_info(name).to_dict()

    def _time_out(self, message: str) -> None:
        from airflow.providers.common.compat.sdk import AirflowSensorTimeout, AirflowSkipException

        text = f"Sensor has timed out: {message}"
        raise (AirflowSkipException if self.soft_fail else AirflowSensorTimeout)(text)

    def _fail(self, error: Exception) -> None:
        from airflow.providers.common.compat.sdk import AirflowSkipException

        if self.soft_fail:
            raise AirflowSkipException(str(error)) from error
        raise error
