"""Logs that are read while they are written."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from airflow_provider_seldon.local.kubelet.containers.logs import ContainerLog


async def lines(log: ContainerLog, **options: object) -> list[bytes]:
    return [line async for line in log.read(**options)]  # type: ignore[arg-type]


def test_tail_takes_the_last_lines_and_empty_lines_are_kept() -> None:
    async def run() -> None:
        log = ContainerLog()
        log.write("one\n\nthree")
        assert await lines(log) == [b"one\n", b"\n", b"three\n"]
        assert await lines(log, tail=2) == [b"\n", b"three\n"]
        assert await lines(log, tail=0) == []

    asyncio.run(run())


def test_follower_gets_what_comes_later_until_the_container_ends() -> None:
    async def run() -> None:
        log = ContainerLog()
        log.write("before")
        follower = asyncio.create_task(lines(log, follow=True, tail=0))
        await asyncio.sleep(0)
        for number in range(3):
            log.write(f"line {number}")
            await asyncio.sleep(0)
        log.close()
        assert await follower == [b"line 0\n", b"line 1\n", b"line 2\n"]

    asyncio.run(run())


def test_since_and_timestamps() -> None:
    async def run() -> None:
        log = ContainerLog()
        log.write("old")
        assert await lines(log, since=datetime.now(UTC) + timedelta(seconds=1)) == []
        (line,) = await lines(log, timestamps=True)
        stamp, _, text = line.partition(b" ")
        assert text == b"old\n"
        assert datetime.fromisoformat(stamp.decode()).tzinfo is not None

    asyncio.run(run())
