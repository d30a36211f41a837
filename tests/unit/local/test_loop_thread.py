"""An event loop in its own thread."""

from __future__ import annotations

import asyncio
import threading

import pytest

from airflow_provider_seldon.local.loop_thread import LoopThread


async def _name() -> str:
    return threading.current_thread().name


def test_work_runs_in_the_thread_and_its_result_and_error_come_back() -> None:
    async def failing() -> None:
        raise ValueError("no")

    with LoopThread(name="loop") as thread:
        assert thread.run(_name()) == "loop"
        assert thread.call(lambda: threading.current_thread().name) == "loop"
        with pytest.raises(ValueError, match="no"):
            thread.run(failing())


def test_a_call_from_the_thread_itself_does_not_wait_for_itself() -> None:
    async def nested(thread: LoopThread) -> str:
        return thread.call(lambda: threading.current_thread().name)

    with LoopThread(name="loop") as thread:
        assert thread.run(nested(thread)) == "loop"


def test_what_still_runs_is_cancelled_when_the_thread_ends() -> None:
    ended: list[str] = []

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    async def begin() -> None:
        tasks.append(asyncio.create_task(forever()))
        await asyncio.sleep(0)

    tasks: list[asyncio.Task[None]] = []
    with LoopThread(name="loop") as thread:
        thread.run(begin())
    assert ended == ["cancelled"]
