"""
The fence: an older DAG run does not replace what a newer run deployed.

Every deploy records an ordering token on the deployment. A run that is cleared, backfilled or retried late
has an older token than the run that deployed last; the caller decides what happens then. The comparison is
made on exactly the object that is the write's precondition (its resource version), so a newer run that
deploys in between makes the write fail, and the comparison is repeated.

Runs are ordered by the time for which they were scheduled. Their logical date is not that time: for a
scheduled run it is the start of the data interval, at whose end it runs, and for any other run an arbitrary
time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Self

from airflow_provider_seldon.core.canary.lease import Lease
from airflow_provider_seldon.core.identity.annotations import ANNOTATION_CONFIRMED, ANNOTATION_ORDER, MANAGER
from airflow_provider_seldon.core.identity.identity import is_managed
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
from airflow_provider_seldon.core.resource.unstructured import items_at, text_at

#: Prefix of the id of a scheduled run; it is followed by the scheduled time on Airflow 3, by the logical date
#: on 2.11 (``DagRunType.generate_run_id``, ``Timetable.generate_run_id``).
_SCHEDULED = "scheduled__"


@dataclass(frozen=True, order=True)
class OrderToken:
    """
    Place of a deploy in the order of a DAG's runs.

    :param moment: time for which the run was scheduled, see :func:`meant_for`; in UTC.
    :param run_id: distinguishes two runs of the same moment.
    """

    moment: datetime
    run_id: str

    @classmethod
    def of(cls, moment: datetime, run_id: str) -> Self:
        """Return the token of a run; a moment without a time zone counts as UTC."""
        return cls(_utc(moment), run_id)

    @classmethod
    def parse(cls, text: str | None) -> Self | None:
        """
        Parse an annotation's value; None when there is none, or an unreadable one.

        Earlier versions wrote the logical date. If the run's id contains the scheduled time, that counts.
        """
        moment, separator, run_id = (text or "").partition(" ")
        if not separator or (written := _moment(moment)) is None:
            return None
        scheduled = _moment(run_id.removeprefix(_SCHEDULED)) if run_id.startswith(_SCHEDULED) else None
        return cls(max(written, scheduled or written), run_id)

    def at_most(self, latest: datetime) -> Self:
        """
        Return this token, limited to ``latest``.

        No run is newer than now: a date in the far future must not make every other run an older one.
        """
        return replace(self, moment=min(self.moment, _utc(latest)))

    def __str__(self) -> str:
        return f"{self.moment.isoformat()} {self.run_id}"


def meant_for(
    *,
    run_after: datetime | None = None,
    data_interval_end: datetime | None = None,
    logical_date: datetime | None = None,
    now: datetime,
) -> datetime | None:
    """
    Return the time for which a DAG run was scheduled; None if it has none.

    :param run_after: Airflow 3: exactly that time, for runs of every kind.
    :param data_interval_end: Airflow 2.11: when a scheduled run, including a backfill, runs. Every run has
        one: a run that was triggered, manually or by a dataset, has the last completed interval, or its
        sources' interval.
    :param logical_date: Airflow 2.11: the start of that interval, or the time of the trigger. On Airflow 3 a
        triggered run may have any: a later one counts, but not one in the future.
    :param now: the current time.
    """
    known = [_utc(moment) for moment in (run_after or data_interval_end, logical_date) if moment is not None]
    # A triggered run is as new as its trigger, although its interval ended before.
    return max((moment for moment in known if moment <= _utc(now)), default=min(known, default=None))


def order_of(deployment: SeldonDeployment, *, now: datetime | None = None) -> OrderToken | None:
    """
    Return the token of a deployment; None when there is none, or an unreadable one.

    It is that of the newest run that has deployed it, has confirmed it (``delivery.rollout.order_note``), or
    has a canary on it.

    :param now: a token that is later than this, as earlier versions stored them, counts from when this
        provider last wrote the deployment. None takes every token as it is.
    """
    read = (
        OrderToken.parse(deployment.annotations.get(key)) for key in (ANNOTATION_ORDER, ANNOTATION_CONFIRMED)
    )
    lease = Lease.of(deployment)
    tokens = [token for token in (*read, OrderToken.parse(lease.order if lease else None)) if token]
    if now is not None and any(token.moment > _utc(now) for token in tokens):
        written = _written_at(deployment) or now
        tokens = [token.at_most(written) if token.moment > _utc(now) else token for token in tokens]
    return max(tokens, default=None)


def overtaken_by(
    token: OrderToken | None, existing: Iterable[SeldonDeployment], *, now: datetime | None = None
) -> SeldonDeployment | None:
    """
    Return the deployment that a newer run wrote, if there is one.

    :param token: token of the run that wants to deploy; None is never overtaken.
    :param existing: deployments that it would replace.
    :param now: see :func:`order_of`.
    """
    if token is None:
        return None
    newer = [
        (other, one)
        for one in existing
        if is_managed(one) and (other := order_of(one, now=now)) and other > token
    ]
    return max(newer, key=lambda pair: pair[0])[1] if newer else None


def _written_at(deployment: SeldonDeployment) -> datetime | None:
    """Return when this provider last wrote a deployment, else its creation time."""
    manifest = deployment.to_manifest()
    entries = items_at(manifest, "metadata", "managedFields")
    times = [text_at(one, "time") for one in entries if text_at(one, "manager") == MANAGER]
    known = [moment for text in times if (moment := _moment(text))]
    return max(known, default=None) or _moment(text_at(manifest, "metadata", "creationTimestamp"))


def _moment(text: str) -> datetime | None:
    try:
        return _utc(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        return None


def _utc(moment: datetime) -> datetime:
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
