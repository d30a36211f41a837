"""What one judgement observes, before it is compared with the history."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Phase(StrEnum):
    """What a wait can find. Only PENDING goes on."""

    PENDING = "Pending"
    READY = "Ready"
    FAILED = "Failed"
    DELETED = "Deleted"
    REPLACED = "Replaced"


@dataclass(frozen=True, kw_only=True)
class Observation:
    """
    One result of judging.

    :param phase: what to do.
    :param reason: one CamelCase word.
    :param message: a sentence.
    :param child: the child Deployment concerned, where there is one.
    :param weaker: READY only: what could not be looked at; empty when everything was.
    :param wants_pods: READY only: reading the pods would make it certain.
    """

    phase: Phase
    reason: str
    message: str
    child: str = ""
    weaker: str = ""
    wants_pods: bool = False
