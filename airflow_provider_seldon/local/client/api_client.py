"""A small asynchronous Kubernetes client for the controllers, the kubelet and the gateway of ``local``.

It only uses the Kubernetes REST API over HTTP, so that the same controllers run against the API server in
this package and against a kube-apiserver. It does not retry, cache or decide anything:
:mod:`..controllers.informer` caches, the work queues retry.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import aiohttp

from airflow_provider_seldon.local.client.errors import ApiError
from airflow_provider_seldon.local.client.kinds import Kind, Manifest

MERGE_PATCH = "application/merge-patch+json"
USER_AGENT = "seldon-local"


@dataclass(frozen=True, kw_only=True)
class WatchEvent:
    """One line of a watch: ``ADDED``, ``MODIFIED``, ``DELETED`` or ``BOOKMARK`` and the object."""

    type: str
    object: Manifest


class ApiClient:
    """Client of one API server; created and used inside one event loop.

    :param url: base URL of the API server
    :param token: bearer token, if the server requires one
    :param ssl_context: context that verifies the server's certificate; None for plain HTTP
    :param user_agent: user agent of the requests, for the server's request log
    """

    def __init__(
        self,
        *,
        url: str,
        token: str | None = None,
        ssl_context: ssl.SSLContext | None = None,
        user_agent: str = USER_AGENT,
    ) -> None:
        self._url = url.rstrip("/")
        self._headers = {"User-Agent": user_agent, "Accept": "application/json"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._ssl: ssl.SSLContext | bool = ssl_context or True
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> ApiClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections; the client may not be used afterwards."""
        if self._session is not None:
            await self._session.close()

    async def list(
        self, kind: Kind, namespace: str | None = None, *, labels: str = "", fields: str = ""
    ) -> tuple[list[Manifest], str]:
        """All objects (of one namespace, or of all) and the collection's resource version."""
        params = _selectors(labels=labels, fields=fields)
        answer = await self._request("GET", kind.path(namespace), params=params)
        items: list[Manifest] = answer.get("items") or []
        for item in items:  # list items carry neither, single objects and watch events do
            item.setdefault("apiVersion", kind.api_version)
            item.setdefault("kind", kind.kind)
        return items, str((answer.get("metadata") or {}).get("resourceVersion", ""))

    async def watch(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        resource_version: str,
        labels: str = "",
        timeout_seconds: int = 300,
    ) -> AsyncIterator[WatchEvent]:
        """Changes after ``resource_version``, until the server ends the stream.

        :raises ApiError: the server refused the watch or ended it with an ``ERROR`` line (410: list again)
        """
        params = _selectors(labels=labels) | {
            "watch": "true",
            "resourceVersion": resource_version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(timeout_seconds),
        }
        # A server that stops responding without closing the connection must not block the controllers for
        # ever.
        limit = aiohttp.ClientTimeout(total=None, sock_read=timeout_seconds + 30)
        url = self._url + kind.path(namespace)
        async with self._http().get(
            url, params=params, headers=self._headers, ssl=self._ssl, timeout=limit
        ) as response:
            await _raise_for_status(response)
            async for line in _lines(response.content):
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise _error_of(event["object"], int(event["object"].get("code", 500)))
                yield WatchEvent(type=event["type"], object=event["object"])

    async def get(self, kind: Kind, namespace: str | None, name: str) -> Manifest:
        """One object. :raises ApiError: ``not_found`` when it is absent"""
        return await self._request("GET", kind.path(namespace, name))

    async def create(self, kind: Kind, manifest: Mapping[str, Any], *, dry_run: bool = False) -> Manifest:
        """Create in the namespace of the manifest; with ``dry_run`` only check whether that would succeed."""
        namespace = manifest["metadata"].get("namespace")
        params = {"dryRun": "All"} if dry_run else None
        return await self._request("POST", kind.path(namespace), params=params, body=manifest)

    async def create_subresource(
        self, kind: Kind, namespace: str, name: str, subresource: str, body: Mapping[str, Any]
    ) -> Manifest:
        """Create a subresource, such as a pod's binding."""
        return await self._request("POST", kind.path(namespace, name, subresource), body=body)

    async def update(
        self, kind: Kind, manifest: Mapping[str, Any], *, subresource: str | None = None
    ) -> Manifest:
        """Replace; a ``resourceVersion`` in the manifest is an optimistic lock (409 when it is stale)."""
        metadata = manifest["metadata"]
        path = kind.path(metadata.get("namespace"), metadata["name"], subresource)
        return await self._request("PUT", path, body=manifest)

    async def patch(
        self,
        kind: Kind,
        namespace: str | None,
        name: str,
        body: Mapping[str, Any],
        *,
        subresource: str | None = None,
    ) -> Manifest:
        """JSON merge patch (RFC 7386)."""
        path = kind.path(namespace, name, subresource)
        return await self._request("PATCH", path, body=body, content_type=MERGE_PATCH)

    async def delete(
        self,
        kind: Kind,
        namespace: str | None,
        name: str,
        *,
        uid: str | None = None,
        propagation: str | None = None,
        grace_seconds: int | None = None,
    ) -> None:
        """Delete; a missing object is a success.

        :param uid: delete only the object with this uid
        :param propagation: ``Foreground``, ``Background`` or ``Orphan``; None for the server's default
        """
        options: Manifest = {"apiVersion": "v1", "kind": "DeleteOptions"}
        if uid:
            options["preconditions"] = {"uid": uid}
        if propagation:
            options["propagationPolicy"] = propagation
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        try:
            await self._request("DELETE", kind.path(namespace, name), body=options)
        except ApiError as error:
            if not error.not_found:
                raise

    async def serves(self, kind: Kind) -> bool:
        """Whether the API server serves this resource type (discovery)."""
        root = "/api" if "/" not in kind.api_version else "/apis"
        try:
            answer = await self._request("GET", f"{root}/{kind.api_version}")
        except ApiError as error:
            if error.not_found:
                return False
            raise
        return any(resource.get("name") == kind.plural for resource in answer.get("resources") or [])

    def _http(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=30)
            timeout = aiohttp.ClientTimeout(total=30)
            self._session = aiohttp.ClientSession(connector=connector, timeout=timeout)
        return self._session

    async def _request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
    ) -> Manifest:
        headers = self._headers | ({"Content-Type": content_type} if body is not None else {})
        data = None if body is None else json.dumps(body)
        async with self._http().request(
            method, self._url + path, params=params, data=data, headers=headers, ssl=self._ssl
        ) as response:
            await _raise_for_status(response)
            answer: Manifest = await response.json(content_type=None)
            return answer


def _selectors(*, labels: str = "", fields: str = "") -> dict[str, str]:
    chosen = {"labelSelector": labels, "fieldSelector": fields}
    return {key: value for key, value in chosen.items() if value}


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Lines of any length: ``StreamReader.readline`` refuses lines longer than its buffer."""
    rest = b""
    async for chunk in content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line.strip():
                yield line


async def _raise_for_status(response: aiohttp.ClientResponse) -> None:
    if response.status < 400:
        return
    text = await response.text()
    try:
        status = json.loads(text)
    except ValueError:
        status = {}
    if not isinstance(status, dict) or status.get("kind") != "Status":
        status = {"message": text.strip()[:500] or response.reason, "reason": response.reason}
    raise _error_of(status, response.status)


def _error_of(status: Mapping[str, Any], code: int) -> ApiError:
    return ApiError(status=code, reason=str(status.get("reason", "")), message=str(status.get("message", "")))
