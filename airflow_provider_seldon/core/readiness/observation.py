"""What one evaluation observes, before it is compared with the history."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Phase(StrEnum):
    """What a wait can find. Only PENDING continues it."""

    PENDING = "Pending"
    READY = "Ready"
    FAILED = "Failed"
    DELETED = "Deleted"
    REPLACED = "Replaced"


@dataclass(frozen=True, kw_only=True)
class Observation:
    """
    One result of an evaluation.

    :param phase: what to do.
    :param reason: one CamelCase word.
    :param message: a sentence.
    :param child: name of the child Deployment, if it is about one.
    :param weaker: READY only: what could not be checked; empty when everything was.
    :param wants_pods: READY only: reading the pods would confirm it.
    """

    phase: Phase
    reason: str
    message: str
    child: str = ""
    weaker: str = ""
    wants_pods: bool = False
