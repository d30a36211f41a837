"""Every kind of task that works on one deployment; and tasks that fail, with and without a retry policy."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_seldon import exceptions
from airflow_provider_seldon.operators.deploy import SeldonDeployModelOperator
from airflow_provider_seldon.operators.predict import SeldonPredictOperator
from airflow_provider_seldon.operators.rollback import SeldonRollbackOperator
from airflow_provider_seldon.operators.scale import SeldonScaleModelOperator
from airflow_provider_seldon.sensors.deployment import SeldonDeploymentSensor
from tests.airflow_version import AIRFLOW_3_3
from tests.clusters import patience
from tests.clusters.misbehaviour import behaving

START = datetime(2026, 1, 1, tzinfo=UTC)
NAME = "{{ 'linked' }}"
BROKEN = behaving("image-pull")
AT_ONCE = {"waiting": {"ImagePullBackOff": 0.2}}
IRIS: dict[str, Any] = {
    "model_name": "iris",
    "implementation": "SKLEARN_SERVER",
    "timeout": patience(60),
    "deferrable": True,
    "model_uri": "s3://models/iris/1",
}
ERRORS = ("InvalidModelServerError", "ForbiddenError", "ServerUnavailableError", "RolloutFailedError")


class DeployAndForget(SeldonDeployModelOperator):
    """Ends as one whose deferral failed: resumed in another process, it knows nothing of what was announced."""

    def execute_complete(self, context: Any, event: Any) -> Any:
        """Fail."""
        self.announced = None
        raise TimeoutError("Trigger timeout")


with DAG("linked_tasks", start_date=START, schedule=None):
    (
        SeldonDeployModelOperator(task_id="deploy", name=NAME, **IRIS)
        >> SeldonDeployModelOperator(
            task_id="replace", name=NAME, **{**IRIS, "model_uri": "s3://models/iris/2"}
        )
        >> SeldonScaleModelOperator(
            task_id="scale", name=NAME, replicas=2, deferrable=True, timeout=patience(60)
        )
        >> SeldonRollbackOperator(task_id="roll_back", name=NAME, deferrable=True, timeout=patience(60))
        >> SeldonPredictOperator.partial(task_id="predict", data=[[1.0]]).expand(name=["linked", "theirs"])
        >> SeldonDeploymentSensor(task_id="wait", name="theirs", timeout=patience(60))
    )
    SeldonDeployModelOperator(
        task_id="fail", name="broken", model_server=BROKEN, failure_policy=AT_ONCE, on_failure="keep", **IRIS
    ) >> SeldonDeploymentSensor(
        task_id="wait_for_broken",
        name="broken",
        failure_policy=AT_ONCE,
        trigger_rule="all_done",
        deferrable=True,
        timeout=patience(60),
    )
    DeployAndForget(task_id="forget", name="{{ 'forgotten' }}", **IRIS)
    SeldonDeployModelOperator(task_id="refuse", model_server={"replica": 1}, retries=1, **IRIS)


def fail(name: str) -> None:
    """Raise one of the provider's exceptions."""
    raise getattr(exceptions, name)("it went wrong")


def arguments() -> dict[str, dict[str, Any]]:
    """Return the arguments of tasks without a policy and, where there are such, with one."""
    if not AIRFLOW_3_3:
        return {"plain": {}}
    from airflow_provider_seldon.retries import seldon_retry_policy

    return {"plain": {}, "policy": {"retry_policy": seldon_retry_policy(unavailable_delay=timedelta(0))}}


with DAG("failing_tasks", start_date=START, schedule=None):
    for kind, given in arguments().items():
        for error in ERRORS:
            task(task_id=f"{kind}.{error}", retries=1, retry_delay=timedelta(0), **given)(fail)(error)
