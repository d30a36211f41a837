"""A work queue of keys: no key twice, no key by two workers at once, retries with back-off."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import aiohttp

from airflow_provider_seldon.local.client.errors import ApiError
from airflow_provider_seldon.local.controllers.errors import ComponentError
from airflow_provider_seldon.local.controllers.informer import Key

log = logging.getLogger(__name__)

_FIRST_BACKOFF = 0.005
_MAX_BACKOFF = 30.0


class Retry(Exception):  # noqa: N818 - a request, not an error
    """Raised by the work function to be called again, without an error.

    :param after: seconds to wait; None to back off as after an error
    """

    def __init__(self, after: float | None = None) -> None:
        super().__init__(f"again in {after} s" if after is not None else "again")
        self.after = after


class WorkQueue:
    """Passes keys to an asynchronous function; after an exception it retries (after 5 ms, doubled each time).

    :param name: name for the log
    :param work: called with a key; it may raise to be called again
    :param workers: number of keys that are processed at the same time
    """

    def __init__(self, *, name: str, work: Callable[[Key], Awaitable[None]], workers: int = 1) -> None:
        self._name = name
        self._work = work
        self._workers = workers
        self._ready: asyncio.Queue[Key] = asyncio.Queue()
        self._waiting: dict[Key, asyncio.TimerHandle] = {}
        self._queued: set[Key] = set()
        self._active: set[Key] = set()
        self._again: set[Key] = set()
        self._failures: dict[Key, int] = {}

    def add(self, key: Key, delay: float = 0.0) -> None:
        """Schedule a key; an earlier schedule takes precedence."""
        if delay <= 0:
            handle = self._waiting.pop(key, None)
            if handle is not None:
                handle.cancel()
            if key in self._active:
                self._again.add(key)
            elif key not in self._queued:
                self._queued.add(key)
                self._ready.put_nowait(key)
            return
        loop = asyncio.get_running_loop()
        due = loop.time() + delay
        handle = self._waiting.get(key)
        if handle is not None:
            if handle.when() <= due:
                return
            handle.cancel()
        self._waiting[key] = loop.call_at(due, self._due, key)

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._workers):
                group.create_task(self._run_one())

    def close(self) -> None:
        """Drop the keys that are scheduled for later."""
        for handle in self._waiting.values():
            handle.cancel()
        self._waiting.clear()

    def _due(self, key: Key) -> None:
        self._waiting.pop(key, None)
        self.add(key)

    async def _run_one(self) -> None:
        while True:
            key = await self._ready.get()
            self._queued.discard(key)
            self._active.add(key)
            try:
                await self._work(key)
                self._failures.pop(key, None)
            except Retry as retry:
                self._retry(key, retry.after)
            except (ApiError, ComponentError, aiohttp.ClientError, OSError) as error:
                log.debug("%s %s: %s", self._name, key, error)
                self._retry(key, None)
            except Exception:
                log.exception("%s failed on %s", self._name, key)
                self._retry(key, None)
            finally:
                self._active.discard(key)
                if key in self._again:
                    self._again.discard(key)
                    self.add(key)

    def _retry(self, key: Key, after: float | None) -> None:
        if after is None:
            failures = self._failures.get(key, 0)
            self._failures[key] = failures + 1
            after = min(_FIRST_BACKOFF * 2**failures, _MAX_BACKOFF)
        self.add(key, after)
