"""One process (with its children) as a run of a container."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from airflow_provider_seldon.local.kubelet.containers.interface import Exit
from airflow_provider_seldon.local.kubelet.containers.logs import ContainerLog

_SUPERVISOR = Path(__file__).with_name("supervisor.py")

Probe = Callable[[], Awaitable[str | None]]
"""Returns None when ready, otherwise the reason."""


class ProcessRun:
    """A command that runs under the supervisor.

    Use :meth:`start`.
    """

    def __init__(self, process: asyncio.subprocess.Process, log: ContainerLog, probe: Probe) -> None:
        self._process = process
        self._log = log
        self._probe = probe
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def start(
        cls,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        folder: Path,
        log: ContainerLog,
        probe: Probe,
        grace: float,
    ) -> ProcessRun:
        """Start a command.

        :param command: program and arguments
        :param env: its whole environment
        :param folder: its working directory
        :param log: receives its output
        :param probe: its readiness probe
        :param grace: seconds between SIGTERM and SIGKILL when it is stopped
        """
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", str(_SUPERVISOR), str(grace), *command),
            env=dict(env),
            cwd=folder,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches the kubelet alone, which then ends its pods
        )
        return cls(process, log, probe)

    async def wait(self) -> Exit:
        """Wait until it has ended and its last output is in the log."""
        code = await self._process.wait()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2.0):
                await asyncio.shield(self._reader)
        return Exit.of(code)

    async def probe(self) -> str | None:
        """Run its readiness probe."""
        return await self._probe()

    async def stop(self, grace: float) -> None:
        """End it; the supervisor sends SIGKILL if that takes too long."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            async with asyncio.timeout(grace + 5.0):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        self._reader.cancel()
        await asyncio.wait([self._reader])

    async def _read(self) -> None:
        if self._process.stdout is None:
            return
        rest = b""
        while chunk := await self._process.stdout.read(65536):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self._log.write(line or b"\n")
        if rest:
            self._log.write(rest)
