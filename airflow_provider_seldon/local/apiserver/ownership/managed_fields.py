"""Who manages which field: the ``metadata.managedFields`` of an object, kept current on every write.

Purpose: the bookkeeping of "Server-Side Apply" (Kubernetes API concepts). A write by PUT, POST or patch takes
over what it changes; an apply owns exactly the fields that it lists, conflicts with other managers of a field
that it changes, and drops the fields that only it owned before. Merging and comparing are in
``field_sets.py``; ``request_ownership.py`` reads requests.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_seldon.local.apiserver.objects import field_sets
from airflow_provider_seldon.local.apiserver.objects.field_sets import FieldSet, Path
from airflow_provider_seldon.local.apiserver.objects.merge_keys import MergeSchema
from airflow_provider_seldon.local.apiserver.protocol import status

Manifest = dict[str, Any]

APPLY = "Apply"
UPDATE = "Update"
BEFORE_FIRST_APPLY = "before-first-apply"
_ANCIENT = "ancient-changes"
_MAX_UPDATE_MANAGERS = 10
# The server owns identity and bookkeeping fields.
_NEVER_OWNED: FieldSet = {("f:apiVersion",), ("f:kind",), ("f:metadata",)} | {
    ("f:metadata", f"f:{name}")
    for name in (
        "name",
        "namespace",
        "creationTimestamp",
        "selfLink",
        "uid",
        "clusterName",
        "generation",
        "managedFields",
        "resourceVersion",
    )
}


@dataclass(frozen=True, kw_only=True)
class Manager:
    """
    The key of one entry of ``managedFields``.

    :param name: The field manager.
    :param operation: ``Apply`` or ``Update``.
    :param api_version: Only distinguishes ``Update`` entries.
    :param subresource: ``status`` or ``scale``; empty for the object itself.
    """

    name: str
    operation: str
    api_version: str = ""
    subresource: str = ""

    def text(self) -> str:
        """Return the manager in the notation of conflicts."""
        text = f'"{self.name}"'
        if self.subresource:
            text += f' with subresource "{self.subresource}"'
        return f"{text} using {self.api_version}" if self.operation == UPDATE else text


@dataclass
class Entry:
    """The fields of one manager, the version it wrote in, and when it last changed something."""

    paths: FieldSet
    api_version: str
    time: str | None = None


Managers = dict[Manager, Entry]


@dataclass(frozen=True, kw_only=True)
class Write:
    """
    The writer of a request.

    :param manager: Field manager of the request.
    :param api_version: Version that the request is made in.
    :param subresource: The subresource written to; empty for the object itself.
    :param ignored: Path prefixes that this endpoint does not write.
    :param now: Time of the request, RFC 3339.
    """

    manager: str
    api_version: str
    subresource: str
    ignored: tuple[Path, ...]
    now: str

    def key(self, operation: str) -> Manager:
        """Return the key of this write's entry."""
        return Manager(
            name=self.manager,
            operation=operation,
            api_version=self.api_version if operation == UPDATE else "",
            subresource=self.subresource,
        )

    def visible(self, paths: FieldSet) -> FieldSet:
        """Return the paths without those that the endpoint ignores."""
        if not self.ignored:
            return paths
        return {path for path in paths if not any(path[: len(p)] == p for p in self.ignored)}


@dataclass
class Ownership:
    """
    The decoded ``managedFields`` of one object.

    :param schema: How its values merge.
    :param managers: Entries by manager.
    """

    schema: MergeSchema
    managers: Managers = field(default_factory=dict)

    @classmethod
    def of(cls, schema: MergeSchema, manifest: Mapping[str, Any]) -> Ownership:
        """Decode the ``managedFields`` of an object; unreadable entries are dropped."""
        return cls(schema, _decode((manifest.get("metadata") or {}).get("managedFields") or ()))

    def encoded(self) -> list[dict[str, Any]]:
        """Return the ``managedFields`` list: appliers first, then by time and name."""
        entries = [_encode(key, entry) for key, entry in self.managers.items()]
        entries.sort(
            key=lambda e: (
                e["operation"],
                e.get("time", ""),
                e["manager"],
                e["apiVersion"],
                e.get("subresource", ""),
            )
        )
        return entries

    def updated(self, live: Mapping[str, Any], new: Mapping[str, Any], write: Write) -> None:
        """Record a write that is not an apply: the writer takes over what differs."""
        difference = field_sets.compare(self.schema, live, new)
        taken = write.visible(difference.added | difference.modified) - _NEVER_OWNED
        self._release(difference.added | difference.modified, difference.removed, write, keep=None)
        if taken:
            key = write.key(UPDATE)
            previous = self.managers.get(key)
            paths = taken | previous.paths if previous else taken
            self.managers[key] = Entry(paths, write.api_version, write.now)
            self._cap_updates()
        self._drop_empty()

    def applied(
        self,
        live: Manifest,
        config: Mapping[str, Any],
        write: Write,
        *,
        force: bool,
        allowed: Set[Path] = frozenset(),
    ) -> Manifest:
        """
        Merge an applied configuration into the live object and record its ownership.

        :param live: The object before, without ``managedFields``.
        :param config: The applied configuration.
        :param force: Take over fields that other managers own.
        :param allowed: Fields that may be taken over even without force.
        :return: The merged object.
        :raises StatusError: 409 with a cause for each field that another manager owns.
        """
        schema = self.schema
        key = write.key(APPLY)
        last = self.managers.get(key)
        claimed = write.visible(field_sets.field_set(schema, config))
        merged = field_sets.merge(schema, live, config)
        self.managers[key] = Entry(claimed, write.api_version, last.time if last else None)
        if last:
            owned = set().union(*(entry.paths for entry in self.managers.values()))
            dropped = field_sets.with_parents(schema, last.paths) - field_sets.with_parents(schema, owned)
            if dropped:
                present = field_sets.with_parents(schema, field_sets.field_set(schema, merged))
                merged = field_sets.remove(schema, merged, dropped & present - _NEVER_OWNED)
        difference = field_sets.compare(schema, live, merged)
        changed = write.visible(difference.added | difference.modified)
        contested = changed - allowed
        conflicts = {
            other: entry.paths & contested
            for other, entry in self.managers.items()
            if other != key and not entry.paths.isdisjoint(contested)
        }
        if conflicts and not force:
            raise conflict_error(conflicts)
        self._release(changed, difference.removed, write, keep=key)
        self.managers[key].paths = self.managers[key].paths - _NEVER_OWNED
        # An apply without changes keeps the time, even if it is the manager's first.
        if any(difference):
            self.managers[key].time = write.now
        self._drop_empty()
        return merged

    def _release(self, changed: FieldSet, removed: FieldSet, write: Write, keep: Manager | None) -> None:
        gone = write.visible(changed)
        vanished = write.visible(removed)
        for key, entry in self.managers.items():
            if key != keep and not entry.paths.isdisjoint(gone):
                entry.paths = entry.paths - gone
            if key != keep and not entry.paths.isdisjoint(vanished):
                entry.paths = entry.paths - vanished

    def _drop_empty(self) -> None:
        for key in [key for key, entry in self.managers.items() if not entry.paths]:
            del self.managers[key]

    def _cap_updates(self) -> None:
        updates = [
            (e.time or "", k) for k, e in self.managers.items() if k.operation == UPDATE and not k.subresource
        ]
        if len(updates) <= _MAX_UPDATE_MANAGERS:
            return
        updates.sort(key=lambda item: (item[0], item[1].name))
        for _, key in updates[: len(updates) - _MAX_UPDATE_MANAGERS + 1]:
            entry = self.managers.pop(key)
            bucket = Manager(name=_ANCIENT, operation=UPDATE, api_version=entry.api_version)
            old = self.managers.get(bucket)
            paths = entry.paths | old.paths if old else entry.paths
            self.managers[bucket] = Entry(paths, entry.api_version, entry.time)


def is_reset(entries: Any) -> bool:
    """Return whether a client requests to clear ``managedFields`` (an empty list, or one empty entry)."""
    return isinstance(entries, list) and (not entries or entries == [{}])


def conflict_error(conflicts: Mapping[Manager, FieldSet]) -> status.StatusError:
    """Return the 409 of an apply, naming each manager and field."""
    pairs = sorted((manager.text(), path) for manager, paths in conflicts.items() for path in paths)
    causes = [
        status.cause(
            reason="FieldManagerConflict", message=f"conflict with {who}", field=field_sets.path_text(path)
        )
        for who, path in pairs
    ]
    if len(pairs) == 1:
        message = (
            f"Apply failed with 1 conflict: conflict with {pairs[0][0]}: {field_sets.path_text(pairs[0][1])}"
        )
    else:
        lines: list[str] = []
        for who in dict.fromkeys(who for who, _ in pairs):
            lines.append(f"conflicts with {who}:")
            lines.extend(f"- {field_sets.path_text(path)}" for other, path in pairs if other == who)
        message = f"Apply failed with {len(pairs)} conflicts: " + "\n".join(lines)
    return status.StatusError(code=409, reason="Conflict", message=message, details={"causes": causes})


def _decode(entries: Sequence[Any]) -> Managers:
    managers: Managers = {}
    for item in entries:
        if not isinstance(item, Mapping) or not isinstance(item.get("fieldsV1"), Mapping):
            continue
        operation, api_version = str(item.get("operation", UPDATE)), str(item.get("apiVersion", ""))
        key = Manager(
            name=str(item.get("manager", "")),
            operation=operation,
            api_version=api_version if operation == UPDATE else "",
            subresource=str(item.get("subresource", "")),
        )
        managers[key] = Entry(field_sets.from_fields_v1(item["fieldsV1"]), api_version, item.get("time"))
    return managers


def _encode(key: Manager, entry: Entry) -> dict[str, Any]:
    encoded: dict[str, Any] = {
        "manager": key.name,
        "operation": key.operation,
        "apiVersion": entry.api_version,
    }
    if entry.time:
        encoded["time"] = entry.time
    encoded |= {"fieldsType": "FieldsV1", "fieldsV1": field_sets.to_fields_v1(entry.paths)}
    if key.subresource:
        encoded["subresource"] = key.subresource
    return encoded
