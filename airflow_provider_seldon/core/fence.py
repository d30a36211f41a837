"""
The fence: an older DAG run does not roll back what a newer one deployed.

Every deploy records an ordering token on the deployment. A run that is cleared, backfilled or retried late carries
an older token than the one that deployed last, and is told so; what then happens is its caller's decision. The
comparison is made on the very object that the write's precondition (its resource version) names, so a newer run that
deploys in between makes the write fail, and the comparison is made again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from airflow_provider_seldon.core.identity import ANNOTATION_ORDER, is_managed
from airflow_provider_seldon.core.resource import SeldonDeployment


@dataclass(frozen=True, order=True)
class OrderToken:
    """
    When, in the order of a DAG's runs, a deploy belongs.

    :param moment: the run's logical date, or the time it was to run after where it has none; in UTC.
    :param run_id: tells two runs of the same moment apart.
    """

    moment: datetime
    run_id: str

    @classmethod
    def of(cls, moment: datetime, run_id: str) -> OrderToken:
        """Return the token of a run; a moment without a time zone counts as UTC."""
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return cls(aware.astimezone(UTC), run_id)

    @classmethod
    def parse(cls, text: str | None) -> OrderToken | None:
        """Read an annotation's value; None when there is none, or none that can be read."""
        moment, separator, run_id = (text or "").partition(" ")
        if not separator:
            return None
        try:
            return cls.of(datetime.fromisoformat(moment), run_id)
        except ValueError:
            return None

    def __str__(self) -> str:
        return f"{self.moment.isoformat()} {self.run_id}"


def overtaken_by(token: OrderToken | None, existing: Iterable[SeldonDeployment]) -> SeldonDeployment | None:
    """
    Return the deployment that a newer run has written, if there is one.

    :param token: of the run that wants to deploy; None is never overtaken.
    :param existing: deployments that it would replace.
    """
    if token is None:
        return None
    newer = [
        (other, one)
        for one in existing
        if is_managed(one)
        and (other := OrderToken.parse(one.annotations.get(ANNOTATION_ORDER)))
        and other > token
    ]
    return max(newer, key=lambda pair: pair[0])[1] if newer else None
