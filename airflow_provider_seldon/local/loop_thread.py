"""An event loop in its own thread, for synchronous callers of asynchronous code."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from types import TracebackType
from typing import Any, TypeVar

T = TypeVar("T")


class LoopThread:
    """Runs coroutines in its own event loop; use it from other threads only, except for :meth:`call`.

    :param name: the thread's name
    """

    def __init__(self, *, name: str) -> None:
        self._name = name
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop
        self._stop_asked: asyncio.Event

    def start(self) -> None:
        """Start the thread; return when the loop is running."""
        running: Future[None] = Future()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._run(running)), name=self._name, daemon=True
        )
        self._thread.start()
        running.result(timeout=60)

    def stop(self) -> None:
        """Cancel the remaining tasks, and end loop and thread."""
        if self._thread is None:
            return
        self._loop.call_soon_threadsafe(self._stop_asked.set)
        self._thread.join(timeout=60)
        self._thread = None

    def run(self, work: Coroutine[Any, Any, T], *, timeout: float = 60.0) -> T:
        """Return the result of a coroutine, or raise what it raises.

        :param timeout: seconds
        :raises TimeoutError: it has not ended by then
        """
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=timeout)

    def call(self, function: Callable[[], T]) -> T:
        """Call a function in the loop's thread, and return its result."""
        if threading.current_thread() is self._thread:
            return function()

        async def work() -> T:
            return function()

        return self.run(work(), timeout=10)

    def __enter__(self) -> LoopThread:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def _run(self, running: Future[None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop_asked = asyncio.Event()
        running.set_result(None)
        await self._stop_asked.wait()
