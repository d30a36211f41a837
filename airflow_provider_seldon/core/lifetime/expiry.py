"""
When a deployment expires: how the argument ``ttl`` of a deploy is stored on the object.

Two annotations hold it. ``expiry`` is applied with the deployment, so the deployment never exists without it,
and an apply without it removes it. A deploy that found everything unchanged writes ``expiry-renewed``: if it
patched the applied annotation, the API server would assign that to another manager. It names the write that
it renews, and counts only for that one: a later apply has its own expiry.

Both are JSON: ``{"v": 1, "ttl": seconds, "until": "2026-01-05T10:00:00+00:00"}``. A later release adds
fields, and never changes the meaning of a field. An unreadable expiry never expires. Pure.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from airflow_provider_seldon.core.identity.annotations import (
    ANNOTATION_EXPIRY,
    ANNOTATION_EXPIRY_RENEWED,
    ANNOTATION_WRITE,
)
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment

#: Version of the format.
SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class Expiry:
    """
    When a deployment expires.

    :param ttl: the given seconds.
    :param until: when they have passed; in UTC.
    """

    ttl: float
    until: datetime

    @classmethod
    def after(cls, ttl: float, *, now: float) -> Self:
        """Return the expiry of a deploy at ``now``, in epoch seconds."""
        return cls(ttl=ttl, until=datetime.fromtimestamp(math.ceil(now), UTC) + timedelta(seconds=ttl))

    def is_over(self, now: float) -> bool:
        """Return whether it has expired at ``now``, in epoch seconds."""
        return now > self.until.timestamp()

    def __str__(self) -> str:
        return self.until.isoformat()

    def to_json(self) -> str:
        """Return the annotation's value."""
        return _json({"v": SCHEMA, "ttl": self.ttl, "until": str(self)})

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self | None:
        """Read an annotation's data; None if it is not an expiry."""
        ttl, until = data.get("ttl"), data.get("until")
        if isinstance(ttl, bool) or not isinstance(ttl, int | float) or not isinstance(until, str):
            return None
        try:
            moment = datetime.fromisoformat(until)
            return cls(ttl=ttl, until=moment.astimezone(UTC)) if moment.tzinfo else None
        # The first and the last day of the calendar have no time in UTC in some zones.
        except (ValueError, OverflowError):
            return None


def expiry_of(deployment: SeldonDeployment) -> Expiry | None:
    """Return when a deployment expires; None if never, or if its expiry is unreadable."""
    return expiry_in(deployment.annotations)


def expiry_in(present: Mapping[str, str]) -> Expiry | None:
    """Return the same as :func:`expiry_of`, from the annotations of a deployment."""
    renewed = _data(present.get(ANNOTATION_EXPIRY_RENEWED))
    if renewed and renewed.get("write") == present.get(ANNOTATION_WRITE, ""):
        return Expiry.from_data(renewed)
    return Expiry.from_data(_data(present.get(ANNOTATION_EXPIRY)))


def expiring(wanted: SeldonDeployment, expiry: Expiry | None) -> SeldonDeployment:
    """Return the deployment to apply with this expiry; with None it never expires."""
    if expiry is not None:
        return wanted.annotated({ANNOTATION_EXPIRY: expiry.to_json()})
    if ANNOTATION_EXPIRY not in wanted.annotations:
        return wanted
    manifest = wanted.to_manifest()
    kept = {key: value for key, value in wanted.annotations.items() if key != ANNOTATION_EXPIRY}
    return SeldonDeployment.from_manifest(
        {**manifest, "metadata": {**manifest["metadata"], "annotations": kept}}
    )


def carried_expiry(deployment: SeldonDeployment) -> dict[str, str]:
    """Return the annotation with which a write keeps a deployment's expiry."""
    expiry = expiry_of(deployment)
    return {ANNOTATION_EXPIRY: expiry.to_json()} if expiry else {}


def renewal(deployment: SeldonDeployment, expiry: Expiry | None) -> dict[str, str]:
    """
    Return the annotation that renews the expiry of an unchanged deployment; empty for nothing to do.

    :param expiry: None for never.
    """
    if expiry is None and expiry_of(deployment) is None:
        return {}
    data: dict[str, Any] = {"v": SCHEMA, "write": deployment.annotations.get(ANNOTATION_WRITE, "")}
    if expiry is not None:
        data |= {"ttl": expiry.ttl, "until": str(expiry)}
    return {ANNOTATION_EXPIRY_RENEWED: _json(data)}


def _json(data: Mapping[str, Any]) -> str:
    return json.dumps(data, separators=(",", ":"), sort_keys=True)


def _data(text: str | None) -> Mapping[str, Any]:
    try:
        data = json.loads(text or "null")
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, Mapping) else {}
