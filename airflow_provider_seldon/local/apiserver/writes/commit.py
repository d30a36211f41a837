"""The last steps of a write: system fields, defaults, validation, admission, and then the store.

Purpose: the common steps of every write, in the order of a Kubernetes API server. ``writing.py`` and
``server_side_apply.py`` make the new object (POST, PUT, a patch, an apply, a scale). Everything between
reading the live object and storing the new one is synchronous, so a write is atomic.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_seldon.local.apiserver.objects import defaults, kinds, metadata
from airflow_provider_seldon.local.apiserver.objects.store import Manifest, Store, Stored
from airflow_provider_seldon.local.apiserver.ownership.managed_fields import Ownership
from airflow_provider_seldon.local.apiserver.ownership.request_ownership import track_creation
from airflow_provider_seldon.local.apiserver.protocol import status
from airflow_provider_seldon.local.apiserver.protocol.bodies import WriteOptions
from airflow_provider_seldon.local.apiserver.protocol.request import RequestInfo
from airflow_provider_seldon.local.apiserver.protocol.resources import BY_PLURAL

Admission = Callable[[RequestInfo, Manifest, Manifest | None], None]
_NAMESPACES = BY_PLURAL["namespaces"]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """
    The result of a request.

    :param code: HTTP status code.
    :param stored: The stored object, if any.
    :param manifest: The object otherwise (a dry run, a ``Status``).
    """

    code: int = 200
    stored: Stored | None = None
    manifest: Manifest | None = None


class Committer:
    """
    Stores new and changed objects.

    :param store: Stores objects.
    :param admission: Called with (request, new object, old object) before an object is stored; raises to refuse.
    :param create_namespaces: Create a missing namespace on first use instead of returning 404.
    """

    def __init__(self, *, store: Store, admission: Admission, create_namespaces: bool = False) -> None:
        self.store = store
        self._admission = admission
        self._create_namespaces = create_namespaces

    def create(
        self,
        info: RequestInfo,
        options: WriteOptions,
        manifest: Manifest,
        *,
        ownership: Ownership,
    ) -> Outcome:
        """
        Store a new object.

        :param ownership: The owners of fields so far; the creator owns the rest.
        :raises StatusError: 404 without the namespace, 409 when it exists, 422 when it is invalid.
        """
        resource = info.resource
        if manifest["metadata"].get("resourceVersion"):
            raise status.plain_error("resourceVersion should not be set on objects to be created")
        self._need_namespace(info)
        if info.name:
            manifest["metadata"].setdefault("name", info.name)
        metadata.fill_new(resource, manifest, info.namespace)
        kinds.prepare_new(resource, manifest)
        kinds.set_defaults(resource, manifest)
        track_creation(info, options, manifest, ownership)
        defaults.complete(resource, manifest)
        causes = kinds.validate(resource, manifest, None, info.subresource)
        causes += metadata.validate(resource, manifest["metadata"])
        _raise_invalid(info, manifest, causes)
        info.warnings.extend(metadata.warnings(manifest["metadata"]))
        self._admission(info, manifest, None)
        self._check_absent(info, manifest["metadata"]["name"])
        if resource.plural == "services":
            self._allocate_address(manifest)
        if options.dry_run:
            return Outcome(code=201, manifest=manifest)
        manifest["apiVersion"] = resource.api_version
        return Outcome(code=201, stored=self.store.put(resource, manifest))

    def update(
        self,
        info: RequestInfo,
        options: WriteOptions,
        live: Stored,
        new: Manifest,
    ) -> Outcome:
        """
        Store a changed object, unless nothing has changed.

        :raises StatusError: 409 if the resource version differs, 422 if the object is invalid.
        """
        resource, old = info.resource, live.manifest
        new["apiVersion"] = resource.api_version
        _check_revision(info, live, new)
        new = kinds.keep_other_parts(resource, info.subresource, new, old)
        metadata.keep_system_fields(old["metadata"], new["metadata"])
        kinds.set_defaults(resource, new, old)
        causes = kinds.validate(resource, new, old, info.subresource)
        causes += metadata.validate(resource, new["metadata"])
        # The server checks the metadata of an update twice and reports each error twice.
        causes += metadata.validate_update(old["metadata"], new["metadata"]) * 2
        _raise_invalid(info, new, causes)
        if kinds.counts_as_new_generation(resource, new, old, info.subresource):
            new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1
        self._admission(info, new, old)
        if same_ignoring_times(old, new):
            return Outcome(stored=live)
        if options.dry_run or is_finalized(old, new):
            if not options.dry_run:
                self.store.remove(live)
            return Outcome(manifest=new | {"apiVersion": info.api_version})
        return Outcome(stored=self.store.put(resource, new))

    def ensure_namespace(self, name: str) -> None:
        """Create a namespace if it is missing."""
        if self.store.get(_NAMESPACES, "", name) is None:
            manifest: Manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            metadata.fill_new(_NAMESPACES, manifest, "")
            kinds.set_defaults(_NAMESPACES, manifest)
            defaults.complete(_NAMESPACES, manifest)
            self.store.put(_NAMESPACES, manifest)

    def _need_namespace(self, info: RequestInfo) -> None:
        if not info.resource.namespaced:
            return
        found = self.store.get(_NAMESPACES, "", info.namespace)
        if found is None and self._create_namespaces:
            self.ensure_namespace(info.namespace)
        elif found is None:
            raise status.not_found(group="", resource="namespaces", name=info.namespace)
        elif "deletionTimestamp" in found.metadata:
            raise kinds.terminating(info)

    def _check_absent(self, info: RequestInfo, name: str) -> None:
        resource = info.resource
        existing = self.store.get(resource, info.namespace, name)
        if existing is not None:
            raise status.already_exists(
                group=resource.group,
                resource=resource.plural,
                name=name,
                deleting="deletionTimestamp" in existing.metadata,
            )

    def _allocate_address(self, manifest: Manifest) -> None:
        spec = manifest["spec"]
        if spec.get("type") == "ExternalName" or spec.get("clusterIP"):
            return
        # Any unique address: there is no cluster network.
        number = self.store.revision + 1
        address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        spec |= {"clusterIP": address, "clusterIPs": [address]}


def _check_revision(info: RequestInfo, live: Stored, new: Manifest) -> None:
    resource = info.resource
    revision = new["metadata"].get("resourceVersion")
    if revision and not str(revision).isdigit():
        raise status.plain_error(f'strconv.ParseUint: parsing "{revision}": invalid syntax')
    if not revision or revision == "0":
        if not resource.unconditional_update:
            raise status.invalid(
                group=resource.group,
                kind=resource.plural,
                name=info.name,
                causes=[metadata.invalid("metadata.resourceVersion", 0, "must be specified for an update")],
            )
    elif revision != str(live.revision):
        raise status.conflict(group=resource.group, resource=resource.plural, name=info.name)
    new["metadata"]["resourceVersion"] = str(live.revision)


def _raise_invalid(info: RequestInfo, manifest: Mapping[str, Any], causes: metadata.Causes) -> None:
    if causes:
        raise status.invalid(
            group=info.resource.group,
            kind=info.resource.kind,
            name=manifest["metadata"].get("name", ""),
            causes=causes,
        )


def is_finalized(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Return whether this update removes the last finalizer of an object that is being deleted."""
    return (
        "deletionTimestamp" in old["metadata"]
        and not new["metadata"].get("finalizers")
        and not old["metadata"].get("deletionGracePeriodSeconds")
    )


def same_ignoring_times(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Return whether a write changes nothing, except for times of ``managedFields``."""
    if any(old.get(key) != new.get(key) for key in (old.keys() | new.keys()) - {"metadata"}):
        return False
    before, after = dict(old["metadata"]), dict(new["metadata"])
    entries_before = before.pop("managedFields", None) or []
    entries_after = after.pop("managedFields", None) or []
    return before == after and _timeless(entries_before) == _timeless(entries_after)


def _timeless(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    bare = [{key: value for key, value in entry.items() if key != "time"} for entry in entries]
    names = ("operation", "manager", "apiVersion", "subresource")
    return sorted(bare, key=lambda entry: [str(entry.get(name, "")) for name in names])
