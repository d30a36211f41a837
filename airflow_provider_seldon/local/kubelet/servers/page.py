"""The page at ``/api/v1.0/doc/``: the paths of a predictor's service. Pure."""

from __future__ import annotations

from html import escape

from airflow_provider_seldon.local.client.kinds import Manifest
from airflow_provider_seldon.local.controllers.children.defaults import walk


def docs_page(predictor: Manifest) -> str:
    """A small HTML page about one predictor."""
    name = escape(str(predictor.get("name", "")))
    units = [escape(str(unit["name"])) for unit in walk(predictor.get("graph") or {}) if unit.get("name")]
    items = "".join(
        f"<li><b>{unit}</b>: <code>v2/models/{unit}/infer</code>, <code>api/v1.0/metadata/{unit}</code></li>"
        for unit in units
    )
    return (
        f"<!doctype html><html><head><title>{name}</title></head><body><h1>Predictor {name}</h1>"
        "<p>POST <code>api/v1.0/predictions</code>, POST <code>api/v1.0/feedback</code>, "
        f"GET <code>api/v1.0/metadata</code></p><ul>{items}</ul></body></html>"
    )
