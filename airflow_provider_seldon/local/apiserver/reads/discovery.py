"""Discovery: the served resources with their versions and verbs; and the version and health documents.

Purpose: ``/api``, ``/apis``, ``/apis/<group>``, ``/apis/<group>/<version>`` and ``/version``, from the table of
resources. Only the classic, unaggregated form; clients that prefer the aggregated one fall back to it.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Sequence
from typing import Any

from airflow_provider_seldon.local.apiserver.objects.store import Manifest
from airflow_provider_seldon.local.apiserver.protocol.resources import ResourceType

KUBERNETES_VERSION = "v1.34.0"
_SUBRESOURCE_KINDS = {
    "scale": {"group": "autoscaling", "version": "v1", "kind": "Scale"},
    "binding": {"kind": "Binding"},
}
_SUBRESOURCE_VERBS = {"log": ["get"], "binding": ["create"]}


def version() -> Manifest:
    """Return the document of ``/version``."""
    major, minor, _ = KUBERNETES_VERSION.removeprefix("v").split(".")
    return {
        "major": major,
        "minor": minor,
        "gitVersion": f"{KUBERNETES_VERSION}+seldon-local",
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "",
        "platform": f"{platform.system().lower()}/{platform.machine()}",
    }


def group_versions(served: Iterable[ResourceType]) -> list[tuple[str, str]]:
    """Return each served (group, version) once, in the order of the resources."""
    return list(dict.fromkeys((r.group, version) for r in served for version in r.versions))


def document(path: str, address: str, served: Sequence[ResourceType]) -> Manifest | None:
    """
    Return the discovery document at a path, or ``None`` without one.

    :param address: ``host:port`` of the server.
    :param served: The resources that are served.
    """
    parts = path.strip("/").split("/")
    if parts == ["api"]:
        return {
            "kind": "APIVersions",
            "versions": ["v1"],
            "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
        }
    groups = _groups(served)
    if parts == ["apis"]:
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": list(groups.values())}
    if parts[0] == "apis" and len(parts) == 2 and parts[1] in groups:
        return {"kind": "APIGroup", "apiVersion": "v1"} | groups[parts[1]]
    if parts[0] == "api" and len(parts) == 2:
        return _resource_list("", parts[1], served)
    if parts[0] == "apis" and len(parts) == 3:
        return _resource_list(parts[1], parts[2], served)
    return None


def _groups(served: Iterable[ResourceType]) -> dict[str, Manifest]:
    versions: dict[str, list[Manifest]] = {}
    for group, version in group_versions(served):
        if group:
            versions.setdefault(group, []).append({"groupVersion": f"{group}/{version}", "version": version})
    return {
        group: {"name": group, "versions": listed, "preferredVersion": listed[0]}
        for group, listed in versions.items()
    }


def _resource_list(group: str, version: str, served: Sequence[ResourceType]) -> Manifest | None:
    entries: list[Manifest] = []
    for resource in served:
        if resource.group == group and version in resource.versions:
            entries.append(_resource(resource))
            entries.extend(_subresource(resource, name) for name in sorted(resource.subresources))
    if not entries:
        return None
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": f"{group}/{version}" if group else version,
        "resources": entries,
    }


def _resource(resource: ResourceType) -> Manifest:
    entry: dict[str, Any] = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    if resource.stored:
        entry["storageVersionHash"] = f"{resource.kind[:8]:=<11}="
    return entry


def _subresource(resource: ResourceType, name: str) -> Manifest:
    entry: dict[str, Any] = {
        "name": f"{resource.plural}/{name}",
        "singularName": "",
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": _SUBRESOURCE_VERBS.get(name, ["get", "patch", "update"]),
    }
    return entry | _SUBRESOURCE_KINDS.get(name, {})
