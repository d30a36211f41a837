"""
Start DAGs when a model server fails, loses pods, or recovers: a trigger for ``AssetWatcher`` (Airflow 3).

On Airflow 2.11, which has no asset watchers, the class is an ordinary trigger that nothing starts.

These triggers and all waiting tasks of a triggerer share one LIST and WATCH for each namespace, on every
version. On Airflow 3.3, triggers that differ only in their events also share one stream: the deployment's
health is evaluated once for all of them. Streams carry the current health, not its changes, and repeat it for
triggers that join late.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Hashable, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any

from airflow.providers.common.compat.triggers import BaseEventTrigger
from airflow.triggers.base import TriggerEvent

from airflow_provider_seldon.core.request import argument_rules
from airflow_provider_seldon.exceptions import InvalidModelServerError
from airflow_provider_seldon.triggers.argument_checks import CheckedArguments
from airflow_provider_seldon.triggers.arguments import serialized

#: The kinds of event.
EVENTS = ("failed", "degraded", "available")

#: Names of the constructor's arguments. They are stored in Airflow's database: add, never rename or remove.
ARGUMENTS = (
    "name",
    "namespace",
    "seldon_conn_id",
    "model_name",
    "dag_id_of_deployer",
    "task_id_of_deployer",
    "grace",
    "events",
)


class SeldonDeploymentEventTrigger(CheckedArguments, BaseEventTrigger):
    """
    Fires whenever the health of a deployment has changed for some time; it never ends.

    - ``failed``: the operator reports Failed, an update does not become ready, or pods cannot start;
    - ``degraded``: fewer pods are available than desired, or a part of the graph is gone;
    - ``available``: after one of the others, the deployment is ready again.

    Each fires once, after the change has held for ``grace`` seconds. When the trigger starts, it fires for a
    deployment that is already unhealthy, unless it has fired for that before. Airflow keeps this state from
    3.3 on; before 3.3, a restart of the triggerer repeats the event. A rollout whose old pods keep serving, a
    first rollout, scaling to zero and deletion fire no event.

    The payload: ``event``, ``namespace``, ``name``, ``reason``, ``message``, ``revision`` (of what is
    deployed), ``state`` (as the operator reports it) and ``time`` (ISO 8601, UTC). The started DAG finds it
    as ``extra["payload"]`` of its asset event.

    :param name: name of the deployment; alternatively, select this provider's newest by the following three.
    :param namespace: its namespace; defaults to the connection's.
    :param seldon_conn_id: Airflow connection of type ``seldon`` or ``kubernetes``.
    :param model_name: model that it serves.
    :param dag_id_of_deployer: DAG that deployed it.
    :param task_id_of_deployer: task that deployed it.
    :param grace: seconds for which a change must hold. Make it longer than a new pod needs to become ready;
        otherwise each lost pod and each scale-up is reported as degraded.
    :param events: kinds of event to fire.
    :raises InvalidModelServerError: an argument is wrong, no argument selects a deployment, or there is no
        such kind of event.
    """

    rules = argument_rules.of(
        *("name", "namespace", "seldon_conn_id", "model_name", "dag_id_of_deployer", "task_id_of_deployer"),
        *("grace", "events"),
    )

    def __init__(
        self,
        *,
        name: str | None = None,
        namespace: str | None = None,
        seldon_conn_id: str = "seldon_default",
        model_name: str | None = None,
        dag_id_of_deployer: str | None = None,
        task_id_of_deployer: str | None = None,
        grace: float = 60.0,
        events: Sequence[str] = EVENTS,
    ) -> None:
        super().__init__()
        if not (name or model_name or dag_id_of_deployer):
            raise InvalidModelServerError.of(
                type(self).__name__,
                "No argument selects a deployment: give name, model_name or dag_id_of_deployer",
            )
        self.name = name
        self.namespace = namespace
        self.seldon_conn_id = seldon_conn_id
        self.model_name = model_name
        self.dag_id_of_deployer = dag_id_of_deployer
        self.task_id_of_deployer = task_id_of_deployer
        self.grace = grace
        self.events: Sequence[str] = events
        # Makes ``events`` a list: Airflow compares arguments before and after JSON, which has no tuples.
        self.check_literals()

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return class path and arguments."""
        return serialized(self, ARGUMENTS)

    def shared_stream_key(self) -> Hashable:
        """Return what determines a deployment's health: all arguments except the events."""
        decisive = (getattr(self, argument) for argument in ARGUMENTS if argument != "events")
        return ("seldon-health", *decisive)

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncGenerator[Any]:
        """Watch, and yield the deployment's health."""
        from airflow_provider_seldon.delivery.waiting.health_watch import HealthWatch, levels
        from airflow_provider_seldon.delivery.waiting.selection import Selection
        from airflow_provider_seldon.hooks.triggerer import reach

        self = cls(**kwargs)
        watch = HealthWatch(
            reach=partial(reach, self.seldon_conn_id, self.namespace),
            selection=Selection(
                name=self.name,
                model_name=self.model_name,
                dag_id=self.dag_id_of_deployer,
                task_id=self.task_id_of_deployer,
            ),
            grace=self.grace,
            logger=self.log,
        )
        async with aclosing(levels(watch)) as found:
            async for level in found:
                yield level

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Any]) -> AsyncGenerator[TriggerEvent]:
        """Fire for each change for which this trigger has not fired yet."""
        from airflow_provider_seldon.delivery.waiting.health_watch import Listener, news

        store = getattr(self, "asset_state_store", None)
        listener = Listener(grace=self.grace, events=self.events, store=store, logger=self.log)
        async with aclosing(news(listener, shared_stream)) as found:
            async for payload in found:
                yield TriggerEvent(dict(payload))

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Do the same without shared streams: before Airflow 3.3."""
        async with (
            aclosing(self.open_shared_stream(self.serialize()[1])) as stream,
            aclosing(self.filter_shared_stream(stream)) as events,
        ):
            async for event in events:
                yield event
