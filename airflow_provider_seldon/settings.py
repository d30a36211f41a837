"""
Settings of the installation: section ``[seldon]`` of Airflow's configuration.

``get_provider_info`` describes the options, and Airflow 3 reads the defaults from there; Airflow 2.11 does
not, so the defaults are here as well. A setting never fails a task: an invalid value logs a warning, and the
default applies.
"""

from __future__ import annotations

import logging
import string
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar
from urllib.parse import urlsplit

from airflow.providers.common.compat.sdk import conf

log = logging.getLogger(__name__)

SECTION = "seldon"
#: Fields of ``dashboard_url``: of the deployment and of the task.
DASHBOARD_FIELDS = ("namespace", "name", "model_name", "revision", "dag_id", "task_id", "run_id")
#: Fields of ``prometheus_link``: the query, the time range of its graph, and those of ``dashboard_url``.
PROMETHEUS_FIELDS = ("query", "range", "end", "from_ms", "to_ms", *DASHBOARD_FIELDS)
PROGRESS_INTERVAL = 60.0
FAILURE_LOG_LINES = 15
OUTAGE_PATIENCE = 90.0
FLEET_SOURCES = ("cluster", "snapshot")

Value = TypeVar("Value")


def dashboard_url() -> str:
    """Return the template of the link *Dashboard*; "" for none, which is the default."""
    return _read("dashboard_url", partial(_url_template, fields=DASHBOARD_FIELDS), "")


def prometheus_link() -> str:
    """Return the template of the link *Canary metric*; "" for none, which is the default."""
    return _read("prometheus_link", partial(_url_template, fields=PROMETHEUS_FIELDS), "")


def progress_interval() -> float:
    """Return the seconds after which a wait logs its progress again without a change; default 60."""
    return _read("progress_interval", _seconds, PROGRESS_INTERVAL)


def failure_log_lines() -> int:
    """Return how many log lines of a failed container a failed task shows; default 15, 0 for none."""
    return _read("failure_log_lines", _count, FAILURE_LOG_LINES)


def outage_patience() -> float:
    """Return the seconds of retries while the API server or a webhook is unavailable; default 90."""
    return _read("outage_patience", _duration, OUTAGE_PATIENCE)


def fleet_connections() -> str:
    """Return the configured connections of the fleet page; "" for no page, which is the default."""
    return _read("fleet_connections", _targets, "")


def fleet_targets() -> tuple[tuple[str, str], ...]:
    """Return the connections of the fleet page, each with a namespace, "" for the connection's own."""
    parts = (part.strip().partition("/") for part in fleet_connections().split(",") if part.strip())
    return tuple(dict.fromkeys((conn_id.strip(), namespace.strip()) for conn_id, _, namespace in parts))


def fleet_source() -> str:
    """Return the source of the fleet page's data: ``cluster``, the default, or ``snapshot``."""
    return _read("fleet_source", _source, FLEET_SOURCES[0])


def _read(option: str, parse: Callable[[str], Value], default: Value) -> Value:
    try:
        given = str(conf.get(SECTION, option, fallback="") or "").strip()
        return parse(given) if given else default
    # A lone % in airflow.cfg is an error of the standard library's parser, which Airflow wraps.
    except Exception as error:
        log.warning("Airflow's configuration, [%s] %s: %s. Using %r.", SECTION, option, error, default)
        return default


def _url_template(text: str, *, fields: Sequence[str]) -> str:
    unknown = sorted(
        {field for _, field, _, _ in string.Formatter().parse(text) if field is not None} - {*fields}
    )
    if unknown:
        raise ValueError(
            f"there is no field {', '.join(f'{{{field}}}' for field in unknown)}; "
            f"use {', '.join(f'{{{field}}}' for field in fields)}, and {{{{ and }}}} for braces"
        )
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError(f"{text!r} is not an HTTP URL; give it as http(s)://host[:port]/path")
    if "@" in parts.netloc:
        raise ValueError("it has a login or password, which every user would see; remove it")
    return text


def _targets(text: str) -> str:
    if any(part.strip().startswith("/") for part in text.split(",")):
        raise ValueError(f"{text!r} has a namespace without a connection; give conn_id or conn_id/namespace")
    return text


def _source(text: str) -> str:
    if text not in FLEET_SOURCES:
        raise ValueError(f"{text!r} is none of {', '.join(FLEET_SOURCES)}")
    return text


def _seconds(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 1.0 <= number < float("inf"):
        raise ValueError(f"{text!r} is not a number of seconds of at least 1")
    return number


def _duration(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0.0 <= number < float("inf"):
        raise ValueError(f"{text!r} is not a number of seconds of at least 0")
    return number


def _count(text: str) -> int:
    if not text.isdecimal():
        raise ValueError(f"{text!r} is not a whole number of 0 or more")
    return int(text)
