"""Readiness probes of Kubernetes: HTTP, TCP, a command, or none."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import aiohttp

from airflow_provider_seldon.local.client.kinds import Manifest
from airflow_provider_seldon.local.kubelet.containers.ports import Ports
from airflow_provider_seldon.local.kubelet.containers.process import Probe
from airflow_provider_seldon.local.kubelet.servers.engine import accepts_connections

_HOST = "http://127.0.0.1"


def readiness_probe(
    container: Manifest,
    *,
    ports: Ports,
    session: aiohttp.ClientSession,
    env: Mapping[str, str],
    folder: Path,
) -> Probe:
    """The probe of a container; without one, it is ready as soon as it is running."""
    spec = container.get("readinessProbe") or {}
    timeout = max(1.0, float(spec.get("timeoutSeconds") or 1))
    if "httpGet" in spec:
        action = spec["httpGet"]
        port = ports.local(action["port"]) or action["port"]
        return http_probe(session, f"{_HOST}:{port}{action.get('path') or '/'}", timeout)
    if "tcpSocket" in spec or "grpc" in spec:
        named = (spec.get("tcpSocket") or spec["grpc"])["port"]
        port = ports.local(named) or named
        return _tcp_probe(f"{_HOST}:{port}")
    if "exec" in spec:
        return _command_probe([str(word) for word in spec["exec"]["command"]], env, folder, timeout)
    return _always_ready


def http_probe(session: aiohttp.ClientSession, url: str, timeout: float = 1.0) -> Probe:
    """Ready when a GET returns 200 to 399."""

    async def probe() -> str | None:
        try:
            async with session.get(
                url, timeout=aiohttp.ClientTimeout(total=timeout), allow_redirects=False
            ) as response:
                if response.status < 400:
                    return None
                return f"HTTP probe failed with statuscode: {response.status}"
        except (aiohttp.ClientError, TimeoutError) as error:
            return f'Get "{url}": {error or "context deadline exceeded"}'

    return probe


def both(first: Probe, second: Probe) -> Probe:
    """Ready when both are."""

    async def probe() -> str | None:
        return await first() or await second()

    return probe


def _tcp_probe(url: str) -> Probe:
    async def probe() -> str | None:
        address = url.removeprefix("http://")
        return None if await accepts_connections(url) else f"dial tcp {address}: connect: connection refused"

    return probe


def _command_probe(command: list[str], env: Mapping[str, str], folder: Path, timeout: float) -> Probe:
    async def probe() -> str | None:
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                env=dict(env),
                cwd=folder,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            return str(error)
        try:
            async with asyncio.timeout(timeout):
                output, _ = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
            return f'command "{" ".join(command)}" timed out'
        return None if process.returncode == 0 else output.decode(errors="replace").strip() or "failed"

    return probe


async def _always_ready() -> str | None:
    return None
