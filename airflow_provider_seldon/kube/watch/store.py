"""
Last seen state of a namespace: deployments and their children by the deployment's name.

It keeps JSON text of only the evaluated fields, because there may be thousands of objects and most are not
used for minutes: as objects they would take ten times the memory. A change wakes only the listeners of that
name. It neither reads the cluster nor evaluates.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from airflow_provider_seldon.core.children.component import CONTAINER_FIELDS, POD_FIELDS
from airflow_provider_seldon.core.children.expected import ID_LABEL
from airflow_provider_seldon.core.readiness.acknowledgement import trimmed
from airflow_provider_seldon.core.resource.seldon_deployment import KIND
from airflow_provider_seldon.core.resource.unstructured import Object, items_at, mapping_at, name_of, text_at

_METADATA = (
    "name",
    "namespace",
    "uid",
    "generation",
    "resourceVersion",
    "deletionTimestamp",
    "ownerReferences",
)
#: Fields that distinguish versions.
_CONTAINER = ("name", *CONTAINER_FIELDS, "livenessProbe", "readinessProbe", "startupProbe", "lifecycle")
_POD = ("serviceAccountName", *POD_FIELDS, "volumes")


#: Resource version, and JSON text. The garbage collector need not visit a tuple of these two.
Packed = tuple[str, str]


class Entry:
    """One deployment's part of the store, and the listeners for its changes."""

    __slots__ = ("_children", "_deployment", "listeners")

    def __init__(self) -> None:
        self.listeners: set[Callable[[], None]] = set()
        self._deployment: Packed | None = None
        self._children: dict[str, Packed] = {}

    @property
    def deployment(self) -> Object | None:
        """The SeldonDeployment; None when there is none."""
        return _unpack(self._deployment) if self._deployment else None

    @property
    def children(self) -> list[Object]:
        """The Kubernetes Deployments that belong to a SeldonDeployment of this name."""
        return [_unpack(packed) for packed in self._children.values()]

    @property
    def empty(self) -> bool:
        """Whether nothing is known and there is no listener."""
        return not (self.listeners or self._deployment or self._children)

    def _wake(self) -> None:
        for listener in tuple(self.listeners):
            listener()


class Store:
    """All entries of one namespace."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._owners: dict[str, str] = {}

    def entry(self, name: str) -> Entry:
        """Return the entry of a deployment; create it when there is none."""
        return self._entries.setdefault(name, Entry())

    def leave(self, name: str, listener: Callable[[], None]) -> None:
        """Stop waking ``listener``."""
        entry = self._entries.get(name)
        if entry is not None:
            entry.listeners.discard(listener)
            self._forget(name, entry)

    def put_deployment(self, manifest: Object) -> None:
        """Store a SeldonDeployment; one that is already known, or older, changes nothing."""
        entry = self.entry(name_of(manifest))
        if _is_newer(manifest, entry._deployment):
            entry._deployment = _pack(manifest, trimmed_deployment(manifest))
            entry._wake()

    def drop_deployment(self, name: str) -> None:
        """Remove a deleted SeldonDeployment."""
        entry = self._entries.get(name)
        if entry is not None and entry._deployment is not None:
            entry._deployment = None
            entry._wake()
            self._forget(name, entry)

    def put_child(self, manifest: Object) -> None:
        """Store a Kubernetes Deployment, unless it has no owner."""
        name, owner = name_of(manifest), owner_of(manifest)
        known = self._owners.get(name)
        if known is not None and known != owner:
            self.drop_child(name)
        if not owner:
            return
        self._owners[name] = owner
        entry = self.entry(owner)
        if _is_newer(manifest, entry._children.get(name)):
            entry._children[name] = _pack(manifest, trimmed_child(manifest))
            entry._wake()

    def drop_child(self, name: str) -> None:
        """Remove a deleted Kubernetes Deployment."""
        owner = self._owners.pop(name, "")
        entry = self._entries.get(owner)
        if entry is not None and entry._children.pop(name, None) is not None:
            entry._wake()
            self._forget(owner, entry)

    def deployments(self) -> Iterator[str]:
        """Return the names of the existing SeldonDeployments."""
        return iter([name for name, entry in self._entries.items() if entry._deployment is not None])

    def children(self) -> Iterator[str]:
        """Return the names of the existing Kubernetes Deployments."""
        return iter(list(self._owners))

    def _forget(self, name: str, entry: Entry) -> None:
        if entry.empty:
            self._entries.pop(name, None)


def _pack(manifest: Object, trimmed: Object) -> Packed:
    return text_at(manifest, "metadata", "resourceVersion"), json.dumps(trimmed, separators=(",", ":"))


def _unpack(packed: Packed) -> Object:
    data: dict[str, Any] = json.loads(packed[1])
    return data


def owner_of(child: Object) -> str:
    """
    Return the name of the SeldonDeployment that a Kubernetes Deployment belongs to, or an empty text.

    The owner reference comes first: the engine's own Deployment has another id label (Seldon Core reference, labels).
    """
    owners = items_at(child, "metadata", "ownerReferences")
    named = next((text_at(owner, "name") for owner in owners if owner.get("kind") == KIND), "")
    return named or text_at(child, "metadata", "labels", ID_LABEL)


def _is_newer(manifest: Object, known: Packed | None) -> bool:
    """
    Return whether an object is another version than the known one, and not an older one.

    Resource versions can only be compared for equality; if both are numbers, as with etcd, their order is
    used as well. So a watch that starts a little in the past does not show old states again.
    """
    if known is None:
        return True
    version, before = text_at(manifest, "metadata", "resourceVersion"), known[0]
    if version.isdecimal() and before.isdecimal() and len(version) + len(before) < 100:
        return int(version) > int(before)
    return version != before or not version


def trimmed_deployment(manifest: Object) -> dict[str, Any]:
    """Return the evaluated fields of a SeldonDeployment."""
    metadata = _only(mapping_at(manifest, "metadata"), _METADATA)
    metadata["managedFields"] = trimmed(manifest)
    return {"metadata": metadata, "spec": manifest.get("spec"), "status": manifest.get("status")}


def trimmed_child(manifest: Object) -> dict[str, Any]:
    """Return the evaluated fields of a Kubernetes Deployment."""
    spec, template = mapping_at(manifest, "spec"), mapping_at(manifest, "spec", "template")
    pod = mapping_at(template, "spec")
    return {
        "metadata": _only(mapping_at(manifest, "metadata"), _METADATA),
        "spec": {
            **_only(spec, ("replicas", "paused")),
            "template": {
                "metadata": _only(mapping_at(template, "metadata"), ("annotations", "labels")),
                "spec": _only(pod, _POD)
                | {
                    kind: [_only(container, _CONTAINER) for container in items_at(pod, kind)]
                    for kind in ("containers", "initContainers")
                    if kind in pod
                },
            },
        },
        "status": manifest.get("status"),
    }


def _only(mapping: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: mapping[key] for key in keys if key in mapping}
