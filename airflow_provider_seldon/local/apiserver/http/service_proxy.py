"""The subresource ``services/proxy``: a request to the API server becomes one to a pod behind a Service.

Purpose: what ``kubectl get --raw /api/v1/namespaces/x/services/http:y:8000/proxy/...`` does. As the real
server does it (Kubernetes, registry of Services and its proxy): ``[scheme:]name[:port]`` with a port's number
or name; 404 without such a Service, 503 without such a port or without a ready pod; credentials are not
forwarded, and the location of a redirect is moved below the proxy's own path. Other responses of a pod are
returned unchanged, errors and other redirects included. Not implemented: HTTPS to pods, upgraded connections.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from aiohttp import web
from multidict import CIMultiDict

from airflow_provider_seldon.local.apiserver.protocol import status
from airflow_provider_seldon.local.apiserver.protocol.pod_http import NOT_PASSED_ON, Request, Response
from airflow_provider_seldon.local.apiserver.protocol.request import RequestInfo

#: Of a request for a pod, the credentials of a proxy as well.
_NOT_PASSED_ON = NOT_PASSED_ON | {"proxy-authorization"}


class ServiceSource(Protocol):
    """Backends of Services."""

    def service(self, namespace: str, name: str) -> Mapping[str, Any] | None:
        """Return a Service; None if it does not exist."""
        ...

    async def send(self, service: Mapping[str, Any], port: str, request: Request) -> Response | None:
        """
        Send a request to a ready pod of a Service; None without one.

        :raises ConnectionError: The pod does not respond.
        """
        ...


async def respond(
    request: web.Request, source: ServiceSource | None, info: RequestInfo
) -> web.StreamResponse:
    """
    Return the response of a pod of the Service.

    :raises StatusError: 400, 404 or 503 if no pod can be reached.
    """
    scheme, name, port = _parts(info.name)
    service = source.service(info.namespace, name) if source is not None else None
    if source is None or service is None:
        raise status.not_found(group="", resource="services", name=name)
    port_name = _port_name(service, name, port)
    prefix, _, below = request.raw_path.partition("?")[0].partition("/proxy")
    if not below and request.method in ("GET", "HEAD"):
        return web.Response(status=301, headers={"Location": f"{prefix}/proxy/"})
    proxied = Request(
        method=request.method,
        path=below or "/",
        query=request.query_string,
        headers=_passed_on(request.headers),
        body=await request.read(),
    )
    try:
        answer = None if scheme == "https" else await source.send(service, port_name, proxied)
    except OSError as error:
        raise _unavailable(f"error trying to reach service: {error}") from None
    if answer is None:
        raise _unavailable(f'no endpoints available for service "{info.name}"')
    headers = _passed_on(answer.headers)
    location = headers.get("Location", "")
    if location.startswith("/"):
        headers["Location"] = f"{prefix}/proxy{location}"
    return web.Response(status=answer.status, body=answer.body, headers=headers)


def _parts(text: str) -> tuple[str, str, str]:
    parts = text.split(":")
    if len(parts) == 1:
        parts = [*parts, ""]
    scheme, name, port = ["", *parts] if len(parts) == 2 else (*parts, "", "", "")[:3]
    if len(parts) > 3 or not name or scheme not in ("", "http", "https"):
        raise status.bad_request(f'invalid service request "{text}"')
    return scheme, name, port


def _port_name(service: Mapping[str, Any], name: str, port: str) -> str:
    ports = (service.get("spec") or {}).get("ports") or []
    if not port.isdecimal():
        return port
    for one in ports:
        if str(one.get("port")) == port:
            return str(one.get("name") or "")
    raise _unavailable(f'no service port {port} found for service "{name}"')


def _unavailable(message: str) -> status.StatusError:
    return status.StatusError(code=503, reason="ServiceUnavailable", message=message)


def _passed_on(headers: Mapping[str, str]) -> CIMultiDict[str]:
    return CIMultiDict((key, value) for key, value in headers.items() if key.lower() not in _NOT_PASSED_ON)
