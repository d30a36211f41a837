"""Wait for a deployment in the triggerer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent


class SeldonDeploymentTrigger(BaseTrigger):
    """
    Ends with one event: how the wait for a deployment ended.

    The event is an :class:`~airflow_provider_seldon.core.outcome.Outcome` as JSON, with ``handoff`` beside it.
    Nothing here changes the cluster, neither on a kill nor on a clean-up: a triggerer that restarts cleans up
    too, and the wait goes on elsewhere.

    :param seldon_conn_id: Airflow connection.
    :param namespace: namespace of the deployment.
    :param name: name of the deployment.
    :param deadline: epoch seconds at which the wait ends; absolute, so that a restart does not lengthen it.
    :param expected: what was written, as ``Expectation.to_json`` gives it; None waits for whatever is there,
        and for its coming into being.
    :param selectors: instead of a name: arguments of ``SeldonHook.find_model_servers``.
    :param failure_policy: fields of ``FailurePolicy`` that differ from the defaults.
    :param handoff: JSON data for the method that the task resumes with; passed through.
    """

    def __init__(
        self,
        *,
        seldon_conn_id: str,
        namespace: str,
        name: str | None = None,
        deadline: float,
        expected: Mapping[str, Any] | None = None,
        selectors: Mapping[str, str] | None = None,
        failure_policy: Mapping[str, Any] | None = None,
        handoff: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.seldon_conn_id = seldon_conn_id
        self.namespace = namespace
        self.name = name
        self.deadline = deadline
        self.expected = expected
        self.selectors = selectors
        self.failure_policy = failure_policy
        self.handoff = handoff

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return class path and arguments; what is not set is left out, so that releases stay compatible."""
        arguments = {
            "seldon_conn_id": self.seldon_conn_id,
            "namespace": self.namespace,
            "name": self.name,
            "deadline": self.deadline,
            "expected": dict(self.expected) if self.expected is not None else None,
            "selectors": dict(self.selectors) if self.selectors else None,
            "failure_policy": dict(self.failure_policy) if self.failure_policy else None,
            "handoff": dict(self.handoff) if self.handoff is not None else None,
        }
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {key: value for key, value in arguments.items() if value is not None},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait and report."""
        from airflow_provider_seldon.hooks.awaiting import wait_in_triggerer

        outcome = await wait_in_triggerer(self)
        yield TriggerEvent({**outcome.to_json(), "handoff": self.handoff})
