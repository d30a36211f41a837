"""Discovery: what is served, in which versions, with which verbs; plus the version and health documents.

Purpose: ``/api``, ``/apis``, ``/apis/<group>``, ``/apis/<group>/<version>`` and ``/version``, from the table of
resources. Only the classic, unaggregated form; clients that prefer the aggregated one fall back to it.
"""

from __future__ import annotations

import platform
from typing import Any

from airflow_provider_seldon.local.apiserver.resources import RESOURCES, ResourceType, group_versions
from airflow_provider_seldon.local.apiserver.store import Manifest

KUBERNETES_VERSION = "v1.34.0"
_SCALE = {"group": "autoscaling", "version": "v1", "kind": "Scale"}


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


def document(path: str, address: str) -> Manifest | None:
    """
    Return the discovery document at a path, or ``None`` when there is none.

    :param address: ``host:port`` of the server.
    """
    parts = path.strip("/").split("/")
    if parts == ["api"]:
        return {
            "kind": "APIVersions",
            "versions": ["v1"],
            "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
        }
    if parts == ["apis"]:
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(name) for name in _groups()]}
    if parts[0] == "apis" and len(parts) == 2 and parts[1] in _groups():
        return {"kind": "APIGroup", "apiVersion": "v1"} | _group(parts[1])
    if parts[0] == "api" and len(parts) == 2:
        return _resource_list("", parts[1])
    if parts[0] == "apis" and len(parts) == 3:
        return _resource_list(parts[1], parts[2])
    return None


def _groups() -> list[str]:
    return list(dict.fromkeys(group for group, _ in group_versions() if group))


def _group(name: str) -> Manifest:
    versions = [
        {"groupVersion": f"{name}/{version}", "version": version}
        for group, version in group_versions()
        if group == name
    ]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def _resource_list(group: str, version: str) -> Manifest | None:
    if (group, version) not in set(group_versions()):
        return None
    entries: list[Manifest] = []
    for resource in RESOURCES:
        if resource.group == group and version in resource.versions:
            entries.append(_resource(resource))
            entries.extend(_subresource(resource, name) for name in sorted(resource.subresources))
    group_version = f"{group}/{version}" if group else version
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": group_version,
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
        "verbs": ["get"] if name == "log" else ["get", "patch", "update"],
    }
    return entry | _SCALE if name == "scale" else entry
