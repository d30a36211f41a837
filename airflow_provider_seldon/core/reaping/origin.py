"""Whether the task that created a deployment still exists, as far as Airflow reports. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Origin(StrEnum):
    """Airflow's report about a deployment's DAG and task."""

    PRESENT = "present"  # both exist
    GONE = "gone"  # Airflow knows the DAG and reports that it, or its task, no longer exists
    UNHEARD_OF = (
        "unheard_of"  # Airflow has no record of the DAG: it was deleted, or belongs to another Airflow
    )
    UNKNOWN = "unknown"  # the lookup failed, or was incomplete


@dataclass(frozen=True, kw_only=True)
class Whereabouts:
    """
    What is known about the origin of a deployment.

    :param origin: see :class:`Origin`.
    :param reason: a sentence without a full stop, for a report.
    """

    origin: Origin
    reason: str = ""

    @property
    def is_orphan(self) -> bool:
        """Whether no task deploys the deployment any more; never true if the lookup failed."""
        return self.origin in {Origin.GONE, Origin.UNHEARD_OF}
