"""Watch the health of a deployment in the triggerer, without end."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowException

from airflow_provider_seldon.core.identity.annotations import ANNOTATION_REVISION
from airflow_provider_seldon.core.readiness.health import Change, Health, HealthMonitor, HealthTransitions
from airflow_provider_seldon.core.resource.unstructured import mapping_at, text_at
from airflow_provider_seldon.delivery.waiting.selection import FIND_INTERVAL, Selection
from airflow_provider_seldon.kube.watch.informer import Subscription
from airflow_provider_seldon.kube.watch.informer_factory import subscribe
from airflow_provider_seldon.kube.watch.steady_clock import SteadyClock

if TYPE_CHECKING:
    from airflow_provider_seldon.delivery.target import Target

#: Seconds between two attempts when the namespace cannot be watched.
RETRY = 60.0
#: Seconds after which a deployment is checked again without a change.
IDLE = 600.0
#: Seconds after which a level is repeated.
REPEAT = 30.0
#: Seconds between two reads of the pods of a deployment that lacks some.
PODS_INTERVAL = 10.0


@dataclass(frozen=True, kw_only=True)
class HealthWatch:
    """
    The deployment to watch.

    :param reach: connects; called again after an error.
    :param selection: selects the deployment.
    :param grace: seconds for which a change must hold.
    :param logger: the trigger's logger.
    """

    reach: Callable[[], Awaitable[Target]] = field(repr=False, compare=False)
    selection: Selection
    grace: float
    logger: logging.Logger = field(repr=False, compare=False)


@dataclass(frozen=True, kw_only=True)
class Listener:
    """
    A receiver of events.

    :param grace: seconds for which a change must have held; distinguishes the stored state of several
        watches.
    :param events: kinds of event to send.
    :param store: Airflow's store of the last event; None before Airflow 3.3.
    :param logger: the trigger's logger.
    """

    grace: float
    events: Collection[str]
    store: Any = field(repr=False, compare=False)
    logger: logging.Logger = field(repr=False, compare=False)


@dataclass(frozen=True, kw_only=True)
class Level:
    """
    The current health of a deployment.

    :param namespace: its namespace.
    :param name: its name.
    :param payload: of the corresponding event; None when there is no such deployment.
    """

    namespace: str
    name: str
    payload: Mapping[str, Any] | None

    @property
    def health(self) -> Health | None:
        """The health; None when there is no such deployment."""
        return Health(self.payload["event"]) if self.payload else None


async def levels(watch: HealthWatch) -> AsyncGenerator[Level]:
    """
    Yield the health of a deployment whenever it has changed for some time, and again every half minute.

    So a listener that joins late receives it soon as well. It never ends by itself, because Airflow restarts
    a finished trigger at once: an error that prevents the watch (no connection, no permission) is logged, and
    the watch is retried after a minute.
    """
    while True:
        try:
            async with aclosing(_levels(watch)) as found:
                async for level in found:
                    yield level
        except Exception as error:
            watch.logger.warning(
                "The deployment cannot be watched; retrying in %.0f s: %s",
                RETRY,
                error,
                exc_info=not isinstance(error, AirflowException),
            )
            await asyncio.sleep(RETRY)


async def news(listener: Listener, found: AsyncIterator[Level]) -> AsyncGenerator[Mapping[str, Any]]:
    """Yield the payloads that are new to a listener and among its events."""
    state = told = None
    async for level in found:
        key = f"seldon-health/{level.namespace}/{level.name}/{listener.grace:g}"
        if state is None or told is None or state.key != key:
            state = _AssetState(listener, key)
            told = HealthTransitions(await state.recall())
        if not told.is_new(level.health) or not level.payload:
            continue
        if level.health in listener.events:
            yield level.payload
        # Afterwards: if the triggerer is killed here, an event may be sent twice, but is not lost.
        await state.note(str(level.health))


async def _levels(watch: HealthWatch) -> AsyncGenerator[Level]:
    """Yield levels until the selected deployment is gone, so that its successor can be found."""
    target = await watch.reach()
    namespace = target.namespace
    name = await watch.selection.find(target)
    while name is None:
        await asyncio.sleep(FIND_INTERVAL)
        name = await watch.selection.find(target)
    monitor = HealthMonitor(grace=watch.grace)
    level: Level | None = None
    repeat_at = time.monotonic()
    async with subscribe(target.access, namespace, name) as subscription:
        observer = HealthObserver(monitor, subscription)
        while True:
            before = level
            change = await observer()
            if change:
                # Watched objects do not contain the annotations.
                stored = mapping_at(await subscription.read(), "metadata", "annotations")
                payload = {
                    **change.to_json(),
                    "namespace": namespace,
                    "name": name,
                    "revision": text_at(stored, ANNOTATION_REVISION),
                    "time": datetime.now(UTC).isoformat(timespec="seconds"),
                }
                level = Level(namespace=namespace, name=name, payload=payload)
            elif monitor.gone:
                level = Level(namespace=namespace, name=name, payload=None)
            if level and (level != before or time.monotonic() >= repeat_at):
                repeat_at = time.monotonic() + REPEAT
                yield level
            if monitor.gone and not watch.selection.name:
                return
            await subscription.changed(
                min(observer.pause, repeat_at - time.monotonic()) if level else observer.pause
            )


class HealthObserver:
    """Passes a monitor the current objects, with pods if necessary."""

    def __init__(self, monitor: HealthMonitor, subscription: Subscription) -> None:
        self._monitor = monitor
        self._subscription = subscription
        self._pods_due = 0.0
        self._clock = SteadyClock()

    async def __call__(self) -> Change | None:
        seen = self._subscription.snapshot()
        if seen is None:
            return None
        change = self._monitor.observe(seen.deployment, seen.children, now=self._clock())
        if change or not self._monitor.wants_pods or time.monotonic() < self._pods_due:
            return change
        pods = await self._subscription.pods(seen.children or [])
        self._pods_due = time.monotonic() + PODS_INTERVAL
        seen = self._subscription.snapshot() or seen
        return self._monitor.observe(seen.deployment, seen.children, pods, now=self._clock())

    @property
    def pause(self) -> float:
        """Seconds until the next check is due, if nothing happens."""
        pauses = [IDLE]
        if self._monitor.due is not None:
            pauses.append(self._monitor.due - self._clock())
        if self._monitor.wants_pods:
            pauses.append(self._pods_due - time.monotonic())
        return max(0.05, min(pauses))


class _AssetState:
    """
    The health that was reported last, stored with the watched asset so that a restart of the triggerer
    repeats nothing.

    Airflow has such a store from 3.3 on. Without it, or if it does not respond, nothing is stored.
    """

    def __init__(self, listener: Listener, key: str) -> None:
        self.key = key
        self._store = listener.store
        self._log = listener.logger

    async def recall(self) -> Health | None:
        """Return the health that was reported last."""
        if self._store is None:
            return None
        try:
            return Health(str(await self._store.aget(self.key)))
        except Exception as error:
            self._log.debug("The health that was reported before is unknown: %r", error)
            return None

    async def note(self, health: str) -> None:
        """Store the health that was reported."""
        if self._store is None:
            return
        try:
            await self._store.aset(self.key, health)
        except Exception as error:
            self._log.warning("A restart of the triggerer may repeat this event: %r", error)
