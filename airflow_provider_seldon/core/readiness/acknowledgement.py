"""
Whether the operator has reconciled a write, as shown by its own write of the status after ours.

Some changes are not visible in any generally readable object: new traffic weights are only in the ingress.
The operator writes the status after it has applied them, and ``metadata.managedFields`` has an entry for who
last wrote the status, and when. Its times are whole seconds, so an entry of the same second proves nothing by
itself; then the evidence is that the resource version has changed although no other client has written.
Source: real operator, an acknowledgement exists.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_seldon.core.resource.unstructured import (
    Object,
    condition,
    items_at,
    mapping_at,
    text_at,
)

#: Conditions of ingresses to which the operator writes routes.
_INGRESSES = ("istioVirtualServicesReady", "AmbassadorMappingsReady")

#: Maximum length of a manager's name; there may be thousands of them in memory.
_LONGEST = 60


@dataclass(frozen=True, kw_only=True)
class Mark:
    """
    The part of the server's response to a write by which a later write of the status can be recognised.

    :param version: ``metadata.resourceVersion``; empty when not known.
    :param statuses: manager that had written the status -> when.
    :param others: fingerprint of the managers that had written anything else, and when.
    """

    version: str = ""
    statuses: Mapping[str, str]
    others: str = ""

    @classmethod
    def of(cls, manifest: Object) -> Mark:
        """Return the mark of a response."""
        return cls(
            version=text_at(manifest, "metadata", "resourceVersion"),
            statuses=_statuses(manifest),
            others=_others(manifest),
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {"version": self.version, "statuses": dict(self.statuses), "others": self.others}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Mark:
        """Return the value that ``to_json`` wrote."""
        return cls(
            version=str(data.get("version") or ""),
            statuses=dict(data.get("statuses") or {}),
            others=str(data.get("others") or ""),
        )

    def is_followed(self, manifest: Object) -> bool:
        """Return whether the status was written after this mark's write, as far as ``manifest`` shows."""
        version = text_at(manifest, "metadata", "resourceVersion")
        if not self.version or version == self.version or not self.others:
            return False
        if version.isdigit() and self.version.isdigit() and int(version) < int(self.version):
            return False
        latest = max(self.statuses.values(), default="")
        now = _statuses(manifest)
        if any(at != self.statuses.get(who) and at >= latest for who, at in now.items()):
            return True
        return bool(now) and _others(manifest) == self.others


def writes_routes(manifest: Object) -> bool:
    """Return whether the operator reports an ingress of this deployment to write to."""
    found = (condition(manifest, kind) for kind in _INGRESSES)
    return any(one and not text_at(one, "reason").lower().startswith("no ") for one in found)


def divides_in_istio(manifest: Object) -> bool:
    """Return whether several predictors share the traffic by routes that the operator writes for Istio."""
    reason = text_at(condition(manifest, _INGRESSES[0]), "reason")
    return bool(routes_of(manifest)) and bool(reason) and not reason.lower().startswith("no ")


def routes_of(deployment: Object) -> list[tuple[str, bool, int]]:
    """Return how requests are split; empty for a deployment with a single predictor, which gets all."""
    predictors = items_at(deployment, "spec", "predictors")
    if len(predictors) < 2:
        return []
    return [
        (text_at(one, "name"), bool(one.get("shadow")), int(one.get("traffic") or 0)) for one in predictors
    ]


def trimmed(manifest: Object) -> list[dict[str, str]]:
    """Return the part of ``metadata.managedFields`` that is used here: who last wrote what, and when."""
    kept = ("manager", "operation", "subresource", "time")
    return [
        {key: text_at(entry, key)[:_LONGEST] for key in kept if key in entry}
        for entry in items_at(manifest, "metadata", "managedFields")
    ]


def _statuses(manifest: Object) -> dict[str, str]:
    return {
        one.get("manager", ""): one.get("time", "")
        for one in trimmed(manifest)
        if one.get("subresource") == "status"
    }


def _others(manifest: Object) -> str:
    entries = [one for one in trimmed(manifest) if one.get("subresource") != "status"]
    if not entries:
        return ""
    text = str(sorted(sorted(one.items()) for one in entries))
    generation = mapping_at(manifest, "metadata").get("generation")
    return hashlib.sha256(f"{generation}{text}".encode()).hexdigest()[:12]
