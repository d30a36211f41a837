"""Cache values from Airflow's database for some seconds; a new key is read at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")

#: Seconds for which cached values are valid.
INTERVAL = 30.0


class Remembered(Generic[Key, Value]):
    """
    Reads the requested keys, and those requested earlier, at most once per interval.

    :param read: reads the values of all these keys.
    """

    def __init__(self, read: Callable[[frozenset[Key]], Mapping[Key, Value]]) -> None:
        self._read = read
        self._lock = threading.Lock()
        self._known: Mapping[Key, Value] = {}
        self._asked: frozenset[Key] = frozenset()
        self._until = 0.0

    def get(self, keys: Collection[Key]) -> Mapping[Key, Value]:
        """Return the cached values, at least for these keys."""
        wanted = frozenset(keys)
        with self._lock:
            if time.monotonic() >= self._until or not wanted <= self._asked:
                self._known = self._read(wanted | self._asked)
                self._asked, self._until = wanted | self._asked, time.monotonic() + INTERVAL
            return self._known
