"""The steps of every request before and after its handler: log, faults, authentication, errors.

Purpose: one place that turns :class:`StatusError` into responses, applies faults, and logs each request.
``backend.py`` handles the requests; the test hooks are in ``controls.py``.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace

from aiohttp import web

from airflow_provider_seldon.local.apiserver.access.authorization import ANONYMOUS, Authorizer, User
from airflow_provider_seldon.local.apiserver.http.backend import Backend
from airflow_provider_seldon.local.apiserver.http.controls import Hooks, json_response
from airflow_provider_seldon.local.apiserver.protocol import status
from airflow_provider_seldon.local.apiserver.protocol.request import RequestInfo
from airflow_provider_seldon.local.apiserver.protocol.request_log import LoggedRequest, RequestLog
from airflow_provider_seldon.local.faults import DROP_AFTER, DROP_BEFORE, Fault, Faults
from airflow_provider_seldon.local.host_check import refusal

_LOGGER = logging.getLogger(__name__)
#: A browser sends these to other sites without a preflight request, if the body has a simple type, or none.
_WRITES = ("POST", "PUT", "PATCH")
_HEALTH = ("/healthz", "/readyz", "/livez")
_REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    410: "Expired",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}


class Pipeline:
    """
    The server's request handler.

    :param dispatcher: Handles requests for resources.
    :param authorizer: Checks tokens and rules.
    :param faults: The active faults.
    :param requests: Log of requests.
    """

    def __init__(
        self, *, dispatcher: Backend, authorizer: Authorizer, faults: Faults, requests: RequestLog
    ) -> None:
        self._dispatcher = dispatcher
        self._authorizer = authorizer
        self._faults = faults
        self._requests = requests
        self._hooks = Hooks(dispatcher=dispatcher, faults=faults, requests=requests)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Handle any request."""
        if request.path.startswith("/_"):
            return await self._hook(request)
        entry = LoggedRequest(
            method=request.method,
            path=request.path,
            query=request.query_string,
            user_agent=request.headers.get("User-Agent", ""),
            started=time.time(),
        )
        self._requests.add(entry)
        begun = time.monotonic()
        try:
            response = await self._guarded(request, entry)
        except ConnectionError:
            # The client has disconnected; otherwise aiohttp would log a traceback.
            _hang_up(request)
            return web.Response(status=499)
        finally:
            entry.seconds = time.monotonic() - begun
        entry.status = response.status
        if not response.prepared:
            for warning in entry.warnings:
                text = warning.replace("\\", "\\\\").replace('"', '\\"')
                response.headers.add("Warning", f'299 - "{text}"')
        return response

    async def _hook(self, request: web.Request) -> web.StreamResponse:
        try:
            self._check_door(request)
            if self._authorizer.authenticate(request.headers.get("Authorization", "")).name == ANONYMOUS:
                raise status.unauthorized()
        except status.StatusError as error:
            return error_response(error)
        return await self._hooks.answer(request)

    async def _guarded(self, request: web.Request, entry: LoggedRequest) -> web.StreamResponse:
        """Handle a request; every error becomes a response, too."""
        try:
            return await self._answer(request, entry)
        except status.StatusError as error:
            return error_response(error)
        except status.NoSuchPathError:
            return web.Response(status=404, text="404 page not found\n")
        except (asyncio.CancelledError, ConnectionError):
            raise
        except web.HTTPRequestEntityTooLarge:
            return error_response(
                status.StatusError(
                    code=413,
                    reason="RequestEntityTooLarge",
                    message="Request entity too large: limit is 3145728",
                )
            )
        except Exception as error:
            _LOGGER.exception("%s %s failed", request.method, request.path)
            return error_response(status.internal_error(repr(error)))

    async def _answer(self, request: web.Request, entry: LoggedRequest) -> web.StreamResponse:
        self._check_door(request)
        if request.path.startswith(_HEALTH):
            return web.Response(text="ok")
        user = self._authorizer.authenticate(request.headers.get("Authorization", ""))
        info = self._dispatcher.understand(request)
        if info is None:
            self._authorizer.check_path(request.path, user)
            return await self._dispatcher.document(request)
        entry.warnings = info.warnings
        entry.verb = "apply" if info.is_apply else info.verb
        entry.resource, entry.namespace, entry.name = info.permission, info.namespace, info.name
        fault = self._faults.take(
            verb=info.verb,
            apply=info.is_apply,
            resource=info.permission,
            name=info.name or _pinned_name(info),
            namespace=info.namespace,
        )
        if fault is None:
            return await self._permitted(request, info, user, None)
        return await self._faulty(request, info, user, fault)

    def _check_door(self, request: web.Request) -> None:
        """
        Refuse requests that a web page can send without a preflight request.

        A client with a token is not a web page, and may come through a proxy with any name.

        :raises StatusError: 403 for a foreign host or origin, 415 for a body without a content type.
        """
        known = self._authorizer.has_token(request.headers.get("Authorization", ""))
        refused = refusal(request, any_host=known)
        if refused:
            raise status.StatusError(code=403, reason="Forbidden", message=refused, details={})
        if request.method in _WRITES and request.body_exists and not request.headers.get("Content-Type"):
            raise status.unsupported_media_type(["application/json", "application/yaml"])

    async def _permitted(
        self, request: web.Request, info: RequestInfo, user: User, fault: Fault | None
    ) -> web.StreamResponse:
        self._authorizer.check(info, user)
        if fault is not None and fault.webhook:
            info = replace(info, webhook=fault.webhook)
        return await self._dispatcher.answer(
            request, info, user, close_watch_after=fault.close_watch_after if fault else None
        )

    async def _faulty(
        self, request: web.Request, info: RequestInfo, user: User, fault: Fault
    ) -> web.StreamResponse:
        if fault.delay:
            await asyncio.sleep(fault.delay)
        if fault.drop == DROP_BEFORE:
            raise _hang_up(request)
        if fault.stall is not None:
            return await _stall(request, fault.stall)
        if fault.status is not None:
            raise _ordered_error(fault)
        if fault.drop == DROP_AFTER:
            try:
                await self._permitted(request, info, user, fault)
            finally:
                _hang_up(request)
            raise ConnectionResetError("dropped after handling (fault)")
        return await self._permitted(request, info, user, fault)


def _pinned_name(info: RequestInfo) -> str:
    for term in info.query.get("fieldSelector", "").split(","):
        key, _, value = term.partition("=")
        if key == "metadata.name":
            return value.lstrip("=")
    return ""


def _hang_up(request: web.Request) -> ConnectionResetError:
    if request.transport is not None:
        request.transport.abort()
    return ConnectionResetError("dropped (fault)")


async def _stall(request: web.Request, seconds: float) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    response.enable_chunked_encoding()
    await response.prepare(request)
    await asyncio.sleep(seconds)
    raise _hang_up(request)


def _ordered_error(fault: Fault) -> status.StatusError:
    code = fault.status or 500
    details = {"retryAfterSeconds": fault.retry_after} if fault.retry_after is not None else None
    return status.StatusError(
        code=code,
        reason=_REASONS.get(code, "") if fault.reason is None else fault.reason,
        message=fault.message or f"injected fault: {code}",
        details=details,
    )


def error_response(error: status.StatusError) -> web.Response:
    """Return the response for an error."""
    response = json_response(error.body(), code=error.code)
    retry_after = (error.details or {}).get("retryAfterSeconds")
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    return response
