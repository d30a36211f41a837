"""HTML of the pages. The template engine escapes everything that comes from a cluster."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined

from airflow_provider_seldon.core.fleet.view import DeploymentView
from airflow_provider_seldon.core.resource.unstructured import utc_at

PACKAGE = "airflow_provider_seldon.fleet"


@cache
def environment() -> Environment:
    """Return the template engine; it escapes all values."""
    found = Environment(
        loader=PackageLoader(PACKAGE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {"when": when, "number": number, "age": age}
    found.globals |= {
        "page_of": page_of,
        "dag_page": dag_page,
        "task_page": task_page,
        "run_page": run_page,
    }
    return found


def render(template: str, **values: Any) -> str:
    """Return the HTML of a page."""
    return environment().get_template(template).render(**values)


@cache
def static(name: str) -> str:
    """Return the text of a static file of this package."""
    return (files(PACKAGE) / "static" / name).read_text()


def page_of(view: DeploymentView) -> str:
    """Return the URL of a deployment's page, relative to the list."""
    return "deployment?" + urlencode(
        {"connection": view.connection, "namespace": view.namespace, "name": view.name}, errors="replace"
    )


# URLs of Airflow's own pages are relative to the page, so they work with any base URL of Airflow.
def dag_page(dag_id: str) -> str:
    """Return the URL of a DAG."""
    return f"../dags/{_part(dag_id)}"


def task_page(dag_id: str, task_id: str) -> str:
    """Return the URL of a task."""
    return f"{dag_page(dag_id)}/tasks/{_part(task_id)}"


def run_page(dag_id: str, task_id: str, run_id: str, map_index: int = -1) -> str:
    """Return the URL of a task instance."""
    mapped = f"/mapped/{map_index}" if map_index >= 0 else ""
    return f"{dag_page(dag_id)}/runs/{_part(run_id)}/tasks/{_part(task_id)}{mapped}"


def when(moment: str | float) -> str:
    """Return a time, given as ISO 8601 or epoch seconds, as readable text in UTC."""
    try:
        found = datetime.fromisoformat(moment) if isinstance(moment, str) else utc_at(moment)
        utc = (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC) if found else None
    except (ValueError, OverflowError):
        utc = None
    return utc.strftime("%Y-%m-%d %H:%M UTC") if utc else str(moment)


def age(seconds: float) -> str:
    """Return a time span in its largest whole unit."""
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if count := int(seconds // length):
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return "less than a minute"


def number(value: float) -> str:
    """Return a metric with four significant digits."""
    return f"{value:.4g}"


def _part(text: str) -> str:
    return quote(text, safe="", errors="replace")
