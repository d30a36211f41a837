"""
The hook of a trigger: neither its import nor its connection may block the event loop.

The triggerer imports this module on its event loop, so it imports nothing that takes long.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import time
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary, WeakValueDictionary

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

    from airflow_provider_seldon.delivery.analysis.prometheus import PrometheusClient
    from airflow_provider_seldon.delivery.target import Target
    from airflow_provider_seldon.hooks.seldon import SeldonHook

#: Triggers that are prepared at a time. A thousand may begin at once; each occupies the event loop, and in a
#: thread Python's lock, for a fraction of a millisecond. Those that wait for their turn occupy nothing.
PREPARING = 10
#: Seconds for which triggers share what was made of a connection. Files that it names may be renewed.
SHARED_FOR = 60.0
#: Number of waits beyond the previous maximum after which their objects are hidden from the collector, too.
SPARED_WAITS = 250
#: Timeout in seconds for fetching a connection again.
RECONNECT_TIMEOUT = 30.0


async def reach(seldon_conn_id: str, namespace: str | None) -> Target:
    """
    Return the target of a trigger's connection, when it is the trigger's turn.

    The connection is fetched for every trigger. Triggers whose connections are equal within ``SHARED_FOR``
    seconds share the target, as they share the watch.

    :param namespace: namespace of the deployment; the connection's when None.
    """
    own = _shared()
    async with own.turns:
        # The import takes half a second, so it happens in a thread.
        hook_class = _loaded[0] if _loaded else await asyncio.to_thread(_hook_class)
        connection = await _fetched(seldon_conn_id, hook_class)
        key = (namespace, int(time.monotonic() / SHARED_FOR), _fingerprint(seldon_conn_id, connection))
        target = own.targets.get(key)
        if target is None:
            hook = _hook(hook_class, seldon_conn_id, connection, namespace)
            # Reading an extra field asks Airflow's supervisor to mask it, which must not happen on the event loop.
            target = await asyncio.to_thread(lambda: hook.target_in(namespace or hook.namespace))
            own.targets[key] = target
    spare_collector_of_waits()
    return target


async def reach_prometheus(prometheus_conn_id: str) -> PrometheusClient:
    """
    Return the client of a Prometheus connection, when it is the trigger's turn; shared as in :func:`reach`.

    :param prometheus_conn_id: see :class:`~airflow_provider_seldon.hooks.prometheus.PrometheusHook`.
    """
    from airflow.providers.common.compat.connection import get_async_connection

    from airflow_provider_seldon.hooks.prometheus import PrometheusHook

    own = _shared()
    async with own.turns:
        connection = await get_async_connection(prometheus_conn_id)
        key = (int(time.monotonic() / SHARED_FOR), _fingerprint(prometheus_conn_id, connection))
        client = own.prometheus.get(key)
        if client is None:
            hook = PrometheusHook(prometheus_conn_id, connection=connection)
            client = await asyncio.to_thread(lambda: hook.client)  # masking asks Airflow's supervisor
            own.prometheus[key] = client
    return client


async def _fetched(seldon_conn_id: str, hook_class: type[SeldonHook]) -> Connection | None:
    """
    Return the connection without blocking the event loop; None if the default connection does not exist.

    Airflow 3.3 ends a triggerer in which a connection is fetched synchronously while another asynchronous call
    is in flight (apache/airflow #68377).
    """
    from airflow.providers.common.compat.connection import get_async_connection
    from airflow.providers.common.compat.sdk import AirflowNotFoundException

    try:
        return await get_async_connection(seldon_conn_id)
    except AirflowNotFoundException:
        if seldon_conn_id != hook_class.default_conn_name:
            raise
        return None


def _hook(
    hook_class: type[SeldonHook], seldon_conn_id: str, connection: Connection | None, namespace: str | None
) -> SeldonHook:
    from airflow.providers.common.compat.connection import get_async_connection

    if connection is None:
        return hook_class(None, namespace=namespace)
    loop = asyncio.get_running_loop()

    def reconnect() -> Connection:
        """Fetch the connection again, from a thread, through the event loop for the same reason."""
        fetching = asyncio.run_coroutine_threadsafe(get_async_connection(seldon_conn_id), loop)
        return fetching.result(timeout=RECONNECT_TIMEOUT)

    return hook_class(seldon_conn_id, namespace=namespace, connection=connection, reconnect=reconnect)


def _fingerprint(seldon_conn_id: str, connection: Connection | None) -> bytes:
    """Return a digest that distinguishes the contents of connections and reveals nothing of them."""
    fields = ("conn_type", "host", "port", "login", "password", "schema", "extra")
    said = [seldon_conn_id, *(getattr(connection, one, None) for one in fields)]
    return hashlib.sha256(repr(said).encode()).digest()


class _Shared:
    """State that the triggers of an event loop share."""

    def __init__(self) -> None:
        self.turns = asyncio.Semaphore(PREPARING)
        self.targets: WeakValueDictionary[tuple[str | None, int, bytes], Target] = WeakValueDictionary()
        self.prometheus: WeakValueDictionary[tuple[int, bytes], PrometheusClient] = WeakValueDictionary()


def _shared() -> _Shared:
    return _by_loop.setdefault(asyncio.get_running_loop(), _Shared())


def spare_collector_of_waits() -> None:
    """Call :func:`spare_collector` with the current number of waits."""
    from airflow_provider_seldon.kube.watch.informer_factory import subscribers

    spare_collector(subscribers())


def spare_collector(waits: int) -> None:
    """
    Exclude the objects of thousands of waits from the collector's full passes.

    A wait holds about seventy objects for minutes. While thousands begin, each full pass visits all of them,
    and stops the event loop for up to 0.25 s. So whenever there are ``SPARED_WAITS`` more than ever before,
    the existing objects are frozen (Python documentation, ``gc.freeze``). Reference counts free them as
    before. Cycles that become garbage later stay; since only new maxima count, the largest number of waits
    bounds them.

    :param waits: current number of waits.
    """
    if gc.isenabled() and waits >= _spared[0] + SPARED_WAITS:
        _spared[0] = waits
        # The young garbage goes first: frozen, it would stay.
        gc.collect(1)
        gc.freeze()


_spared = [0]
_by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, _Shared] = WeakKeyDictionary()
_loaded: list[type[SeldonHook]] = []


def _hook_class() -> type[SeldonHook]:
    """
    Import what every wait needs, and exclude it from the passes of Python's collector.

    Modules and classes stay until the process ends. A full pass of the collector over them, and over
    Airflow's own, stops the event loop for 0.1 to 0.2 s, and many waits that begin together cause one.
    ``gc.freeze`` excludes the existing objects (Python documentation, ``gc``); the collector's thresholds
    stay as they are. Cycles that are garbage at this moment stay, too: once in a triggerer's life. Airflow's
    DAG processor and local executor do the same.
    """
    # The clients, which the first connection and the first request would import.
    import kubernetes.config

    from airflow_provider_seldon.hooks.seldon import SeldonHook
    from airflow_provider_seldon.kube.access import kube_config
    from airflow_provider_seldon.kube.requests.session import load_client
    from airflow_provider_seldon.kube.watch import wait

    load_client()
    del kubernetes, kube_config, wait
    if not _loaded and gc.isenabled():
        gc.freeze()
    _loaded[:] = [SeldonHook]
    return SeldonHook
