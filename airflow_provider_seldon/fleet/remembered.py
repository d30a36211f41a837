"""What was read of Airflow's database, for some seconds; what nobody has asked for yet is read at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")

#: Seconds for which is believed what was read.
INTERVAL = 30.0


class Remembered(Generic[Key, Value]):
    """
    Reads what is asked for, and what was asked for before, at most once an interval.

    :param read: reads it all.
    """

    def __init__(self, read: Callable[[frozenset[Key]], Mapping[Key, Value]]) -> None:
        self._read = read
        self._lock = threading.Lock()
        self._known: Mapping[Key, Value] = {}
        self._asked: frozenset[Key] = frozenset()
        self._until = 0.0

    def get(self, keys: Collection[Key]) -> Mapping[Key, Value]:
        """Return what is known, of these at least."""
        wanted = frozenset(keys)
        with self._lock:
            if time.monotonic() >= self._until or not wanted <= self._asked:
                self._known = self._read(wanted | self._asked)
                self._asked, self._until = wanted | self._asked, time.monotonic() + INTERVAL
            return self._known
