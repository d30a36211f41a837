"""A clock that starts at the current time and runs monotonically, whatever happens to the wall clock."""

from __future__ import annotations

import time


class SteadyClock:
    """Call it for epoch seconds; created when a wait begins."""

    __slots__ = ("_ahead",)

    def __init__(self) -> None:
        self._ahead = time.time() - time.monotonic()

    def __call__(self) -> float:
        """Return epoch seconds."""
        return time.monotonic() + self._ahead
