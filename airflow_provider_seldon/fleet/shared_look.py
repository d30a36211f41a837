"""One look for all users of the page: at most one at a time, and none while the last one is recent enough."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

Value = TypeVar("Value")

#: Seconds for which a look counts as recent.
INTERVAL = 10.0
#: Seconds that a request waits for a look if there is none, or an old one. A newer one is shown while the
#: next one is running.
PATIENCE = 5.0
#: Seconds after which a look is old: no user has requested the page for that long.
OLD = 30.0


@dataclass(frozen=True, kw_only=True)
class Seen(Generic[Value]):
    """
    The present knowledge.

    :param value: result of the last successful look; None without one.
    :param error: why the last look failed; "" if it succeeded.
    :param waiting: seconds since the running look started; 0.0 if none is running.
    """

    value: Value | None = None
    error: str = ""
    waiting: float = 0.0


class SharedLook(Generic[Value]):
    """
    Caches the last look, and renews it in its own thread when it is requested and no longer recent.

    :param look: performs a look; may block for any time, and may raise.
    :param explain: returns the text that users see for an exception of ``look``.
    :param interval: see :data:`INTERVAL`.
    :param old: see :data:`OLD`.
    """

    def __init__(
        self,
        look: Callable[[], Value],
        *,
        explain: Callable[[Exception], str] = str,
        interval: float = INTERVAL,
        old: float = OLD,
    ) -> None:
        self._look = look
        self._explain = explain
        self._interval = interval
        self._old = old
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._seen: Seen[Value] = Seen()
        self._ended_at: float | None = None
        self._started_at: float | None = None

    def get(self, *, patience: float = PATIENCE) -> Seen[Value]:
        """
        Return the present knowledge, and start a look if it is no longer recent.

        :param patience: seconds to wait if there is no result yet, or an old one; those count from when the
            look started, so that only the first requests wait for a cluster that hangs.
        """
        with self._lock:
            now = time.monotonic()
            age = now - self._ended_at if self._ended_at is not None else None
            if (age is None or age >= self._interval) and self._started_at is None:
                self._started_at = now
                self._done.clear()
                threading.Thread(target=self._run, name="seldon-fleet", daemon=True).start()
            fresh = self._seen.value is not None and age is not None and age < self._old
            if fresh or self._started_at is None:
                return self._now()
            left = self._started_at + patience - now
        self._done.wait(max(0.0, left))
        with self._lock:
            return self._now()

    def _now(self) -> Seen[Value]:
        waiting = time.monotonic() - self._started_at if self._started_at is not None else 0.0
        return Seen(value=self._seen.value, error=self._seen.error, waiting=waiting)

    def _run(self) -> None:
        value, error = self._seen.value, ""
        try:
            value = self._look()
        # Those who wait for the look see its error, whatever it is.
        except Exception as problem:
            error = self._explain(problem) or type(problem).__name__
        with self._lock:
            self._seen = Seen(value=value, error=error)
            self._ended_at, self._started_at = time.monotonic(), None
            self._done.set()
