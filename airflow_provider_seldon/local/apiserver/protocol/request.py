"""Path, verb and options of a request, parsed once.

Purpose: the "request info" of the Kubernetes API: ``/api/v1/namespaces/x/pods/y/log`` becomes verb, group,
version, resource, namespace, name and subresource; the query becomes typed options with the server's errors
for bad values. This module does not read stored objects.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import web

from airflow_provider_seldon.local.apiserver.protocol import resources, status
from airflow_provider_seldon.local.apiserver.protocol.patching import APPLY_PATCH
from airflow_provider_seldon.local.apiserver.protocol.resources import ResourceType

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_TRUE = ("1", "t", "T", "true", "True", "TRUE", "")


@dataclass(frozen=True, kw_only=True)
class RequestInfo:
    """
    A request for a resource.

    :param resource: The resource type.
    :param version: Version of the request.
    :param verb: ``get``, ``list``, ``watch``, ``create``, ``update``, ``patch``, ``delete`` or ``deletecollection``.
    :param namespace: Namespace from the path; empty for cluster-scoped resources and all namespaces.
    :param name: Object name from the path; empty for collections.
    :param subresource: ``status``, ``scale``, ``log``, ``proxy``, or empty.
    :param path: The path as sent.
    :param query: First value of every query parameter.
    :param content_type: Media type of the body, without parameters.
    :param user_agent: The client's ``User-Agent``.
    :param warnings: Texts for ``Warning`` headers of any response; handlers add to them.
    :param webhook: Fault of the admission webhook: ``down`` or ``off``; empty for none.
    """

    resource: ResourceType
    version: str
    verb: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    path: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    content_type: str = ""
    user_agent: str = ""
    warnings: list[str] = field(default_factory=list)
    webhook: str = ""

    @property
    def api_version(self) -> str:
        """``apiVersion`` of the objects in this request."""
        return self.resource.api_version_of(self.version)

    @property
    def is_apply(self) -> bool:
        """Whether it is a server-side apply."""
        return self.verb == "patch" and self.content_type == APPLY_PATCH

    @property
    def permission(self) -> str:
        """The resource in the notation of permissions, with its subresource."""
        return f"{self.resource.plural}/{self.subresource}" if self.subresource else self.resource.plural

    def not_found(self) -> status.StatusError:
        """Return the 404 for the object that this request names."""
        return status.not_found(group=self.resource.group, resource=self.resource.plural, name=self.name)

    def flag(self, name: str, default: bool = False) -> bool:
        """Return a boolean query parameter."""
        value = self.query.get(name)
        return default if value is None else value in _TRUE

    def number(self, name: str) -> int | None:
        """
        Return a whole-number query parameter.

        :raises StatusError: 400 when it is not a number.
        """
        value = self.query.get(name)
        if not value:
            return None
        try:
            return int(value)
        except ValueError:
            raise status.bad_request(f'strconv.ParseInt: parsing "{value}": invalid syntax') from None

    def revision(self) -> int | None:
        """
        Return the ``resourceVersion`` parameter; ``None`` when it is not set.

        :raises StatusError: 400 (500 for a watch, as in real servers) when it is not a number.
        """
        value = self.query.get("resourceVersion")
        if not value:
            return None
        if not value.isdecimal():
            problem = f'resourceVersion: Invalid value: "{value}": strconv.ParseUint: parsing "{value}": invalid syntax'
            if self.verb == "watch":
                raise status.plain_error(problem)
            raise status.bad_request(f"invalid resource version: {problem}")
        return int(value)


def invalid_option(kind: str, field_name: str, message: str) -> status.StatusError:
    """Return the 422 for a query parameter, reported against the options object ``kind``."""
    reason = "FieldValueInvalid"
    for prefix, word in (
        ("Required", "FieldValueRequired"),
        ("Forbidden", "FieldValueForbidden"),
        ("Unsupported", "FieldValueNotSupported"),
        ("Too long", "FieldValueTooLong"),
    ):
        if message.startswith(prefix):
            reason = word
    return status.invalid(
        group="meta.k8s.io",
        kind=kind,
        name="",
        causes=[status.cause(reason=reason, message=message, field=field_name)],
    )


def understand(request: web.Request) -> RequestInfo | None:
    """Return :func:`parse` of a request."""
    return parse(
        request.method,
        request.path,
        query=request.query,
        content_type=request.headers.get("Content-Type", ""),
        user_agent=request.headers.get("User-Agent", ""),
    )


def parse(
    method: str, path: str, *, query: Mapping[str, str], content_type: str = "", user_agent: str = ""
) -> RequestInfo | None:
    """
    Return verb and resource of a request, or ``None`` if the path is not a resource (discovery, health).

    :raises NoSuchPathError: For a resource or subresource that is not served.
    """
    parts = path.strip("/").split("/")
    if parts[0] == "api" and len(parts) >= 3:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[0] == "apis" and len(parts) >= 4:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return None
    watching = rest[0] == "watch"
    if watching:
        rest = rest[1:]
    namespace = ""
    if len(rest) >= 3 and rest[0] == "namespaces" and rest[2] not in ("status", "finalize"):
        namespace, rest = rest[1], rest[2:]
    elif len(rest) >= 2 and rest[0] == "namespaces" and not group:
        namespace = rest[1]
    resource = resources.find(group, version, rest[0]) if rest else None
    if (
        resource is None
        or (len(rest) > 3 and rest[2:3] != ["proxy"])
        or (namespace and not resource.namespaced and rest[0] != "namespaces")
    ):
        raise status.NoSuchPathError
    name = rest[1] if len(rest) > 1 else ""
    subresource = rest[2] if len(rest) > 2 else ""
    if subresource and subresource not in resource.subresources:
        raise status.NoSuchPathError
    return RequestInfo(
        resource=resource,
        version=version,
        verb=_verb(method, name, watching, query),
        namespace=namespace if resource.namespaced else "",
        name=name,
        subresource=subresource,
        path=path,
        query=query,
        content_type=content_type.partition(";")[0].strip().lower(),
        user_agent=user_agent,
    )


def _verb(method: str, name: str, watching: bool, query: Mapping[str, str]) -> str:
    if method in ("GET", "HEAD"):
        if watching or (not name and query.get("watch") in ("1", "t", "T", "true", "True", "TRUE")):
            return "watch"
        return "get" if name else "list"
    verb = _VERBS.get(method, "")
    if verb == "delete" and not name:
        return "deletecollection"
    return verb
