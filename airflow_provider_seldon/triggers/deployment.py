"""Wait for a deployment in the triggerer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_seldon.core.request import argument_rules
from airflow_provider_seldon.triggers.argument_checks import CheckedArguments
from airflow_provider_seldon.triggers.arguments import serialized

if TYPE_CHECKING:
    from airflow_provider_seldon.delivery.waiting.triggerer_wait import TriggererWait

#: Names of the constructor's arguments. They are stored in Airflow's database: add, never rename or remove.
ARGUMENTS = (
    "seldon_conn_id",
    "namespace",
    "name",
    "model_name",
    "dag_id_of_deployer",
    "task_id_of_deployer",
    "deadline",
    "timeout",
    "expected",
    "failure_policy",
    "handoff",
    "kill_action",
)


class SeldonDeploymentTrigger(CheckedArguments, BaseTrigger):
    """
    Fires one event: how the wait for a deployment ended.

    The event is an :class:`~airflow_provider_seldon.core.readiness.outcome.Outcome` as JSON, with ``handoff``
    in addition. ``cleanup`` is not overridden: a restarting triggerer calls it too, and the wait continues
    elsewhere. Only a user who stops the task (marks or clears it) may change the cluster, and only with
    ``kill_action``; Airflow notifies triggers of this from 3.3 on.

    :param seldon_conn_id: Airflow connection.
    :param namespace: namespace of the deployment; the connection's when None.
    :param name: name of the deployment; alternatively, select this provider's newest by the following three.
    :param model_name: model that it serves.
    :param dag_id_of_deployer: DAG that deployed it.
    :param task_id_of_deployer: task that deployed it.
    :param deadline: epoch seconds at which the wait ends; absolute, so that a restart does not lengthen it.
    :param timeout: without a deadline: seconds from the start, for a trigger that no worker started. With a
        deadline: the seconds that were left when the task deferred, which distinguish an adjusted clock from
        elapsed time.
    :param expected: the write, as returned by ``Expectation.to_json``; None waits for the deployment as
        it is, and for its creation.
    :param failure_policy: fields of ``FailurePolicy`` that differ from the defaults.
    :param handoff: JSON data for the method with which the task resumes; passed through. For a
        ``kill_action`` it is that of a rollout.
    :param kill_action: ``rollback`` or ``delete``: the action on that rollout when a user stops the task;
        None changes nothing.
    :raises InvalidModelServerError: an argument is wrong.
    """

    rules = argument_rules.of(
        *("seldon_conn_id", "namespace", "name", "model_name", "dag_id_of_deployer", "task_id_of_deployer"),
        "failure_policy",
        deadline=argument_rules.optional(argument_rules.RULES["deadline"]),
        timeout=argument_rules.optional(argument_rules.SECONDS),
        expected=argument_rules.optional(argument_rules.PLAIN_MAPPING),
        handoff=argument_rules.ANYTHING,
        kill_action=argument_rules.optional(argument_rules.word("rollback", "delete")),
    )

    def __init__(
        self,
        *,
        seldon_conn_id: str,
        namespace: str | None = None,
        name: str | None = None,
        model_name: str | None = None,
        dag_id_of_deployer: str | None = None,
        task_id_of_deployer: str | None = None,
        deadline: float | None = None,
        timeout: float | None = None,
        expected: Mapping[str, Any] | None = None,
        failure_policy: Mapping[str, Any] | None = None,
        handoff: Mapping[str, Any] | None = None,
        kill_action: str | None = None,
    ) -> None:
        super().__init__()
        self.seldon_conn_id = seldon_conn_id
        self.namespace = namespace
        self.name = name
        self.model_name = model_name
        self.dag_id_of_deployer = dag_id_of_deployer
        self.task_id_of_deployer = task_id_of_deployer
        self.deadline = deadline
        self.timeout = timeout
        self.expected = expected
        self.failure_policy = failure_policy
        self.handoff = handoff
        self.kill_action = kill_action
        self.check_literals()

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return class path and arguments."""
        return serialized(self, ARGUMENTS)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait and report."""
        from airflow_provider_seldon.delivery.waiting.triggerer_wait import broken_off, wait_in_triggerer
        from airflow_provider_seldon.hooks.masking import redact
        from airflow_provider_seldon.hooks.triggerer import reach

        self.check_arguments()
        try:
            target = await reach(self.seldon_conn_id, self.namespace)
            outcome = await wait_in_triggerer(target, self._asked())
        except Exception as error:
            # Airflow would fail the task without resuming it, so the task could not undo its write.
            if not self.handoff:
                raise
            self.log.exception("The wait was interrupted")
            outcome = broken_off(error, name=self.name, namespace=self.namespace, redact=redact)
        yield TriggerEvent({**outcome.to_json(), "handoff": self.handoff})

    async def on_kill(self) -> None:
        """Apply ``kill_action``; Airflow calls it when a user stops a deferred task."""
        from airflow_provider_seldon.hooks.triggerer import reach

        if self.kill_action and self.handoff:
            target = await reach(self.seldon_conn_id, self.namespace)
            self.log.info(
                "A user stopped the task; on_kill: %s of %s", self.kill_action, self.handoff["name"]
            )
            # Its import is slow; ``reach`` has done it, in a thread.
            from airflow_provider_seldon.delivery.rollout.restore import undo_handed_off

            undo = partial(undo_handed_off, target, self.handoff, kill_action=self.kill_action)
            await asyncio.to_thread(undo)

    def _asked(self) -> TriggererWait:
        from airflow_provider_seldon.delivery.waiting.selection import Selection
        from airflow_provider_seldon.delivery.waiting.triggerer_wait import TriggererWait

        return TriggererWait(
            selection=Selection(
                name=self.name,
                model_name=self.model_name,
                dag_id=self.dag_id_of_deployer,
                task_id=self.task_id_of_deployer,
            ),
            deadline=self.deadline,
            timeout=self.timeout,
            expected=self.expected,
            failure_policy=self.failure_policy,
            logger=self.log,
        )
