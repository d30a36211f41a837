"""Delete and deletecollection: preconditions, propagation, finalizers and grace.

Purpose: the two-step deletion of the Kubernetes API ("Garbage Collection", "Finalizers", "Termination of
Pods"): an object with finalizers, or a pod on a node, is first marked with ``deletionTimestamp``; it is
removed after the last finalizer, or the grace period. ``garbage.py`` handles dependents.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_seldon.local.apiserver.objects.metadata import FOREGROUND, ORPHAN
from airflow_provider_seldon.local.apiserver.objects.store import Manifest, Store, Stored
from airflow_provider_seldon.local.apiserver.protocol import bodies, status
from airflow_provider_seldon.local.apiserver.protocol.request import RequestInfo, invalid_option
from airflow_provider_seldon.local.apiserver.protocol.resources import ResourceType
from airflow_provider_seldon.local.apiserver.reads.reading import Page, Reader
from airflow_provider_seldon.local.apiserver.writes.commit import Outcome

_PROPAGATION = ("Foreground", "Background", "Orphan")
_DEFAULT_GRACE = 30


@dataclass(frozen=True, kw_only=True)
class DeleteOptions:
    """
    The options of a delete, from its body or its query.

    :param propagation: ``Background``, ``Foreground`` or ``Orphan``; ``None`` if the client sets none.
    :param grace_seconds: Requested grace period; ``None`` if the client sets none.
    :param uid: Only delete the object with this uid.
    :param resource_version: Only delete the object at this resource version.
    :param dry_run: Do everything except deleting.
    :param legacy_cascade: ``orphanDependents`` was sent as false (the status is then 202, not 200).
    """

    propagation: str | None = None
    grace_seconds: int | None = None
    uid: str | None = None
    resource_version: str | None = None
    dry_run: bool = False
    legacy_cascade: bool = False


def delete_options(info: RequestInfo, raw: bytes) -> DeleteOptions:
    """
    Read the options of a delete; the body takes precedence over the query.

    :raises StatusError: 400 for an unreadable body, 422 for values that are not allowed.
    """
    body: Mapping[str, Any] = {}
    if raw.strip():
        try:
            body = bodies.decode(raw, info.content_type)
        except status.StatusError as error:
            text = f"couldn't get version/kind; json parse error: {error.message}"
            raise status.plain_error(text) if error.code == 400 else error from None
        if not isinstance(body, Mapping):
            raise status.bad_request("the body of a delete is not a DeleteOptions object")
    propagation = body.get("propagationPolicy") or info.query.get("propagationPolicy") or None
    if propagation is not None and propagation not in _PROPAGATION:
        raise invalid_option(
            "DeleteOptions",
            "propagationPolicy",
            f'Unsupported value: "{propagation}": supported values: "Foreground", "Background", "Orphan", "nil"',
        )
    orphan = body.get("orphanDependents")
    if orphan is None and "orphanDependents" in info.query:
        orphan = info.flag("orphanDependents")
    if orphan is not None and propagation is not None:
        raise invalid_option(
            "DeleteOptions",
            "propagationPolicy",
            f'Invalid value: "{propagation}": orphanDependents and deletionPropagation cannot be both set',
        )
    grace = body.get("gracePeriodSeconds")
    preconditions = body.get("preconditions") or {}
    return DeleteOptions(
        propagation="Orphan" if orphan else propagation,
        grace_seconds=grace if isinstance(grace, int) else info.number("gracePeriodSeconds"),
        uid=preconditions.get("uid") or None,
        resource_version=preconditions.get("resourceVersion") or None,
        dry_run=_dry_run(body, info),
        legacy_cascade=orphan is False,
    )


def _dry_run(body: Mapping[str, Any], info: RequestInfo) -> bool:
    values = body.get("dryRun") or ([info.query["dryRun"]] if info.query.get("dryRun") else [])
    if any(value != "All" for value in values):
        raise invalid_option(
            "DeleteOptions", "dryRun", f'Unsupported value: ["{values[0]}"]: supported values: "All"'
        )
    return bool(values)


class Deleter:
    """
    Performs deletes on the store.

    :param store: Stores objects.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._reader = Reader(store)

    def delete(self, info: RequestInfo, raw: bytes) -> Outcome:
        """Handle DELETE of one object."""
        options = delete_options(info, raw)
        live = self._store.get(info.resource, info.namespace, info.name)
        if live is None:
            raise info.not_found()
        return self.remove(live, options)

    def delete_collection(self, info: RequestInfo, raw: bytes) -> Page:
        """Handle DELETE of all selected objects, and return the deleted ones."""
        options = delete_options(info, raw)
        page = self._reader.list(info)
        for stored in page.items:
            self.remove(stored, options)
        return page

    def remove(self, live: Stored, options: DeleteOptions) -> Outcome:
        """
        Delete an object, or set its deletion time.

        :raises StatusError: 409 when a precondition does not hold.
        """
        _check_preconditions(live, options)
        resource = live.resource
        grace = _grace(live, options)
        if grace is _PENDING:
            return _answer(live, removed=False, options=options)
        finalizers = _finalizers(live.metadata, options)
        new_metadata = dict(live.manifest["metadata"])
        if finalizers != (live.metadata.get("finalizers") or []):
            new_metadata["finalizers"] = finalizers
        if not finalizers:
            new_metadata.pop("finalizers", None)
        if grace is not None:
            _mark(new_metadata, grace)
        elif finalizers:
            _mark(new_metadata, 0)
        new = live.manifest | {"metadata": new_metadata}
        if not finalizers and not grace:
            return self._finish(live, new, options)
        if new_metadata == live.manifest["metadata"]:
            return Outcome(stored=live)
        if options.dry_run:
            return Outcome(manifest=new)
        code = 202 if options.legacy_cascade else 200
        return Outcome(code=code, stored=self._store.put(resource, _own_metadata(new)))

    def _finish(self, live: Stored, new: Manifest, options: DeleteOptions) -> Outcome:
        if options.dry_run:
            return _answer(live, removed=True, options=options)
        if new["metadata"] != live.manifest["metadata"]:
            # A pod without a grace period is also marked before its removal.
            live = self._store.put(live.resource, _own_metadata(new))
        if live.resource.plural == "namespaces":
            return Outcome(stored=self._terminate_namespace(live))
        return _answer(self._store.remove(live), removed=True, options=options)

    def _terminate_namespace(self, live: Stored) -> Stored:
        if (live.manifest.get("status") or {}).get("phase") == "Terminating":
            return live
        marked = dict(live.manifest["metadata"])
        _mark(marked, 0)
        marked.pop("deletionGracePeriodSeconds", None)
        new = live.manifest | {"metadata": marked, "status": {"phase": "Terminating"}}
        return self._store.put(live.resource, new)


_PENDING = -1


def _own_metadata(manifest: Manifest) -> Manifest:
    return manifest | {"metadata": dict(manifest["metadata"])}


def _check_preconditions(live: Stored, options: DeleteOptions) -> None:
    def failed(why: str) -> status.StatusError:
        return status.conflict(
            group=live.resource.group, resource=live.resource.kind, name=live.metadata["name"], why=why
        )

    if options.uid and options.uid != live.uid:
        raise failed(
            f"the UID in the precondition ({options.uid}) does not match the UID in record ({live.uid}). "
            "The object might have been deleted and then recreated"
        )
    if options.resource_version and options.resource_version != str(live.revision):
        raise failed(
            f"the ResourceVersion in the precondition ({options.resource_version}) does not match the "
            f"ResourceVersion in record ({live.revision}). The object might have been modified"
        )


def _grace(live: Stored, options: DeleteOptions) -> int | None:
    """Return the grace period to set; ``None`` without one; ``_PENDING`` if one is already running."""
    meta = live.metadata
    requested = None if options.grace_seconds is None else max(options.grace_seconds, 0)
    if options.grace_seconds is not None and options.grace_seconds < 0:
        requested = 1
    if "deletionTimestamp" in meta:
        current = meta.get("deletionGracePeriodSeconds")
        if not current:
            return None
        if requested is None or requested >= current:
            return _PENDING
        return requested
    return _first_grace(live.resource, live.manifest, requested)


def _first_grace(resource: ResourceType, manifest: Mapping[str, Any], requested: int | None) -> int | None:
    if resource.plural != "pods":
        return None
    spec, phase = manifest.get("spec") or {}, (manifest.get("status") or {}).get("phase")
    if not spec.get("nodeName") or phase in ("Succeeded", "Failed"):
        return 0
    return int(spec.get("terminationGracePeriodSeconds", _DEFAULT_GRACE)) if requested is None else requested


def _mark(marked: Manifest, grace: int) -> None:
    """Set the deletion time (now plus grace); the first mark counts as a new generation."""
    first = "deletionTimestamp" not in marked
    if not first and marked.get("deletionGracePeriodSeconds", 0) <= grace:
        return
    when = datetime.now(UTC) + timedelta(seconds=grace)
    marked["deletionTimestamp"] = when.strftime("%Y-%m-%dT%H:%M:%SZ")
    marked["deletionGracePeriodSeconds"] = grace
    if first and marked.get("generation"):
        marked["generation"] += 1


def _finalizers(meta: Mapping[str, Any], options: DeleteOptions) -> list[str]:
    present = list(meta.get("finalizers") or [])
    kept = [name for name in present if name not in (FOREGROUND, ORPHAN)]
    propagation = options.propagation
    if propagation is None:
        propagation = (
            "Orphan" if ORPHAN in present else "Foreground" if FOREGROUND in present else "Background"
        )
    if propagation == "Orphan":
        kept.append(ORPHAN)
    elif propagation == "Foreground":
        kept.append(FOREGROUND)
    return kept


def _answer(stored: Stored, *, removed: bool, options: DeleteOptions) -> Outcome:
    code = 202 if options.legacy_cascade and not removed else 200
    if stored.resource.returns_deleted:
        return Outcome(code=code, stored=stored)
    return Outcome(
        code=code,
        manifest=status.success(
            name=stored.metadata["name"],
            group=stored.resource.group,
            kind=stored.resource.plural,
            uid=stored.uid,
        ),
    )
