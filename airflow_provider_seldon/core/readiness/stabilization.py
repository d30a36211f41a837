"""
One judgement's use of the history: what holds, for how long, and when the next thing falls due.
"""

from __future__ import annotations

from airflow_provider_seldon.core.readiness.expectation import History


class Stabilization:
    """
    Reads the previous ``History`` and collects the next one: it keeps only what is asked about again.

    :param history: what the previous judgement left.
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
        """Note that ``key`` holds now, and return whether it has held for that long without a break."""
        # A clock that was set back must not lengthen the wait.
        start = min(self._before.since.get(key, self._now), self._now)
        self._since[key] = start
        due = start + seconds
        if due <= self._now:
            return True
        self.due_in(due - self._now)
        return False

    def once(self, key: str, *, holds: bool) -> bool:
        """Return whether ``key`` holds now or has held before; it stays known as long as it is asked about."""
        if holds or key in self._before.since:
            self._since[key] = self._before.since.get(key, self._now)
            return True
        return False

    def due_in(self, seconds: float) -> None:
        """Note that the next judgement is due by then."""
        due = self._now + seconds
        self.next_due = due if self.next_due is None else min(self.next_due, due)

    def keep(self, prefix: str) -> None:
        """Keep what the history holds under that prefix: it could not be observed this time."""
        self._since |= {key: start for key, start in self._before.since.items() if key.startswith(prefix)}

    def first_generation(self, child: str, template: str, generation: int) -> int:
        """
        Note what a child's pods are made from now, and return the generation at which that was first seen.

        :param child: its name.
        :param template: fingerprint of what its pods are made from.
        :param generation: its ``metadata.generation`` now.
        """
        before, first = self._before.templates.get(child, ("", generation))
        if before != template or first > generation:
            first = generation
        self._templates[child] = (template, first)
        return first

    def history(self) -> History:
        """Return the history for the next judgement."""
        return History(
            since=self._since,
            moved=self.moved,
            acknowledged=self.acknowledged,
            templates=self._templates,
        )
