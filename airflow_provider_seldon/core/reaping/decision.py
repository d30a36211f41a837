"""
What a reaper is to do with a deployment: judged on what was read of it, and nothing else.

A deployment is deleted in two steps. The first look that finds its time over, or its task gone, notes that on the
object (annotation ``expiry-noticed``) and touches nothing else. A later one deletes it when the grace has passed, and
nobody has deployed, edited or renewed it since: the note names what was seen, so whatever changes that makes it void. A
note is JSON, ``{"v": 1, "at": time, "of": hash}``.

A canary comes first. One whose lease has not expired is led by somebody, and its deployment is left alone whatever the
time. One whose lease has expired is aborted at every stage, ``promoting`` included: what was last proven to serve is
put back, because nobody has seen the candidate serve in the main predictor. Pure.
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
    """What is to be done."""

    STAYS = "stays"
    LEFT = "left"  # something is due, but not now, or not for us
    ABORT = "abort"
    NOTICE = "notice"
    CLEAR = "clear"  # an old note has become void
    DELETE = "delete"


@dataclass(frozen=True, kw_only=True)
class ReapingDecision:
    """
    What a reaper is to do with a deployment, and why.

    :param verdict: what is to be done.
    :param reason: a sentence without a full stop, for a report; empty for what simply stays.
    :param after: epoch seconds from which on it may be deleted; None where nothing is noted.
    """

    verdict: Verdict
    reason: str = ""
    after: float | None = None


@dataclass(frozen=True, kw_only=True)
class Led:
    """
    A canary under way, as far as it concerns a reaper.

    :param run: DAG run that leads it.
    :param expires: when its lease is over, in epoch seconds; None where the lease cannot be read.
    :param where: stage and step.
    """

    run: str = ""
    expires: float | None = None
    where: str = ""

    @classmethod
    def of(cls, lease: Lease) -> Self:
        """Read it of a lease."""
        return cls(run=lease.run, expires=lease.expires, where=f"{lease.stage} at {lease.current}")


@dataclass(frozen=True, kw_only=True)
class Facts:
    """
    What a decision is made on: of a deployment itself, or of what was seen of it earlier.

    :param managed: whether this provider made it.
    :param deleting: whether it is being deleted already.
    :param canary: the canary under way; None where there is none.
    :param expiry: when its time is over; None where it is meant to stay.
    :param noticed: epoch seconds of the note that counts for it as it is; None without one.
    :param void_note: whether it has a note, which may not count any more.
    """

    managed: bool
    deleting: bool = False
    canary: Led | None = None
    expiry: Expiry | None = None
    noticed: float | None = None
    void_note: bool = False

    @classmethod
    def of(cls, deployment: SeldonDeployment) -> Self:
        """Read them of a deployment."""
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
    Judge a deployment.

    :param now: epoch seconds.
    :param grace: seconds between the note and the deletion.
    :param whereabouts: where it comes from; None where that was not asked.
    :param delete_orphans: whether an orphan is deleted as if its time were over. Only one whose DAG Airflow knows: what
        it never heard of may belong to another Airflow.
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
    """Judge what is known of a deployment; see :func:`decision_for`."""
    if not facts.managed:
        return ReapingDecision(verdict=Verdict.LEFT, reason="this provider did not make it")
    if facts.deleting:
        return ReapingDecision(verdict=Verdict.LEFT, reason="it is being deleted already")
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
            reason=f"{why}; it may be deleted from {_text(noticed + grace)} on",
            after=noticed + grace,
        )
    return ReapingDecision(
        verdict=Verdict.DELETE, reason=f"{why}; noticed at {_text(noticed)}", after=noticed + grace
    )


def notice(deployment: SeldonDeployment, *, now: float) -> dict[str, str]:
    """Return the annotation that notes that a deployment is due."""
    data = {"v": SCHEMA, "at": _text(now), "of": _seen(deployment)}
    return {ANNOTATION_EXPIRY_NOTICED: json.dumps(data, separators=(",", ":"), sort_keys=True)}


def noticed_at(deployment: SeldonDeployment) -> float | None:
    """Return when a deployment, as it is now, was noticed, in epoch seconds; None where it was not."""
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
            verdict=Verdict.LEFT, reason="a canary is under way, whose lease cannot be read"
        )
    until = _text(led.expires)
    if now <= led.expires:
        return ReapingDecision(
            verdict=Verdict.LEFT, reason=f"run {led.run} leads a canary on it until {until}"
        )
    return ReapingDecision(
        verdict=Verdict.ABORT,
        reason=f"nobody leads the canary of run {led.run} any more: its lease has expired at {until}, "
        f"while {led.where}",
    )


def _due(expiry: Expiry | None, now: float, whereabouts: Whereabouts | None, *, delete_orphans: bool) -> str:
    """Return why a deployment is to be deleted; "" where it is not."""
    if expiry is not None and expiry.is_over(now):
        return f"its time is over since {expiry}"
    if delete_orphans and whereabouts is not None and whereabouts.origin is Origin.GONE:
        return whereabouts.reason
    return ""


def _seen(deployment: SeldonDeployment) -> str:
    """Return a hash that is another one once somebody has deployed, edited, confirmed or renewed a deployment."""
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
