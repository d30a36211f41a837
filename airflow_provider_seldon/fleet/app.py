"""
The web application: pages, and the JSON API behind them.

Airflow mounts it without authentication. So the whole application has a dependency that asks Airflow's own
auth manager (401 without a login, 403 without the right to see DAGs); static files are ordinary routes,
because a mounted folder would be exempt. It only serves GET, and writes nothing.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Annotated, Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, Response
from starlette.exceptions import HTTPException as StarletteHTTPException

from airflow_provider_seldon import settings
from airflow_provider_seldon.core.fleet.chart import lines_of
from airflow_provider_seldon.core.fleet.reaper_view import ReaperEvent, ReaperRun
from airflow_provider_seldon.core.fleet.reaping import latest
from airflow_provider_seldon.core.fleet.selection import ORDERS, Selection
from airflow_provider_seldon.core.fleet.snippet import rollback_snippet
from airflow_provider_seldon.core.fleet.view import Badge, Condition
from airflow_provider_seldon.fleet.fleet import Fleet, Listing
from airflow_provider_seldon.fleet.owners import Owners
from airflow_provider_seldon.fleet.pages import render, static
from airflow_provider_seldon.fleet.shared_look import INTERVAL
from airflow_provider_seldon.fleet.sources import sources_of

#: Version of the JSON API; part of its URLs.
API_VERSION = 1
_WHO = ("connection", "namespace", "name")
#: A page loads nothing from other hosts, and runs no script or style except our files, whatever its content.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def application(fleet: Fleet | None = None) -> FastAPI:
    """
    Return the application.

    :param fleet: the fleet to show; by default, the one that the configuration names.
    """
    sources = sources_of(settings.fleet_targets(), source=settings.fleet_source()) if fleet is None else {}
    shown = fleet or Fleet(sources, owners=Owners())
    app = FastAPI(
        title="Seldon fleet",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        # A redirect would be answered without a login.
        redirect_slashes=False,
        dependencies=[Depends(requires_access_dag(method="GET"))],
    )
    app.add_exception_handler(StarletteHTTPException, _refusal)
    app.add_exception_handler(RequestValidationError, _refusal)
    _add_pages(app, shown)
    _add_api(app, shown)

    @app.get("/page.css")
    def style() -> Response:
        return Response(static("page.css"), media_type="text/css", headers=HEADERS)

    @app.get("/page.js")
    def script() -> Response:
        return Response(static("page.js"), media_type="text/javascript", headers=HEADERS)

    return app


def _add_pages(app: FastAPI, fleet: Fleet) -> None:
    @app.get("/")
    def index(request: Request, readable: Readable) -> Response:
        listing, selection = fleet.listing(readable), Selection.of(request.query_params)
        chosen = selection.choose(listing.views)
        return _html(
            "fleet.html",
            listing=listing,
            selection=selection,
            chosen=chosen,
            views=selection.part(chosen),
            orders=ORDERS,
            conditions=list(Condition),
            badges=list(Badge),
            now=time.time(),
            interval=INTERVAL,
        )

    @app.get("/deployment")
    def deployment(connection: str, namespace: str, name: str, readable: Readable) -> Response:
        found = fleet.detail(connection, namespace, name, readable)
        if found is None:
            return _html("message.html", status=404, title="Not found", text=_missing(namespace, name))
        view = found.detail.deployment
        return _html(
            "deployment.html",
            detail=found.detail,
            look=found.look,
            now=time.time(),
            view=view,
            runs=found.runs,
            reaped=found.reaped,
            lines=lines_of(found.detail.versions),
            snippet=rollback_snippet(found.detail),
            interval=INTERVAL,
        )

    @app.get("/reaper")
    def reaper(readable: Readable) -> Response:
        listing = fleet.listing(readable)
        done = latest(listing.reapers)
        return _html("reaper.html", listing=listing, done=done, now=time.time(), interval=INTERVAL)


def _add_api(app: FastAPI, fleet: Fleet) -> None:
    @app.get(f"/api/v{API_VERSION}/deployments")
    def deployments(request: Request, readable: Readable) -> Response:
        query = {"size": "1000", **request.query_params}
        listing, selection = fleet.listing(readable), Selection.of(query)
        chosen = selection.choose(listing.views)
        return _json(
            {
                "version": API_VERSION,
                "total": len(listing.views),
                "chosen": len(chosen),
                "pages": selection.pages(len(chosen)),
                "looks": _looks(listing),
                "deployments": [one.to_json() for one in selection.part(chosen)],
            }
        )

    @app.get(f"/api/v{API_VERSION}/deployment")
    def one_deployment(connection: str, namespace: str, name: str, readable: Readable) -> Response:
        found = fleet.detail(connection, namespace, name, readable)
        if found is None:
            raise HTTPException(404, _missing(namespace, name))
        reaped = [_event(run, event) for run, event in found.reaped]
        told = {"version": API_VERSION, **found.detail.to_json(), **({"reaped": reaped} if reaped else {})}
        return _json(told)

    @app.get(f"/api/v{API_VERSION}/reaper")
    def reaper(readable: Readable) -> Response:
        listing = fleet.listing(readable)
        return _json(
            {
                "version": API_VERSION,
                "due": [
                    {**{key: getattr(one, key) for key in _WHO}, **one.reaping.to_json()}
                    for one in listing.due
                    if one.reaping
                ],
                "done": [_event(run, event) for run, event in latest(listing.reapers)],
                "runs": [replace(run, events=()).to_json() for run in listing.reapers],
            }
        )


def readable_by(user: GetUserDep) -> Callable[[], Collection[str]]:
    """Return a function that returns the ids of the DAGs that the user may read."""
    return lambda: get_auth_manager().get_authorized_dag_ids(user=user, method="GET")


Readable = Annotated[Callable[[], Collection[str]], Depends(readable_by)]


def _event(run: ReaperRun, event: ReaperEvent) -> dict[str, Any]:
    """Return an event, with the reaper's run under ``reaper``."""
    keys = ("dag_id", "task_id", "run_id", "map_index", "at", "dry_run")
    return {**event.to_json(), "reaper": {key: getattr(run, key) for key in keys}}


def _looks(listing: Listing) -> list[dict[str, Any]]:
    return [
        {"connection": one.connection, "namespace": one.namespace, "moment": one.moment, "error": one.error}
        for one in listing.looks
    ]


def _html(template: str, *, status: int = 200, **values: Any) -> Response:
    # A file name in a cause may have characters that UTF-8 has no bytes for.
    page = render(template, **values).encode(errors="replace")
    return HTMLResponse(page, status_code=status, headers=HEADERS)


def _json(told: Any, *, status: int = 200) -> Response:
    text = json.dumps(told, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Response(
        text.encode(errors="replace"), status_code=status, media_type="application/json", headers=HEADERS
    )


def _missing(namespace: str, name: str) -> str:
    return (
        f"There is no deployment {name} in namespace {namespace}, or you may not see it, or its cluster has not "
        "answered yet."
    )


def _refusal(request: Request, error: Exception) -> Response:
    """Return the reason of a refusal: as JSON from the API, as a page elsewhere."""
    status, detail = 422, "The address lacks connection, namespace or name"
    if isinstance(error, StarletteHTTPException):
        status, detail = error.status_code, str(error.detail)
    if "/api/" in request.url.path:
        return _json({"detail": detail}, status=status)
    told = {401: "Log in to Airflow first.", 403: "Your user has no permission to read DAGs."}
    return _html("message.html", status=status, title=detail, text=told.get(status, "Nothing is shown."))
