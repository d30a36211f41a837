"""Tables: the output of ``kubectl get``, from the server.

Purpose: "Receiving resources as Tables" of the Kubernetes API concepts: columns per kind and a row per object.
SeldonDeployments have only name and age, as in the released definition.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from airflow_provider_seldon.local.apiserver.objects.store import Manifest, Stored
from airflow_provider_seldon.local.apiserver.protocol.resources import ResourceType

Cell = Callable[[Mapping[str, Any]], Any]


class Column:
    """
    One column.

    :param name: Heading.
    :param cell: Reads the value from an object.
    :param wide: Only shown by ``-o wide``.
    :param type: ``string`` or ``integer``.
    """

    def __init__(self, name: str, cell: Cell, *, wide: bool = False, type: str = "string") -> None:
        self.name = name
        self.cell = cell
        self.priority = 1 if wide else 0
        self.type = type

    def definition(self) -> dict[str, Any]:
        """Return the column's entry in ``columnDefinitions``."""
        return {
            "name": self.name,
            "type": self.type,
            "format": "name" if self.name == "Name" else "",
            "description": self.name,
            "priority": self.priority,
        }


def age(timestamp: str | None) -> str:
    """Return the age of a time, in the notation of ``kubectl``."""
    if not timestamp:
        return "<unknown>"
    then = datetime.fromisoformat(timestamp)
    seconds = max(int((datetime.now(UTC) - then).total_seconds()), 0)
    if seconds < 120:
        return f"{seconds}s"
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if minutes < 10:
        return _pair(minutes, "m", seconds % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _pair(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return _pair(days, "d", hours % 24, "h")
    return f"{days}d" if days < 730 else _pair(days // 365, "y", days % 365, "d")


def _pair(major: int, major_unit: str, minor: int, minor_unit: str) -> str:
    return f"{major}{major_unit}" + (f"{minor}{minor_unit}" if minor else "")


def _at(*path: str, default: Any = "") -> Cell:
    def read(manifest: Mapping[str, Any]) -> Any:
        value: Any = manifest
        for name in path:
            value = value.get(name) if isinstance(value, Mapping) else None
        return default if value is None else value

    return read


def _age(manifest: Mapping[str, Any]) -> str:
    return age(manifest["metadata"].get("creationTimestamp"))


def _containers(manifest: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    spec = manifest.get("spec") or {}
    spec = (spec.get("template") or {}).get("spec") or spec
    return list(spec.get("containers") or [])


def _selector(manifest: Mapping[str, Any]) -> str:
    selector = (manifest.get("spec") or {}).get("selector") or {}
    labels = selector.get("matchLabels", selector)
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items())) or "<none>"


def _container_statuses(
    manifest: Mapping[str, Any], kind: str = "containerStatuses"
) -> list[Mapping[str, Any]]:
    return list((manifest.get("status") or {}).get(kind) or [])


def _ready(manifest: Mapping[str, Any]) -> str:
    ready = sum(1 for container in _container_statuses(manifest) if container.get("ready"))
    return f"{ready}/{len(_containers(manifest))}"


def _pod_status(manifest: Mapping[str, Any]) -> str:
    status = manifest.get("status") or {}
    if "deletionTimestamp" in manifest["metadata"]:
        return "Terminating"
    total = len((manifest.get("spec") or {}).get("initContainers") or [])
    for position, container in enumerate(_container_statuses(manifest, "initContainerStatuses")):
        state = container.get("state") or {}
        ended = state.get("terminated")
        if ended is not None and ended.get("exitCode") == 0:
            continue
        if ended is not None:
            return f"Init:{ended.get('reason') or 'ExitCode:' + str(ended.get('exitCode'))}"
        reason = (state.get("waiting") or {}).get("reason")
        if reason and reason != "PodInitializing":
            return f"Init:{reason}"
        return f"Init:{position}/{total}"
    for container in reversed(_container_statuses(manifest)):
        state = container.get("state") or {}
        for part in ("waiting", "terminated"):
            reason = (state.get(part) or {}).get("reason")
            if reason:
                return str(reason)
    return str(status.get("reason") or status.get("phase") or "Unknown")


def _restarts(manifest: Mapping[str, Any]) -> str:
    return str(sum(container.get("restartCount", 0) for container in _container_statuses(manifest)))


def _ports(manifest: Mapping[str, Any]) -> str:
    ports = (manifest.get("spec") or {}).get("ports") or []
    return ",".join(f"{port.get('port')}/{port.get('protocol', 'TCP')}" for port in ports) or "<none>"


def _ready_of(manifest: Mapping[str, Any]) -> str:
    status, spec = manifest.get("status") or {}, manifest.get("spec") or {}
    return f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 0)}"


def _last_seen(manifest: Mapping[str, Any]) -> str:
    series = (manifest.get("series") or {}).get("lastObservedTime")
    return age(
        series
        or manifest.get("lastTimestamp")
        or manifest.get("eventTime")
        or manifest["metadata"].get("creationTimestamp")
    )


def _involved(manifest: Mapping[str, Any]) -> str:
    involved = manifest.get("involvedObject") or {}
    return f"{str(involved.get('kind', '')).lower()}/{involved.get('name', '')}"


_NAME = Column("Name", _at("metadata", "name"))
_AGE = Column("Age", _age)
_CUSTOM_COLUMNS = (_NAME, Column("Age", _age, type="date"))
_IMAGES = Column("Images", lambda m: ",".join(str(c.get("image", "")) for c in _containers(m)), wide=True)
_NAMES = Column("Containers", lambda m: ",".join(str(c.get("name", "")) for c in _containers(m)), wide=True)
_SELECTOR = Column("Selector", _selector, wide=True)

_COLUMNS: Mapping[str, tuple[Column, ...]] = {
    "pods": (
        _NAME,
        Column("Ready", _ready),
        Column("Status", _pod_status),
        Column("Restarts", _restarts),
        _AGE,
        Column("IP", _at("status", "podIP", default="<none>"), wide=True),
        Column("Node", _at("spec", "nodeName", default="<none>"), wide=True),
    ),
    "deployments.apps": (
        _NAME,
        Column("Ready", _ready_of),
        Column("Up-to-date", _at("status", "updatedReplicas", default=0), type="integer"),
        Column("Available", _at("status", "availableReplicas", default=0), type="integer"),
        _AGE,
        _NAMES,
        _IMAGES,
        _SELECTOR,
    ),
    "replicasets.apps": (
        _NAME,
        Column("Desired", _at("spec", "replicas", default=0), type="integer"),
        Column("Current", _at("status", "replicas", default=0), type="integer"),
        Column("Ready", _at("status", "readyReplicas", default=0), type="integer"),
        _AGE,
        _NAMES,
        _IMAGES,
        _SELECTOR,
    ),
    "services": (
        _NAME,
        Column("Type", _at("spec", "type")),
        Column("Cluster-IP", _at("spec", "clusterIP", default="<none>")),
        Column("External-IP", lambda _: "<none>"),
        Column("Port(s)", _ports),
        _AGE,
        _SELECTOR,
    ),
    "secrets": (
        _NAME,
        Column("Type", _at("type")),
        Column("Data", lambda m: len(m.get("data") or {}), type="integer"),
        _AGE,
    ),
    "configmaps": (_NAME, Column("Data", lambda m: len(m.get("data") or {}), type="integer"), _AGE),
    "namespaces": (_NAME, Column("Status", _at("status", "phase")), _AGE),
    "events": (
        Column("Last Seen", _last_seen),
        Column("Type", _at("type")),
        Column("Reason", _at("reason")),
        Column("Object", _involved),
        Column("Message", lambda m: str(m.get("message", "")).strip()),
        Column("Name", _at("metadata", "name"), wide=True),
    ),
    "customresourcedefinitions.apiextensions.k8s.io": (
        _NAME,
        Column("Created At", _at("metadata", "creationTimestamp")),
    ),
}


def table(
    resource: ResourceType,
    items: Iterable[Stored],
    *,
    version: str,
    metadata: Manifest,
    include: str = "Metadata",
) -> Manifest:
    """
    Return a ``meta.k8s.io/v1`` Table.

    :param include: ``Metadata``, ``Object`` or ``None``: the additional content of each row.
    """
    columns = _COLUMNS.get(resource.qualified, _CUSTOM_COLUMNS if resource.custom else (_NAME, _AGE))
    rows = [
        {
            "cells": [column.cell(stored.manifest) for column in columns],
            "object": _carried(stored, version, include),
        }
        for stored in items
    ]
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": [column.definition() for column in columns],
        "rows": rows,
    }


def _carried(stored: Stored, version: str, include: str) -> Manifest | None:
    if include == "None":
        return None
    if include == "Object":
        return stored.in_version(version)
    return partial(stored)


def partial(stored: Stored) -> Manifest:
    """Return the metadata of an object alone, as ``PartialObjectMetadata``."""
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": stored.manifest["metadata"],
    }
