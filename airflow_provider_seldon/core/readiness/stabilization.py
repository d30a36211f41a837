"""
Which conditions hold, for how long, and when the next check is due.

``History`` is all the state that an evaluation over time needs, and can be stored as JSON; ``judge`` returns
a new one each time. ``Stabilization`` is its use in one evaluation. Neither reads a clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, kw_only=True)
class History:
    """
    What one wait has seen so far.

    :param since: condition that holds now -> epoch seconds since which it has held without interruption.
        ``judge`` chooses the keys; a condition that no longer holds is dropped.
    :param moved: a status was seen that differs from the one in the write's response: the operator has
        reconciled.
    :param acknowledged: the operator has written the status after the write.
    :param templates: child -> fingerprint of its pod template, and the generation at which that was first
        seen: a status of that generation, or a later one, is about these pods, even if the generation has
        risen since.
    """

    since: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    moved: bool = False
    acknowledged: bool = False
    templates: Mapping[str, tuple[str, int]] = field(default_factory=lambda: MappingProxyType({}))

    def holds(self, key: str, now: float) -> float:
        """Return for how many seconds ``key`` has held, counting from ``now`` when it is new."""
        return max(0.0, now - self.since.get(key, now))

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON data."""
        templates = {child: list(seen) for child, seen in self.templates.items()}
        flags = {"moved": self.moved, "acknowledged": self.acknowledged}
        return {"since": dict(self.since), **flags, "templates": templates}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> History:
        """Return the value that ``to_json`` wrote, of this release or the previous one."""
        templates = {
            child: (text, generation) for child, (text, generation) in (data.get("templates") or {}).items()
        }
        return cls(
            since=dict(data.get("since") or {}),
            moved=bool(data.get("moved")),
            acknowledged=bool(data.get("acknowledged")),
            templates=templates,
        )


class Stabilization:
    """
    Reads the previous ``History`` and collects the next one: it keeps only the keys that are queried again.

    :param history: history of the previous evaluation.
    :param now: epoch seconds.
    """

    def __init__(self, history: History, now: float) -> None:
        self.moved = history.moved
        self.acknowledged = history.acknowledged
        self.next_due: float | None = None
        self._before = history
        self._now = now
        self._since: dict[str, float] = {}
        self._templates: dict[str, tuple[str, int]] = {}

    def lasted(self, key: str, seconds: float) -> bool:
        """Record that ``key`` holds now, and return whether it has held that long without interruption."""
        # A clock that was set back must not prolong the wait.
        start = min(self._before.since.get(key, self._now), self._now)
        self._since[key] = start
        due = start + seconds
        if due <= self._now:
            return True
        self.due_in(due - self._now)
        return False

    def once(self, key: str, *, holds: bool) -> bool:
        """Return whether ``key`` holds now or has held before; it stays known while it is queried."""
        if holds or key in self._before.since:
            self._since[key] = self._before.since.get(key, self._now)
            return True
        return False

    def due_in(self, seconds: float) -> None:
        """Record that the next evaluation is due in that time."""
        due = self._now + seconds
        self.next_due = due if self.next_due is None else min(self.next_due, due)

    def keep(self, prefix: str) -> None:
        """Keep the history's keys with that prefix: they could not be observed this time."""
        self._since |= {key: start for key, start in self._before.since.items() if key.startswith(prefix)}

    def first_generation(self, child: str, template: str, generation: int) -> int:
        """
        Record a child's current pod template, and return the generation at which that was first seen.

        :param child: its name.
        :param template: fingerprint of its pod template.
        :param generation: its ``metadata.generation`` now.
        """
        before, first = self._before.templates.get(child, ("", generation))
        if before != template or first > generation:
            first = generation
        self._templates[child] = (template, first)
        return first

    def history(self) -> History:
        """Return the history for the next evaluation."""
        return History(
            since=self._since,
            moved=self.moved,
            acknowledged=self.acknowledged,
            templates=self._templates,
        )
