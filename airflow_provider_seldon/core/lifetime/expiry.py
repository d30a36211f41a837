"""
When a deployment's time is over: what the argument ``ttl`` of a deploy becomes on the object.

Two annotations hold it. ``expiry`` is applied with the deployment, so a deployment without it is never there for a
moment, and an apply that leaves it out removes it. ``expiry-renewed`` is what a deploy notes that found everything
unchanged: to the API server, an annotation that is applied would belong to somebody else once it was patched. It names
the write that it renews, and counts for that one only: whatever is applied afterwards says its own.

Both are JSON: ``{"v": 1, "ttl": seconds, "until": "2026-01-05T10:00:00+00:00"}``. A later release adds fields, and
never gives a known field another meaning. What cannot be read expires never. Pure.
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

#: Version of what is stored.
SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class Expiry:
    """
    When a deployment's time is over.

    :param ttl: seconds that were given.
    :param until: when they are over; in UTC.
    """

    ttl: float
    until: datetime

    @classmethod
    def after(cls, ttl: float, *, now: float) -> Self:
        """Return the expiry of a deploy at ``now``, in epoch seconds."""
        return cls(ttl=ttl, until=datetime.fromtimestamp(math.ceil(now), UTC) + timedelta(seconds=ttl))

    def is_over(self, now: float) -> bool:
        """Whether the time is over at ``now``, in epoch seconds."""
        return now > self.until.timestamp()

    def __str__(self) -> str:
        return self.until.isoformat()

    def to_json(self) -> str:
        """Return the annotation's value."""
        return _json({"v": SCHEMA, "ttl": self.ttl, "until": str(self)})

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self | None:
        """Read what an annotation holds; None where that is no expiry."""
        ttl, until = data.get("ttl"), data.get("until")
        if isinstance(ttl, bool) or not isinstance(ttl, int | float) or not isinstance(until, str):
            return None
        try:
            moment = datetime.fromisoformat(until)
        except ValueError:
            return None
        return cls(ttl=ttl, until=moment.astimezone(UTC)) if moment.tzinfo else None


def expiry_of(deployment: SeldonDeployment) -> Expiry | None:
    """Return when a deployment's time is over; None where it is meant to stay, or says nothing that can be read."""
    return expiry_in(deployment.annotations)


def expiry_in(present: Mapping[str, str]) -> Expiry | None:
    """Return what :func:`expiry_of` does, of the annotations of a deployment."""
    renewed = _data(present.get(ANNOTATION_EXPIRY_RENEWED))
    if renewed and renewed.get("write") == present.get(ANNOTATION_WRITE, ""):
        return Expiry.from_data(renewed)
    return Expiry.from_data(_data(present.get(ANNOTATION_EXPIRY)))


def expiring(wanted: SeldonDeployment, expiry: Expiry | None) -> SeldonDeployment:
    """Return what to apply so that a deployment expires then; None so that it stays."""
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
    """Return the annotation with which a write leaves a deployment's time as it is."""
    expiry = expiry_of(deployment)
    return {ANNOTATION_EXPIRY: expiry.to_json()} if expiry else {}


def renewal(deployment: SeldonDeployment, expiry: Expiry | None) -> dict[str, str]:
    """
    Return the annotation that renews the time of a deployment which is left as it is; empty for nothing to do.

    :param expiry: None so that it stays from now on.
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
