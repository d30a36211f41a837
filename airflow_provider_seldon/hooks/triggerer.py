"""
The hook of a trigger: neither its import nor its connection may block the event loop.

The triggerer imports this module on its event loop, so it imports nothing that takes long.
"""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

    from airflow_provider_seldon.delivery.target import Target
    from airflow_provider_seldon.hooks.seldon import SeldonHook

#: Triggers that are prepared at a time. A thousand may begin at once; each takes the event loop, and in a thread
#: Python's lock, for a part of a millisecond. Those that wait for their turn take nothing.
PREPARING = 10
#: Seconds for which a connection may be fetched again.
RECONNECT_TIMEOUT = 30.0


async def reach(seldon_conn_id: str, namespace: str | None) -> Target:
    """
    Return what a trigger's connection leads to, when it is the trigger's turn.

    :param namespace: namespace of the deployment; the connection's when None.
    """
    loop = asyncio.get_running_loop()
    turns = _turns.get(loop)
    if turns is None:
        turns = _turns[loop] = asyncio.Semaphore(PREPARING)
    async with turns:
        hook = await hook_for_triggerer(seldon_conn_id, namespace)
        # Reading a connection's extra asks Airflow's supervisor to mask it, which must not happen on the event loop.
        return await asyncio.to_thread(lambda: hook.target_in(namespace or hook.namespace))


async def hook_for_triggerer(seldon_conn_id: str, namespace: str | None) -> SeldonHook:
    """
    Return a hook whose connection has been fetched without blocking the event loop.

    Airflow 3.3 ends a triggerer in which a connection is fetched synchronously while another asynchronous call
    is in flight (apache/airflow #68377).
    """
    from airflow.providers.common.compat.connection import get_async_connection
    from airflow.providers.common.compat.sdk import AirflowNotFoundException

    # The import takes half a second, so it happens in a thread.
    hook_class = _loaded[0] if _loaded else await asyncio.to_thread(_hook_class)
    try:
        connection = await get_async_connection(seldon_conn_id)
    except AirflowNotFoundException:
        if seldon_conn_id != hook_class.default_conn_name:
            raise
        connection = None
    if connection is None:
        return hook_class(None, namespace=namespace)
    loop = asyncio.get_running_loop()

    def reconnect() -> Connection:
        """Fetch it again, from a thread, through the event loop for the same reason."""
        fetching = asyncio.run_coroutine_threadsafe(get_async_connection(seldon_conn_id), loop)
        return fetching.result(timeout=RECONNECT_TIMEOUT)

    return hook_class(seldon_conn_id, namespace=namespace, connection=connection, reconnect=reconnect)


_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()
_loaded: list[type[SeldonHook]] = []


def _hook_class() -> type[SeldonHook]:
    """
    Import what every wait needs, and spare Python's collector from looking at it again and again.

    Modules and classes stay until the process ends. A full pass of the collector over them, and over Airflow's own,
    stops the event loop for 0.1 to 0.2 s, and many waits that begin together cause one. ``gc.freeze`` moves what is
    there now out of its sight (Python documentation, ``gc``); its thresholds stay as they are. Cycles that are garbage
    at this moment stay, too: once in a triggerer's life. Airflow's DAG processor and local executor do the same.
    """
    import kubernetes.config  # the official client, of which the first connection would import as much

    from airflow_provider_seldon.hooks.seldon import SeldonHook
    from airflow_provider_seldon.kube.access import kube_config
    from airflow_provider_seldon.kube.watch import wait

    del kubernetes, kube_config, wait
    if not _loaded and gc.isenabled():
        gc.freeze()
    _loaded[:] = [SeldonHook]
    return SeldonHook
