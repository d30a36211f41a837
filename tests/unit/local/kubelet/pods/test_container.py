"""A container ends when its pod ends, whatever it is doing at that moment."""

from __future__ import annotations

import asyncio
from typing import Any

from airflow_provider_seldon.local.kubelet.containers.interface import Exit
from airflow_provider_seldon.local.kubelet.pods.container import Container, Timing

POD = {"metadata": {"name": "iris", "namespace": "models", "uid": "1"}, "spec": {}}
TIMING = Timing(backoff=0.0, backoff_limit=0.0, probe_period=0.0, grace=0.0, drain=0.0)


class CrashingRun:
    """A container that ends at once, while its probe takes a moment to be given up."""

    def __init__(self, probe_given_up: asyncio.Event) -> None:
        self._probe_given_up = probe_given_up

    async def wait(self) -> Exit:
        await asyncio.sleep(0)
        return Exit.of(1)

    async def probe(self) -> str | None:
        try:
            await asyncio.sleep(60)
        finally:
            self._probe_given_up.set()
            await asyncio.sleep(0.01)
        return None

    async def stop(self, grace: float) -> None:
        return None


class Sandbox:
    """Starts crashing containers, and counts them."""

    def __init__(self) -> None:
        self.starts = 0
        self.probe_given_up = asyncio.Event()

    async def pull(self, container: Any) -> None:
        return None

    async def start(self, *_: Any, **__: Any) -> CrashingRun:
        self.starts += 1
        return CrashingRun(self.probe_given_up)


class Recorder:
    """Takes events."""

    def normal(self, *_: Any) -> None:
        return None

    warning = normal


def test_a_container_that_is_ended_at_the_moment_of_its_crash_is_not_started_again() -> None:
    async def scenario() -> int:
        sandbox = Sandbox()
        container = Container(
            pod=POD,
            spec={"name": "classifier", "image": "seldonio/mock:1"},
            init=False,
            sandbox=sandbox,  # type: ignore[arg-type]
            api=None,  # type: ignore[arg-type]
            recorder=Recorder(),  # type: ignore[arg-type]
            timing=TIMING,
            changed=lambda: None,
        )
        task = asyncio.create_task(container.run())
        await sandbox.probe_given_up.wait()
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=5)
        assert done == {task}
        assert task.cancelled()
        return sandbox.starts

    assert asyncio.run(scenario()) == 1
