"""
What Airflow's plugin manager loads, in every process of Airflow: so it imports nothing that is not there already.

The application is made when its first request comes in. Below Airflow 3.1 there are no external views, and while
``[seldon] fleet_connections`` is empty there is nothing to show: then there is no plugin.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

#: Below Airflow's base URL. Nothing of Airflow's own begins with it (``RESERVED_URL_PREFIXES``).
PREFIX = "/seldon"
#: Of Airflow; external views came with it.
FIRST = (3, 1)


class LazyApplication:
    """The application, as ASGI has it; made by the API server, and only when somebody asks."""

    def __init__(self) -> None:
        self._application: Any = None

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[Any], Awaitable[None]],
    ) -> None:
        """Answer a request."""
        if self._application is None:
            from airflow_provider_seldon.fleet.app import application

            self._application = application()
        await self._application(scope, receive, send)


def views() -> list[dict[str, Any]]:
    """Return where Airflow shows the page: in its navigation, and as a tab of DAGs and tasks."""
    # Without a slash at the beginning, an address counts from Airflow's base URL, whatever that is.
    here = PREFIX.removeprefix("/") + "/"
    common = {"name": "Seldon", "icon": None}
    return [
        {**common, "href": here, "destination": "nav", "url_route": "seldon", "category": "browse"},
        {
            **common,
            "href": here + "?dag_id={DAG_ID}",
            "destination": "dag",
            "url_route": "seldon-dag",
        },
        {
            **common,
            "href": here + "?dag_id={DAG_ID}&task_id={TASK_ID}",
            "destination": "task",
            "url_route": "seldon-task",
        },
    ]


def plugin() -> type | None:
    """Return the plugin; None where there is nothing to plug in."""
    from airflow import __version__

    major, minor = (int(part) for part in __version__.split(".")[:2])
    if (major, minor) < FIRST:
        return None
    from airflow.configuration import conf

    if not conf.get("seldon", "fleet_connections", fallback="").strip():
        return None
    body = {
        "name": "seldon_fleet",
        "__module__": __name__,
        "__doc__": "The fleet page.",
        "fastapi_apps": [{"app": LazyApplication(), "url_prefix": PREFIX, "name": "Seldon fleet"}],
        "external_views": views(),
    }
    return type("SeldonFleetPlugin", (_base(),), body)


def _base() -> type:
    """Return the base class of whoever loads plugins here: a worker has another one than the servers, and only that."""
    for name in ("airflow.plugins_manager", "airflow.sdk.plugins_manager"):
        if module := sys.modules.get(name):
            return module.AirflowPlugin  # type: ignore[no-any-return]
    from airflow.plugins_manager import AirflowPlugin

    return AirflowPlugin  # type: ignore[no-any-return]


#: What the entry point names. None is no plugin to the plugin manager, and no error.
SeldonFleetPlugin = plugin()
