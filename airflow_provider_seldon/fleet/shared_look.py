"""One look for however many people look: at most one at a time, and none while the last one is new enough."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

Value = TypeVar("Value")

#: Seconds for which a look counts as new.
INTERVAL = 10.0
#: Seconds that somebody waits for a look where there is none, or an old one. A newer one is shown while the next is on
#: its way.
PATIENCE = 5.0
#: Seconds after which a look is old: nobody was there for so long.
OLD = 30.0


@dataclass(frozen=True, kw_only=True)
class Seen(Generic[Value]):
    """
    What is known.

    :param value: of the last look that worked; None where there was none.
    :param error: why the last look did not work; "" where it did.
    :param waiting: seconds for which a look has been under way; 0.0 where there is none.
    """

    value: Value | None = None
    error: str = ""
    waiting: float = 0.0


class SharedLook(Generic[Value]):
    """
    Remembers the last look, and has it renewed by a thread of its own when somebody asks and it is old.

    :param look: looks; may block for as long as it likes, and raise.
    :param explain: returns what people are told of an exception of its.
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
        Return what is known, and begin to look where that is old.

        :param patience: seconds to wait where nothing is known yet, or what is known is old.
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
        self._done.wait(patience)
        with self._lock:
            return self._now()

    def _now(self) -> Seen[Value]:
        waiting = time.monotonic() - self._started_at if self._started_at is not None else 0.0
        return Seen(value=self._seen.value, error=self._seen.error, waiting=waiting)

    def _run(self) -> None:
        value, error = self._seen.value, ""
        try:
            value = self._look()
        # Whatever a look ends with is told to those who wait for it.
        except Exception as problem:
            error = self._explain(problem) or type(problem).__name__
        with self._lock:
            self._seen = Seen(value=value, error=error)
            self._ended_at, self._started_at = time.monotonic(), None
            self._done.set()
