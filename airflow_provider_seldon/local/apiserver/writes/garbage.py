"""The garbage collector: it deletes dependents after their owners.

Purpose: the work of a cluster's garbage and namespace controllers ("Owners and Dependents", "Garbage
Collection"): delete dependents whose owners are gone, keep an owner that is deleted in the foreground until
its blocking dependents are gone, remove owner references if dependents become orphans, empty a namespace that
is being deleted. Like the real one it works afterwards: a client sees the deletion of the owner first.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from airflow_provider_seldon.local.apiserver.objects.metadata import FOREGROUND, ORPHAN
from airflow_provider_seldon.local.apiserver.objects.store import Event, Manifest, Store, Stored
from airflow_provider_seldon.local.apiserver.protocol.resources import RESOURCES, find_kind
from airflow_provider_seldon.local.apiserver.writes.commit import is_finalized
from airflow_provider_seldon.local.apiserver.writes.deletion import DeleteOptions, Deleter

Reference = Mapping[str, Any]


class GarbageCollector:
    """
    Watches the store, and collects garbage.

    :param store: Stores objects.
    :param delay: Seconds between a change and its consequences; a busy cluster's collector is late as well.
    """

    def __init__(self, *, store: Store, delay: float = 0.0) -> None:
        self._store = store
        self._deleter = Deleter(store)
        self._delay = delay
        self._dependents: defaultdict[str, set[str]] = defaultdict(set)
        self._pending: dict[str, None] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        for resource in RESOURCES:
            if resource.stored:
                store.collection(resource).listeners.append(self._notice)

    def start(self) -> None:
        """Start collecting."""
        self._task = asyncio.create_task(self._run(), name="garbage collector")

    async def stop(self) -> None:
        """Stop collecting."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    def _notice(self, event: Event) -> None:
        """Record the objects that a change concerns: itself, its owners and, after a deletion, dependents."""
        uids: set[str] = set()
        for stored in (event.before, event.after):
            if stored is not None:
                uids |= {str(reference["uid"]) for reference in _owners(stored)}
        stored = event.after or event.before
        assert stored is not None
        if event.before is not None:
            self._forget(event.before)
        if event.after is not None:
            for reference in _owners(event.after):
                self._dependents[str(reference["uid"])].add(event.after.uid)
            if _owners(event.after) or "deletionTimestamp" in event.after.metadata:
                uids.add(event.after.uid)
            # Any change in a namespace may complete its deletion.
        else:
            uids |= self._dependents.pop(stored.uid, set())
        namespace = stored.metadata.get("namespace")
        if namespace:
            home = self._namespace(namespace)
            if home is not None and "deletionTimestamp" in home.metadata:
                uids.add(home.uid)
        if uids:
            self._pending.update(dict.fromkeys(uids))
            self._wake.set()

    def _forget(self, stored: Stored) -> None:
        for reference in _owners(stored):
            self._dependents[str(reference["uid"])].discard(stored.uid)

    def _namespace(self, name: str) -> Stored | None:
        return self._store.get(RESOURCES[0], "", name)

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self._delay:
                await asyncio.sleep(self._delay)
            while self._pending:
                uid = next(iter(self._pending))
                del self._pending[uid]
                self._collect(uid)
                await asyncio.sleep(0)

    def _collect(self, uid: str) -> None:
        stored = self._store.by_uid(uid)
        if stored is None:
            return
        if "deletionTimestamp" in stored.metadata:
            finalizers = stored.metadata.get("finalizers") or []
            if stored.resource.plural == "namespaces":
                self._empty_namespace(stored)
            elif ORPHAN in finalizers:
                self._orphan_dependents(stored)
            elif FOREGROUND in finalizers:
                self._foreground(stored)
            return
        if _owners(stored):
            self._judge_dependent(stored)

    def _judge_dependent(self, stored: Stored) -> None:
        """Delete an object without an existing owner; remove dangling references if it has another owner."""
        solid, waiting, dangling = [], [], []
        for reference in _owners(stored):
            if find_kind(str(reference.get("apiVersion")), str(reference.get("kind"))) is None:
                # The existence of an owner of an unserved kind cannot be checked.
                solid.append(reference)
                continue
            owner = self._owner(stored, reference)
            if owner is None:
                dangling.append(reference)
            elif "deletionTimestamp" in owner.metadata and FOREGROUND in (
                owner.metadata.get("finalizers") or []
            ):
                waiting.append(reference)
            else:
                solid.append(reference)
        if solid:
            if dangling or waiting:
                self._set_owners(stored, solid)
            return
        propagation = "Foreground" if waiting and self._dependents.get(stored.uid) else None
        self._deleter.remove(stored, DeleteOptions(propagation=propagation, uid=stored.uid))

    def _owner(self, dependent: Stored, reference: Reference) -> Stored | None:
        owner = self._store.by_uid(str(reference["uid"]))
        if owner is None or owner.metadata["name"] != reference.get("name"):
            return None
        if owner.resource.kind != reference.get("kind"):
            return None
        home = owner.metadata.get("namespace")
        return owner if home in (None, dependent.metadata.get("namespace")) else None

    def _foreground(self, owner: Stored) -> None:
        blocking = False
        for uid in tuple(self._dependents.get(owner.uid, ())):
            dependent = self._store.by_uid(uid)
            if dependent is None:
                continue
            mine = [r for r in _owners(dependent) if r["uid"] == owner.uid]
            blocking = blocking or any(r.get("blockOwnerDeletion") for r in mine)
            if "deletionTimestamp" not in dependent.metadata:
                self._pending[uid] = None
        if blocking:
            self._wake.set()
        else:
            self._drop_finalizer(owner, FOREGROUND)

    def _orphan_dependents(self, owner: Stored) -> None:
        for uid in tuple(self._dependents.get(owner.uid, ())):
            dependent = self._store.by_uid(uid)
            if dependent is not None:
                self._set_owners(dependent, [r for r in _owners(dependent) if r["uid"] != owner.uid])
        self._drop_finalizer(owner, ORPHAN)

    def _set_owners(self, stored: Stored, references: list[Reference]) -> None:
        changed = dict(stored.manifest["metadata"])
        if references:
            changed["ownerReferences"] = [dict(reference) for reference in references]
        else:
            changed.pop("ownerReferences", None)
        self._store.put(stored.resource, stored.manifest | {"metadata": changed})

    def _drop_finalizer(self, stored: Stored, name: str) -> None:
        changed = dict(stored.manifest["metadata"])
        changed["finalizers"] = [f for f in changed.get("finalizers") or [] if f != name]
        if not changed["finalizers"]:
            del changed["finalizers"]
        new: Manifest = stored.manifest | {"metadata": changed}
        if is_finalized(stored.manifest, new):
            self._store.remove(stored)
        else:
            self._store.put(stored.resource, new)

    def _empty_namespace(self, namespace: Stored) -> None:
        name = namespace.metadata["name"]
        left = False
        for resource in RESOURCES:
            if not resource.stored or not resource.namespaced:
                continue
            for stored in list(self._store.list(resource, name)):
                left = True
                if "deletionTimestamp" not in stored.metadata:
                    self._deleter.remove(stored, DeleteOptions())
        if not left:
            self._store.remove(namespace)
        elif not any(list(self._store.list(r, name)) for r in RESOURCES if r.stored and r.namespaced):
            self._pending[namespace.uid] = None
            self._wake.set()


def _owners(stored: Stored) -> list[Reference]:
    references: list[Reference] = stored.metadata.get("ownerReferences") or []
    return references
