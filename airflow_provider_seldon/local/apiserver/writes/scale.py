"""The scale subresource: an ``autoscaling/v1`` Scale for ``spec.replicas`` and ``status.replicas``."""

from __future__ import annotations

from typing import Any

from airflow_provider_seldon.local.apiserver.objects import metadata
from airflow_provider_seldon.local.apiserver.objects.store import Manifest, Stored
from airflow_provider_seldon.local.apiserver.protocol import bodies, patching, status
from airflow_provider_seldon.local.apiserver.protocol.request import RequestInfo
from airflow_provider_seldon.local.apiserver.reads.reading import Reader
from airflow_provider_seldon.local.apiserver.writes.commit import Outcome
from airflow_provider_seldon.local.apiserver.writes.writing import Writer, patch_types

_FIELD = ".spec.replicas"
_CARRIED = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def respond(writer: Writer, reader: Reader, info: RequestInfo, raw: bytes) -> Outcome:
    """
    Handle GET, PUT and PATCH of a scale.

    :raises StatusError: 404, 405, 409, 415 or 422 as for the object itself; 500 for a read if the object has
        no number of replicas.
    """
    live = reader.get(info)
    if info.verb == "get":
        if _replicas(live) is None:
            raise status.internal_error(f'the spec replicas field "{_FIELD}" does not exist')
        return Outcome(manifest=_scale(live))
    if info.verb == "update":
        wanted = bodies.decode(raw, info.content_type)
    elif info.verb == "patch":
        wanted = _patched(info, live, raw)
    else:
        raise status.method_not_allowed("the server does not allow this method on the requested resource")
    return _write(writer, info, live, wanted)


def _patched(info: RequestInfo, live: Stored, raw: bytes) -> Any:
    accepted = [name for name in patch_types(info) if name != patching.APPLY_PATCH]
    if info.content_type not in accepted:
        raise status.unsupported_media_type(accepted)
    patch = bodies.decode(raw, "application/json")
    if info.content_type == patching.JSON_PATCH:
        return patching.json_patch(_scale(live), patch)
    return patching.merge_patch(_scale(live), patch)


def _write(writer: Writer, info: RequestInfo, live: Stored, wanted: Any) -> Outcome:
    options = bodies.write_options(info)
    if not isinstance(wanted, dict) or wanted.get("kind", "Scale") != "Scale":
        raise status.bad_request(
            f"expected a Scale, got {wanted.get('kind') if isinstance(wanted, dict) else wanted}"
        )
    sent = wanted.get("metadata") or {}
    bodies.check_identity(info, sent)
    unset = None if _replicas(live) is None else 0
    replicas = (wanted.get("spec") or {}).get("replicas", unset)
    if replicas is None:
        raise status.bad_request(f'the spec replicas field "{_FIELD}" cannot be empty')
    if not isinstance(replicas, int) or (replicas < 0 and not info.resource.custom):
        raise status.invalid(
            group="autoscaling",
            kind="Scale",
            name=info.name,
            causes=[metadata.invalid("spec.replicas", replicas, "must be greater than or equal to 0")],
        )
    if sent.get("uid") and sent["uid"] != live.uid:
        raise status.conflict(
            group=info.resource.group,
            resource=info.resource.plural,
            name=info.name,
            why=f"Precondition failed: UID in precondition: {sent['uid']}, UID in object meta: {live.uid}",
        )
    new: Manifest = live.in_version(info.version) | {
        "metadata": dict(live.metadata),
        "spec": (live.manifest.get("spec") or {}) | {"replicas": replicas},
    }
    new["metadata"]["resourceVersion"] = sent.get("resourceVersion") or str(live.revision)
    outcome = writer.update_as(info, options, live, new)
    stored = outcome.stored or Stored(live.resource, outcome.manifest or new, live.revision)
    return Outcome(manifest=_scale(stored))


def _replicas(stored: Stored) -> int | None:
    spec = stored.manifest.get("spec") or {}
    value = spec.get("replicas")
    return value if isinstance(value, int) else None


def _scale(stored: Stored) -> Manifest:
    status_part: Manifest = {"replicas": (stored.manifest.get("status") or {}).get("replicas", 0)}
    labels = ((stored.manifest.get("spec") or {}).get("selector") or {}).get("matchLabels")
    if labels:
        status_part["selector"] = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
    replicas = _replicas(stored)
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {name: stored.metadata[name] for name in _CARRIED if name in stored.metadata},
        "spec": {"replicas": replicas} if replicas else {},
        "status": status_part,
    }
