"""HTML of the pages. Everything that comes from a cluster is escaped by the template engine."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined

from airflow_provider_seldon.core.fleet.view import DeploymentView

PACKAGE = "airflow_provider_seldon.fleet"


@cache
def environment() -> Environment:
    """Return the template engine; it escapes whatever is put in."""
    found = Environment(
        loader=PackageLoader(PACKAGE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {"when": when, "number": number}
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
    """Return the text of a file of ours."""
    return (files(PACKAGE) / "static" / name).read_text()


def page_of(view: DeploymentView) -> str:
    """Return the address of a deployment's page, from the list's."""
    return "deployment?" + urlencode(
        {"connection": view.connection, "namespace": view.namespace, "name": view.name}
    )


# Addresses of Airflow's own pages count from the page, whatever Airflow's base URL is.
def dag_page(dag_id: str) -> str:
    """Return the address of a DAG."""
    return f"../dags/{_part(dag_id)}"


def task_page(dag_id: str, task_id: str) -> str:
    """Return the address of a task."""
    return f"{dag_page(dag_id)}/tasks/{_part(task_id)}"


def run_page(dag_id: str, task_id: str, run_id: str, map_index: int = -1) -> str:
    """Return the address of a task's run."""
    mapped = f"/mapped/{map_index}" if map_index >= 0 else ""
    return f"{dag_page(dag_id)}/runs/{_part(run_id)}/tasks/{_part(task_id)}{mapped}"


def when(moment: str | float) -> str:
    """Return a moment, given as ISO 8601 or as epoch seconds, as people read it; in UTC."""
    try:
        found = datetime.fromisoformat(moment) if isinstance(moment, str) else _moment(moment)
        utc = (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
        return utc.strftime("%Y-%m-%d %H:%M UTC")
    except (ValueError, OverflowError):
        return str(moment)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def number(value: float) -> str:
    """Return a metric with four significant digits."""
    return f"{value:.4g}"


def _part(text: str) -> str:
    return quote(text, safe="")
