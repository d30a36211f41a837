"""Whether the task that a deployment comes from still exists, as far as Airflow could be asked. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Origin(StrEnum):
    """What Airflow says about a deployment's DAG and task."""

    PRESENT = "present"  # both are there
    GONE = "gone"  # Airflow knows the DAG and says that it, or its task, is not there any more
    UNHEARD_OF = "unheard_of"  # Airflow does not know the DAG: it was deleted, or belongs to another Airflow
    UNKNOWN = "unknown"  # it could not be looked up, or not in full


@dataclass(frozen=True, kw_only=True)
class Whereabouts:
    """
    What is known about where a deployment comes from.

    :param origin: see :class:`Origin`.
    :param reason: a sentence without a full stop, for a report.
    """

    origin: Origin
    reason: str = ""

    @property
    def is_orphan(self) -> bool:
        """Whether the deployment has nobody who deploys it: never where that could not be looked up."""
        return self.origin in {Origin.GONE, Origin.UNHEARD_OF}
