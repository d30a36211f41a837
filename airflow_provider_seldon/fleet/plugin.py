"""
The module that Airflow's plugin manager loads in every process of Airflow: so it imports only what is already
loaded.

The application is created by its first request. Airflow before 3.1 has no external views, and while
``[seldon] fleet_connections`` is empty there is nothing to show: in both cases there is no plugin.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

#: Path below Airflow's base URL. No path of Airflow itself begins with it (``RESERVED_URL_PREFIXES``).
PREFIX = "/seldon"
#: First version of Airflow with external views.
FIRST = (3, 1)


class LazyApplication:
    """The ASGI application; created in the API server, by the first request."""

    def __init__(self) -> None:
        self._application: Any = None

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[Any], Awaitable[None]],
    ) -> None:
        """Handle a request."""
        if self._application is None:
            from airflow_provider_seldon.fleet.app import application

            self._application = application()
        await self._application(scope, receive, send)


def views() -> list[dict[str, Any]]:
    """Return where Airflow shows the page: in its navigation, and as a tab of DAGs and tasks."""
    # Without a leading slash, a URL is relative to Airflow's base URL.
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
    """Return the plugin; None if there is nothing to register."""
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
    """Return the base class for this process' plugin manager; a worker's differs from the servers'."""
    for name in ("airflow.plugins_manager", "airflow.sdk.plugins_manager"):
        if module := sys.modules.get(name):
            return module.AirflowPlugin  # type: ignore[no-any-return]
    from airflow.plugins_manager import AirflowPlugin

    return AirflowPlugin  # type: ignore[no-any-return]


#: The object of the entry point. The plugin manager takes None for no plugin, without an error.
SeldonFleetPlugin = plugin()
