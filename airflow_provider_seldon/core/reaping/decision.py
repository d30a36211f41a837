"""
The action of a reaper on a deployment, decided only from the data of that deployment.

A reaper deletes a deployment in two steps. The first run that finds it expired, or its task gone, writes a
note on the object (annotation ``expiry-noticed``) and changes nothing else. A later run deletes it after the
grace period, if it was not deployed, edited or renewed since: the note has a hash of what the reaper saw,
so any such change makes it void. A note is JSON, ``{"v": 1, "at": time, "of": hash}``.

A canary takes precedence. While its lease has not expired, a run leads it, and its deployment stays even if
it has expired. Once the lease has expired, the reaper aborts the canary at every stage, ``promoting``
included: it restores the last proven version, because the candidate has not been proven in the main
predictor. Pure.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Self

from airflow_provider_seldon.core.canary.lease import ANNOTATION_CANARY, Lease
from airflow_provider_seldon.core.identity.annotations import (
    ANNOTATION_CONFIRMED,
    ANNOTATION_EXPIRY_NOTICED,
)
from airflow_provider_seldon.core.identity.identity import is_managed
from airflow_provider_seldon.core.lifetime.expiry import Expiry, expiry_of
from airflow_provider_seldon.core.reaping.origin import Origin, Whereabouts
from airflow_provider_seldon.core.resource.canonical_json import digest
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
from airflow_provider_seldon.core.rollout.history import json_object
from airflow_provider_seldon.core.rollout.write_mark import Written, fingerprint

#: Version of the note.
SCHEMA = 1
#: Seconds between the note and the deletion.
GRACE = 3600.0


class Verdict(StrEnum):
    """What a reaper does with a deployment."""

    STAYS = "stays"
    LEFT = "left"  # something is due, but not now, or not for a reaper
    ABORT = "abort"
    NOTICE = "notice"
    CLEAR = "clear"  # the note is void
    DELETE = "delete"


@dataclass(frozen=True, kw_only=True)
class ReapingDecision:
    """
    What a reaper does with a deployment, and why.

    :param verdict: what the reaper does.
    :param reason: a sentence without a full stop, for a report; empty for a deployment that simply stays.
    :param after: time from which it may be deleted, in epoch seconds; None without a note.
    """

    verdict: Verdict
    reason: str = ""
    after: float | None = None


@dataclass(frozen=True, kw_only=True)
class Led:
    """
    A canary in progress, as far as it concerns a reaper.

    :param run: DAG run that leads it.
    :param expires: when its lease expires, in epoch seconds; None for an unreadable lease.
    :param where: stage and step.
    """

    run: str = ""
    expires: float | None = None
    where: str = ""

    @classmethod
    def of(cls, lease: Lease) -> Self:
        """Build it from a lease."""
        return cls(run=lease.run, expires=lease.expires, where=f"{lease.stage} at {lease.current}")

    def holds(self, now: float) -> bool:
        """Return whether its run leads it: whether the lease can be read and has not expired."""
        return self.expires is not None and now <= self.expires


@dataclass(frozen=True, kw_only=True)
class Facts:
    """
    The facts that a decision needs, from a deployment itself or from an earlier observation of it.

    :param managed: whether this provider created it.
    :param deleting: whether its deletion has begun.
    :param canary: the canary in progress; None without one.
    :param expiry: when it expires; None if it never does.
    :param noticed: time of the note that is valid for its present state, in epoch seconds; None without one.
    :param void_note: whether it has a note at all, which may be void.
    """

    managed: bool
    deleting: bool = False
    canary: Led | None = None
    expiry: Expiry | None = None
    noticed: float | None = None
    void_note: bool = False

    @classmethod
    def of(cls, deployment: SeldonDeployment) -> Self:
        """Read them from a deployment."""
        led = None
        if ANNOTATION_CANARY in deployment.annotations:
            lease = Lease.of(deployment)
            led = Led.of(lease) if lease else Led()
        return cls(
            managed=is_managed(deployment),
            deleting=bool(deployment.metadata and deployment.metadata.deletion_timestamp),
            canary=led,
            expiry=expiry_of(deployment),
            noticed=noticed_at(deployment),
            void_note=ANNOTATION_EXPIRY_NOTICED in deployment.annotations,
        )


def decision_for(
    deployment: SeldonDeployment,
    *,
    now: float,
    grace: float = GRACE,
    whereabouts: Whereabouts | None = None,
    delete_orphans: bool = False,
) -> ReapingDecision:
    """
    Decide what a reaper does with a deployment.

    :param now: epoch seconds.
    :param grace: seconds between the note and the deletion.
    :param whereabouts: where it comes from; None if that was not looked up.
    :param delete_orphans: whether an orphan is deleted like an expired deployment. Only if Airflow knows its
        DAG: an unknown DAG may belong to another Airflow.
    """
    return decision_on(
        Facts.of(deployment), now=now, grace=grace, whereabouts=whereabouts, delete_orphans=delete_orphans
    )


def decision_on(
    facts: Facts,
    *,
    now: float,
    grace: float = GRACE,
    whereabouts: Whereabouts | None = None,
    delete_orphans: bool = False,
) -> ReapingDecision:
    """Decide from known facts about a deployment; see :func:`decision_for`."""
    if not facts.managed:
        return ReapingDecision(verdict=Verdict.LEFT, reason="this provider did not create it")
    if facts.deleting:
        return ReapingDecision(verdict=Verdict.LEFT, reason="its deletion has already begun")
    if facts.canary is not None:
        return _of_canary(facts.canary, now)
    why = _due(facts.expiry, now, whereabouts, delete_orphans=delete_orphans)
    noticed = facts.noticed
    if not why:
        return ReapingDecision(verdict=Verdict.CLEAR if facts.void_note else Verdict.STAYS)
    if noticed is None:
        return ReapingDecision(verdict=Verdict.NOTICE, reason=why)
    if now < noticed + grace:
        return ReapingDecision(
            verdict=Verdict.LEFT,
            reason=f"{why}; a reaper may delete it after {_text(noticed + grace)}",
            after=noticed + grace,
        )
    return ReapingDecision(
        verdict=Verdict.DELETE, reason=f"{why}; noticed at {_text(noticed)}", after=noticed + grace
    )


def notice(deployment: SeldonDeployment, *, now: float) -> dict[str, str]:
    """Return the annotation that marks a deployment as due."""
    data = {"v": SCHEMA, "at": _text(now), "of": _seen(deployment)}
    return {ANNOTATION_EXPIRY_NOTICED: json.dumps(data, separators=(",", ":"), sort_keys=True)}


def noticed_at(deployment: SeldonDeployment) -> float | None:
    """Return when a deployment in its present state was marked as due, in epoch seconds; None if it was not."""
    data = json_object(deployment.annotations.get(ANNOTATION_EXPIRY_NOTICED))
    at = data.get("at")
    if not isinstance(at, str) or data.get("of") != _seen(deployment):
        return None
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        return None
    return moment.timestamp() if moment.tzinfo else None


def _of_canary(led: Led, now: float) -> ReapingDecision:
    if led.expires is None:
        return ReapingDecision(
            verdict=Verdict.LEFT, reason="a canary is in progress whose lease cannot be read"
        )
    until = _text(led.expires)
    if led.holds(now):
        return ReapingDecision(
            verdict=Verdict.LEFT, reason=f"run {led.run} leads a canary on it, with a lease until {until}"
        )
    return ReapingDecision(
        verdict=Verdict.ABORT,
        reason=f"run {led.run} no longer leads its canary: the lease expired at {until}, while {led.where}",
    )


def _due(expiry: Expiry | None, now: float, whereabouts: Whereabouts | None, *, delete_orphans: bool) -> str:
    """Return why a deployment is due for deletion; "" if it is not."""
    if expiry is not None and expiry.is_over(now):
        return f"it expired at {expiry}"
    if delete_orphans and whereabouts is not None and whereabouts.origin is Origin.GONE:
        return whereabouts.reason
    return ""


def _seen(deployment: SeldonDeployment) -> str:
    """Return a hash that changes with each deploy, edit, confirmation or renewal of a deployment."""
    written = Written.of(deployment, deployment)
    parts = [
        *(deployment.uid, fingerprint(deployment), dict(written.contents)),
        *(str(expiry_of(deployment) or ""), deployment.annotations.get(ANNOTATION_CONFIRMED, "")),
    ]
    return digest(parts, 12)


def _text(moment: float) -> str:
    try:
        return datetime.fromtimestamp(int(moment), UTC).isoformat()
    except (OverflowError, ValueError, OSError):
        return f"{moment:g}"
