"""The time of day, as it was in the beginning, going on evenly: whoever sets the clock meanwhile changes nothing."""

from __future__ import annotations

import time


class SteadyClock:
    """Call it for epoch seconds; made where a wait begins."""

    __slots__ = ("_ahead",)

    def __init__(self) -> None:
        self._ahead = time.time() - time.monotonic()

    def __call__(self) -> float:
        """Return epoch seconds."""
        return time.monotonic() + self._ahead
