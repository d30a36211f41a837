"""How a wait ended, as a value that the triggerer passes to the worker, and a poke to the sensor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any


class Ending(StrEnum):
    """The ways a wait can end."""

    READY = "ready"
    FAILED = "failed"
    WRONG = "wrong"
    DELETED = "deleted"
    REPLACED = "replaced"
    TIMEOUT = "timeout"

    @property
    def is_good(self) -> bool:
        """Whether the deployment is ready."""
        return self is Ending.READY


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """
    The end of a wait for one deployment.

    :param ending: how it ended.
    :param name: name of the deployment.
    :param namespace: its namespace.
    :param reason: one CamelCase word, such as ``ProgressDeadlineExceeded``.
    :param message: a sentence.
    :param state: the last ``status.state`` seen.
    :param diagnosis: the failure's cause in pods, events and logs; several lines, credentials masked.
    :param weaker: of a successful ending: the missing evidence; empty when nothing is missing.
    """

    ending: Ending
    name: str
    namespace: str
    reason: str = ""
    message: str = ""
    state: str = ""
    diagnosis: str = ""
    weaker: str = ""

    def explained(self, diagnosis: str) -> Outcome:
        """Return this outcome with a diagnosis."""
        return replace(self, diagnosis=diagnosis)

    def turned_down(self, ending: Ending, *, reason: str, message: str) -> Outcome:
        """Return this outcome with another ending."""
        return replace(self, ending=ending, reason=reason, message=message)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {**asdict(self), "ending": str(self.ending)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Outcome:
        """Read what :meth:`to_json` returned; unknown keys are ignored, so that versions can differ."""
        known = {key: value for key, value in data.items() if key in cls.__dataclass_fields__}
        return cls(**{**known, "ending": Ending(data["ending"])})
