"""The garbage collector for an API server without one: it deletes dependents after their owners.

Purpose: the work of kube-controller-manager ("Owners and Dependents", "Garbage Collection"), over HTTP. It
handles the kinds whose caches it gets. It asks the API server whether an owner is gone, because the caches
lag. It does not empty namespaces.
"""

from __future__ import annotations

from collections.abc import Mapping

from airflow_provider_seldon.local.client.api_client import ApiClient
from airflow_provider_seldon.local.client.errors import ApiError
from airflow_provider_seldon.local.client.kinds import Kind, Manifest
from airflow_provider_seldon.local.controllers.informer import Informer, Key
from airflow_provider_seldon.local.controllers.manifests import dig, name_of, namespace_of
from airflow_provider_seldon.local.controllers.queue import WorkQueue

FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"


class GarbageCollector:
    """Collects.

    :param api: client for writes
    :param caches: the kinds whose objects can be owners or dependents
    """

    def __init__(self, *, api: ApiClient, caches: Mapping[Kind, Informer]) -> None:
        self._api = api
        self._caches = caches
        self._by_plural = {kind.plural: kind for kind in caches}
        self._dependents: dict[str, dict[Key, None]] = {}
        self.queue = WorkQueue(name="garbage collector", work=self._collect, workers=4)
        for kind, informer in caches.items():
            informer.subscribe(lambda old, new, kind=kind: self._notice(kind, old, new))  # type: ignore[misc]

    def _notice(self, kind: Kind, old: Manifest | None, new: Manifest | None) -> None:
        """Check a changed object, its owners and, once it is gone, its dependents."""
        manifest = new or old
        if manifest is None:
            return
        key = _key(kind, manifest)
        for reference in _owners(old):
            self._dependents.get(reference["uid"], {}).pop(key, None)
        for reference in _owners(new):
            self._dependents.setdefault(reference["uid"], {})[key] = None
        for reference in [*_owners(old), *_owners(new)]:
            owner = self._owner_key(manifest, reference)
            if owner is not None:
                self.queue.add(owner)
        if new is not None:
            self.queue.add(key)
        if new is None or "deletionTimestamp" in new["metadata"]:
            for dependent in self._dependents.get(manifest["metadata"]["uid"], {}):
                self.queue.add(dependent)

    def _owner_key(self, dependent: Manifest, reference: Manifest) -> Key | None:
        for kind in self._caches:
            if kind.kind == reference["kind"] and _group(kind.api_version) == _group(reference["apiVersion"]):
                return kind.plural, f"{namespace_of(dependent)}/{reference['name']}"
        return None

    def _find(self, key: Key) -> tuple[Kind, Manifest | None]:
        kind = self._by_plural[key[0]]
        namespace, _, name = key[1].partition("/")
        return kind, self._caches[kind].get(namespace, name)

    async def _collect(self, key: Key) -> None:
        kind, found = self._find(key)
        if found is None:
            return
        if "deletionTimestamp" in found["metadata"]:
            finalizers = found["metadata"].get("finalizers") or []
            if ORPHAN in finalizers:
                await self._orphan(kind, found)
            elif FOREGROUND in finalizers:
                await self._release(kind, found)
        elif _owners(found):
            await self._judge(kind, found)

    async def _judge(self, kind: Kind, found: Manifest) -> None:
        """Delete an object whose owners are gone or wait for it; remove references to missing owners."""
        solid: list[Manifest] = []
        waiting = False
        for reference in _owners(found):
            owner_key = self._owner_key(found, reference)
            if owner_key is None:  # its existence cannot be checked here
                solid.append(reference)
                continue
            owner = await self._owner(owner_key, reference["uid"])
            if owner is None:
                continue
            if FOREGROUND in (owner["metadata"].get("finalizers") or []) and _is_ending(owner):
                waiting = True
            else:
                solid.append(reference)
        if solid:
            if len(solid) < len(_owners(found)):
                await self._patch(kind, found, {"ownerReferences": solid})
            return
        uid = found["metadata"]["uid"]
        foreground = waiting and bool(self._dependents.get(uid))
        propagation = "Foreground" if foreground else "Background"
        await self._api.delete(kind, namespace_of(found), name_of(found), uid=uid, propagation=propagation)

    async def _owner(self, key: Key, uid: str) -> Manifest | None:
        kind, owner = self._find(key)
        if owner is None or owner["metadata"]["uid"] != uid:
            namespace, _, name = key[1].partition("/")
            try:
                owner = await self._api.get(kind, namespace, name)
            except ApiError as error:
                if not error.not_found:
                    raise
                return None
        return owner if owner["metadata"]["uid"] == uid else None

    async def _release(self, kind: Kind, owner: Manifest) -> None:
        """Release an owner that is deleted in the foreground, once no dependent blocks it."""
        uid = owner["metadata"]["uid"]
        for key in list(self._dependents.get(uid, {})):
            _, dependent = self._find(key)
            if any(one["uid"] == uid and one.get("blockOwnerDeletion") for one in _owners(dependent)):
                return
        await self._drop_finalizer(kind, owner, FOREGROUND)

    async def _orphan(self, kind: Kind, owner: Manifest) -> None:
        uid = owner["metadata"]["uid"]
        for key in list(self._dependents.get(uid, {})):
            dependent_kind, dependent = self._find(key)
            if dependent is not None:
                others = [one for one in _owners(dependent) if one["uid"] != uid]
                await self._patch(dependent_kind, dependent, {"ownerReferences": others or None})
        await self._drop_finalizer(kind, owner, ORPHAN)

    async def _drop_finalizer(self, kind: Kind, owner: Manifest, name: str) -> None:
        left = [one for one in owner["metadata"].get("finalizers") or [] if one != name]
        await self._patch(kind, owner, {"finalizers": left or None})

    async def _patch(self, kind: Kind, found: Manifest, metadata: Manifest) -> None:
        """Patch the object in the version that was read, and no newer one."""
        seen = {key: found["metadata"][key] for key in ("uid", "resourceVersion")}
        try:
            await self._api.patch(kind, namespace_of(found), name_of(found), {"metadata": seen | metadata})
        except ApiError as error:
            if not error.not_found:
                raise


def _owners(manifest: Manifest | None) -> list[Manifest]:
    owners: list[Manifest] = dig(manifest, "metadata", "ownerReferences", default=[])
    return owners


def _is_ending(manifest: Manifest) -> bool:
    return "deletionTimestamp" in manifest["metadata"]


def _key(kind: Kind, manifest: Manifest) -> Key:
    return kind.plural, f"{namespace_of(manifest)}/{name_of(manifest)}"


def _group(api_version: str) -> str:
    return api_version.rpartition("/")[0]
