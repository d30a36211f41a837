"""Create, replace, patch and apply: from a request and a body to a stored object.

Purpose: the order of a write in a Kubernetes API server: decode, ownership, system fields, defaults, validation,
admission, "did anything change", store. What the steps do is in their own modules; this one only puts them in order.
Everything between reading the live object and storing the new one is synchronous, so a write is atomic.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_seldon.local.apiserver import (
    bodies,
    kinds,
    managed_fields,
    metadata,
    patching,
    status,
    strategic,
)
from airflow_provider_seldon.local.apiserver.bodies import WriteOptions
from airflow_provider_seldon.local.apiserver.fields import DuplicateItemError
from airflow_provider_seldon.local.apiserver.managed_fields import Ownership, Write
from airflow_provider_seldon.local.apiserver.request import RequestInfo
from airflow_provider_seldon.local.apiserver.resources import BY_PLURAL
from airflow_provider_seldon.local.apiserver.schema import schema_of
from airflow_provider_seldon.local.apiserver.store import Manifest, Store, Stored

Admission = Callable[[RequestInfo, Manifest, Manifest | None], None]
_STATUS = ("f:status",)
_NAMESPACES = BY_PLURAL["namespaces"]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """
    What a request answers with.

    :param code: HTTP status code.
    :param stored: The stored object, when there is one.
    :param manifest: The object otherwise (a dry run, a ``Status``).
    :param warnings: Texts for ``Warning`` headers.
    """

    code: int = 200
    stored: Stored | None = None
    manifest: Manifest | None = None
    warnings: tuple[str, ...] = field(default=())


class Writer:
    """
    Carries out writes on the store.

    :param store: Where objects live.
    :param admission: Called with (request, new object, old object) before an object is stored; raises to refuse.
    :param create_namespaces: Make a missing namespace on first use instead of answering 404.
    """

    def __init__(self, *, store: Store, admission: Admission, create_namespaces: bool = False) -> None:
        self.store = store
        self._admission = admission
        self._create_namespaces = create_namespaces

    def create(self, info: RequestInfo, raw: bytes) -> Outcome:
        """Handle POST."""
        options = bodies.write_options(info)
        manifest = bodies.decode_object(info, raw)
        bodies.check_identity(info, manifest["metadata"])
        warnings = kinds.check_fields(info, manifest, options.field_validation, as_patch=False)
        live = self._blank(info)
        ownership = self._ownership(info, live, manifest)
        manifest["metadata"].pop("managedFields", None)
        return self._store_new(info, options, manifest, lambda: ownership, live, warnings)

    def replace(self, info: RequestInfo, raw: bytes) -> Outcome:
        """Handle PUT."""
        options = bodies.write_options(info)
        new = bodies.decode_object(info, raw)
        bodies.check_identity(info, new["metadata"])
        warnings = kinds.check_fields(info, new, options.field_validation, as_patch=False)
        live = self._live(info)
        uid = new["metadata"].get("uid")
        if uid and uid != live.uid:
            raise status.conflict(
                group=info.resource.group,
                resource=info.resource.plural,
                name=info.name,
                why=_uid_mismatch(info, uid, live.uid),
            )
        new["metadata"].setdefault("name", info.name)
        return self._store_update(info, options, live, self._owned(info, options, live, new), warnings)

    def patch(self, info: RequestInfo, raw: bytes) -> Outcome:
        """Handle PATCH of every kind, server-side apply included."""
        accepted = patch_types(info)
        if info.content_type not in accepted:
            raise status.unsupported_media_type(accepted)
        options = bodies.write_options(info)
        if info.is_apply:
            return self._apply(info, options, raw)
        live = self._live(info)
        new = self._patched(info, live, raw)
        bodies.check_identity(info, new["metadata"])
        warnings = kinds.check_fields(info, new, options.field_validation, as_patch=True)
        return self._store_update(info, options, live, self._owned(info, options, live, new), warnings)

    def mutate(self, live: Stored, new: Manifest) -> Stored:
        """Store a change that the server itself makes (deletion marks, finalizers), without ownership or admission."""
        return self.store.put(live.resource, new)

    def update_as(self, info: RequestInfo, options: WriteOptions, live: Stored, new: Manifest) -> Outcome:
        """Store a change made through another representation of the object (its scale)."""
        return self._store_update(info, options, live, self._owned(info, options, live, new), ())

    def _live(self, info: RequestInfo) -> Stored:
        found = self.store.get(info.resource, info.namespace, info.name)
        if found is None:
            raise info.not_found()
        return found

    def _patched(self, info: RequestInfo, live: Stored, raw: bytes) -> Manifest:
        patch = bodies.decode(raw, "application/json")
        target = live.in_version(info.version)
        if info.content_type == patching.JSON_PATCH:
            new = patching.json_patch(target, patch)
        elif info.content_type == patching.MERGE_PATCH:
            if not isinstance(patch, dict):
                raise status.bad_request("Invalid JSON Patch")
            new = patching.merge_patch(target, patch)
        else:
            new = strategic.strategic_merge_patch(schema_of(info.resource), target, patch)
        if not isinstance(new, dict) or not isinstance(new.get("metadata"), dict):
            raise status.bad_request("the patched object has no metadata")
        new["metadata"] = dict(new["metadata"])
        if new.get("kind") != info.resource.kind or new.get("apiVersion") != info.api_version:
            raise status.bad_request(
                f"the API version or kind in the data ({new.get('apiVersion')}, {new.get('kind')}) does not match "
                f"the expected ones ({info.api_version}, {info.resource.kind})"
            )
        return new

    def _apply(self, info: RequestInfo, options: WriteOptions, raw: bytes) -> Outcome:
        config = bodies.decode(raw, info.content_type)
        if not isinstance(config, dict):
            raise status.bad_request("error decoding YAML: the body is not an object")
        if config.get("apiVersion") != info.api_version or config.get("kind") != info.resource.kind:
            raise status.bad_request(
                "Incorrect version specified in apply patch. "
                f"Specified patch version: {config.get('apiVersion')}, expected: {info.api_version}"
            )
        if (config.get("metadata") or {}).get("managedFields") is not None:
            raise status.bad_request("metadata.managedFields must be nil")
        warnings = kinds.check_apply(info, config, options.field_validation)
        live = self.store.get(info.resource, info.namespace, info.name)
        if live is None:
            return self._apply_new(info, options, config, warnings)
        base = _without_managed_fields(live.in_version(info.version))
        ownership = self._ownership_for_apply(info, live, base)
        new = self._merge(info, options, ownership, base, config)
        bodies.check_identity(info, new["metadata"])
        new["metadata"]["managedFields"] = ownership.encoded()
        return self._store_update(info, options, live, new, warnings)

    def _apply_new(
        self, info: RequestInfo, options: WriteOptions, config: Manifest, warnings: tuple[str, ...]
    ) -> Outcome:
        blank = self._blank(info)
        ownership = Ownership(schema_of(info.resource))
        new = self._merge(info, options, ownership, blank, config)
        uid = new["metadata"].get("uid")
        if uid:
            raise status.conflict(
                group=info.resource.group,
                resource=info.resource.plural,
                name=info.name,
                why=f"uid mismatch: the provided object specified uid {uid}, and no existing object was found",
            )
        bodies.check_identity(info, new["metadata"])
        new["metadata"].pop("resourceVersion", None)
        return self._store_new(info, options, new, lambda: ownership, None, warnings)

    def _merge(
        self, info: RequestInfo, options: WriteOptions, ownership: Ownership, base: Manifest, config: Manifest
    ) -> Manifest:
        try:
            new = ownership.applied(base, config, self._write(info, options), force=options.force)
        except DuplicateItemError as error:
            raise status.plain_error(
                f"failed to create typed patch object ({info.namespace}/{info.name}; {info.api_version}, "
                f"Kind={info.resource.kind}): duplicate entries for key [{error}]"
            ) from None
        new["metadata"] = dict(new.get("metadata") or {})
        return new

    def _write(self, info: RequestInfo, options: WriteOptions) -> Write:
        return Write(
            manager=options.manager,
            api_version=info.api_version,
            subresource=info.subresource,
            ignored=kinds.ignored_fields(info.resource, info.subresource),
            now=metadata.now(),
        )

    def _blank(self, info: RequestInfo) -> Manifest:
        blank = copy.deepcopy(dict(schema_of(info.resource).blank))
        return {"apiVersion": info.api_version, "kind": info.resource.kind} | blank

    def _ownership(self, info: RequestInfo, live: Manifest, new: Manifest) -> Ownership:
        schema = schema_of(info.resource)
        sent = new["metadata"].get("managedFields")
        if info.subresource:
            return Ownership.of(schema, live)
        if managed_fields.is_reset(sent):
            return Ownership(schema)
        return Ownership.of(schema, new) if sent else Ownership.of(schema, live)

    def _ownership_for_apply(self, info: RequestInfo, live: Stored, base: Manifest) -> Ownership:
        ownership = Ownership.of(schema_of(info.resource), live.manifest)
        if not ownership.managers:
            first = WriteOptions(manager=managed_fields.BEFORE_FIRST_APPLY)
            ownership.updated(self._blank(info), base, self._write(info, first))
        return ownership

    def _owned(self, info: RequestInfo, options: WriteOptions, live: Stored, new: Manifest) -> Manifest:
        """Return ``new`` with the ``managedFields`` that this write leaves behind."""
        before = live.in_version(info.version)
        ownership = self._ownership(info, before, new)
        new["metadata"].pop("managedFields", None)
        kinds.set_defaults(info.resource, new)
        if ownership.managers:
            ownership.updated(_without_managed_fields(before), new, self._write(info, options))
        if ownership.managers:
            new["metadata"]["managedFields"] = ownership.encoded()
        return new

    def _store_new(
        self,
        info: RequestInfo,
        options: WriteOptions,
        manifest: Manifest,
        ownership: Callable[[], Ownership],
        live: Manifest | None,
        warnings: tuple[str, ...],
    ) -> Outcome:
        resource = info.resource
        if manifest["metadata"].get("resourceVersion"):
            raise status.plain_error("resourceVersion should not be set on objects to be created")
        self._need_namespace(info)
        metadata.fill_new(resource, manifest, info.namespace)
        if info.name:
            manifest["metadata"].setdefault("name", info.name)
        kinds.prepare_new(resource, manifest)
        kinds.set_defaults(resource, manifest)
        owned = ownership()
        if live is not None:
            owned.updated(live, manifest, self._write(info, options))
        if owned.managers:
            manifest["metadata"]["managedFields"] = owned.encoded()
        self._validate(info, manifest, None)
        self._admission(info, manifest, None)
        name = manifest["metadata"]["name"]
        existing = self.store.get(resource, info.namespace, name)
        if existing is not None:
            raise status.already_exists(
                group=resource.group,
                resource=resource.plural,
                name=name,
                deleting="deletionTimestamp" in existing.metadata,
            )
        if options.dry_run:
            return Outcome(code=201, manifest=manifest, warnings=warnings)
        manifest["apiVersion"] = resource.api_version
        return Outcome(code=201, stored=self.store.put(resource, manifest), warnings=warnings)

    def _store_update(
        self,
        info: RequestInfo,
        options: WriteOptions,
        live: Stored,
        new: Manifest,
        warnings: tuple[str, ...],
    ) -> Outcome:
        resource = info.resource
        old = live.manifest
        new["apiVersion"] = resource.api_version
        self._check_revision(info, live, new)
        new = kinds.keep_other_parts(resource, info.subresource, new, old)
        metadata.keep_system_fields(old["metadata"], new["metadata"])
        kinds.prepare_update(resource, new, old, info.subresource)
        kinds.set_defaults(resource, new)
        self._validate(info, new, old)
        if kinds.counts_as_new_generation(resource, new, old):
            new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1
        self._admission(info, new, old)
        if same_ignoring_times(old, new):
            return Outcome(stored=live, warnings=warnings)
        if options.dry_run:
            return Outcome(manifest=new | {"apiVersion": info.api_version}, warnings=warnings)
        if is_finalized(old, new):
            self.store.remove(live)
            return Outcome(manifest=new | {"apiVersion": info.api_version}, warnings=warnings)
        return Outcome(stored=self.store.put(resource, new), warnings=warnings)

    def _check_revision(self, info: RequestInfo, live: Stored, new: Manifest) -> None:
        resource = info.resource
        revision = new["metadata"].get("resourceVersion")
        if not revision:
            if not resource.unconditional_update:
                raise status.invalid(
                    group=resource.group,
                    kind=resource.plural,
                    name=info.name,
                    causes=[
                        metadata.invalid("metadata.resourceVersion", 0, "must be specified for an update")
                        | {"message": "Invalid value: 0x0: must be specified for an update"}
                    ],
                )
        elif revision != str(live.revision):
            raise status.conflict(group=resource.group, resource=resource.plural, name=info.name)
        new["metadata"]["resourceVersion"] = str(live.revision)

    def _validate(self, info: RequestInfo, new: Manifest, old: Manifest | None) -> None:
        causes = kinds.validate(info.resource, new, old)
        causes += metadata.validate(info.resource, new["metadata"])
        if old is not None:
            causes += metadata.validate_update(old["metadata"], new["metadata"])
        if causes:
            raise status.invalid(
                group=info.resource.group,
                kind=info.resource.kind,
                name=new["metadata"].get("name", ""),
                causes=causes,
            )

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

    def ensure_namespace(self, name: str) -> None:
        """Make a namespace unless it is there."""
        if self.store.get(_NAMESPACES, "", name) is None:
            manifest: Manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            metadata.fill_new(_NAMESPACES, manifest, "")
            kinds.prepare_new(_NAMESPACES, manifest)
            kinds.set_defaults(_NAMESPACES, manifest)
            self.store.put(_NAMESPACES, manifest)


def patch_types(info: RequestInfo) -> list[str]:
    """Return the media types of patches that a resource takes."""
    types = [patching.JSON_PATCH, patching.MERGE_PATCH]
    if not info.resource.custom:
        types.append(patching.STRATEGIC_MERGE_PATCH)
    return [*types, patching.APPLY_PATCH]


def is_finalized(old: Manifest, new: Manifest) -> bool:
    """Return whether this update takes away the last finalizer of an object that is being deleted."""
    return (
        "deletionTimestamp" in old["metadata"]
        and not new["metadata"].get("finalizers")
        and not old["metadata"].get("deletionGracePeriodSeconds")
    )


def same_ignoring_times(old: Manifest, new: Manifest) -> bool:
    """Return whether a write changes nothing, times of ``managedFields`` aside."""
    if any(old.get(key) != new.get(key) for key in (old.keys() | new.keys()) - {"metadata"}):
        return False
    before, after = dict(old["metadata"]), dict(new["metadata"])
    entries_before = before.pop("managedFields", None) or []
    entries_after = after.pop("managedFields", None) or []
    return before == after and _timeless(entries_before) == _timeless(entries_after)


def _timeless(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    bare = [{key: value for key, value in entry.items() if key != "time"} for entry in entries]
    return sorted(
        bare,
        key=lambda entry: (
            entry["operation"],
            entry["manager"],
            entry["apiVersion"],
            entry.get("subresource", ""),
        ),
    )


def _without_managed_fields(manifest: Manifest) -> Manifest:
    bare = {key: value for key, value in manifest["metadata"].items() if key != "managedFields"}
    return manifest | {"metadata": bare}


def _uid_mismatch(info: RequestInfo, sent: str, actual: str) -> str:
    prefix = f"{info.resource.group}/{info.resource.plural}".strip("/")
    return (
        f"StorageError: invalid object, Code: 4, Key: /registry/{prefix}/{info.namespace}/{info.name}, "
        f"ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: {sent}, "
        f"UID in object meta: {actual}"
    )
