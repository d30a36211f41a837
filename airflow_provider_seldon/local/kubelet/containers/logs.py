"""Output of containers: the current and the previous run, in memory, read line by line."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from datetime import UTC, datetime

_MAX_LINES = 20_000


class ContainerLog:
    """The output of one run of a container."""

    def __init__(self) -> None:
        self._lines: deque[tuple[datetime, bytes]] = deque(maxlen=_MAX_LINES)
        self._written = 0
        self._ended = False
        self._changed = asyncio.Event()

    def write(self, text: bytes | str) -> None:
        """Append whole lines."""
        data = text.encode() if isinstance(text, str) else text
        for line in data.splitlines():
            self._lines.append((datetime.now(UTC), line))
            self._written += 1
        self._wake()

    def close(self) -> None:
        """Mark the container as ended, which ends followers."""
        self._ended = True
        self._wake()

    def tail(self, count: int = 10) -> list[str]:
        """The last lines, as text."""
        return [line.decode(errors="replace") for _, line in list(self._lines)[-count:]]

    async def read(
        self,
        *,
        follow: bool = False,
        tail: int | None = None,
        since: datetime | None = None,
        timestamps: bool = False,
    ) -> AsyncIterator[bytes]:
        """Lines with their line ends; with ``follow`` until the container ends.

        :param tail: maximum number of existing lines
        :param since: only lines written after that time
        :param timestamps: put the time before each line
        """
        kept = list(self._lines)
        position = self._written
        if since is not None:
            kept = [entry for entry in kept if entry[0] >= since]
        if tail is not None:
            kept = kept[-tail:] if tail > 0 else []
        for time, line in kept:
            yield _format(time, line, timestamps)
        while follow and not (self._ended and position == self._written):
            if position == self._written:
                await self._changed.wait()
                continue
            fresh = min(self._written - position, len(self._lines))
            position = self._written
            for time, line in list(self._lines)[-fresh:]:
                yield _format(time, line, timestamps)

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


def _format(time: datetime, line: bytes, timestamps: bool) -> bytes:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S.%fZ ").encode() if timestamps else b""
    return stamp + line + b"\n"
