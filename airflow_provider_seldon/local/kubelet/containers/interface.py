"""The interface of a container runtime for the kubelet; there are two: real processes, and a simulation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from airflow_provider_seldon.local.apiserver.protocol.pod_http import Request, Response
from airflow_provider_seldon.local.client.kinds import Manifest
from airflow_provider_seldon.local.kubelet.containers.logs import ContainerLog


class StartError(Exception):
    """A container cannot be started: the reason and the message of its waiting state."""

    def __init__(self, *, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


@dataclass(frozen=True, kw_only=True)
class Exit:
    """How a container ended: exit code and the reason of its status."""

    code: int
    reason: str

    @classmethod
    def of(cls, code: int, *, out_of_memory: bool = False) -> Exit:
        """The usual reason for an exit code; a negative code is a signal, reported as 128 plus its number."""
        if out_of_memory:
            return cls(code=137, reason="OOMKilled")
        return cls(code=128 - code if code < 0 else code, reason="Error" if code else "Completed")


class Run(Protocol):
    """One run of one container."""

    async def wait(self) -> Exit:
        """Wait until it has ended."""

    async def probe(self) -> str | None:
        """None when the container is ready, else why not."""

    async def stop(self, grace: float) -> None:
        """Request its end, and kill it after ``grace`` seconds."""


class Sandbox(Protocol):
    """Shared resources of the containers of one pod, for the lifetime of the pod."""

    async def pull(self, container: Manifest) -> None:
        """Make the image and everything else available that the start needs.

        :raises StartError: something is unavailable (``ErrImagePull``, ``InvalidImageName``,
            ``CreateContainerConfigError``)
        """

    async def start(
        self, container: Manifest, env: Mapping[str, str], log: ContainerLog, *, init: bool, attempt: int
    ) -> Run:
        """Start a container.

        :raises StartError: its command cannot be executed; it counts as ended
        """

    async def handle(self, request: Request) -> Response:
        """Handle a request to the pod's service port."""

    async def close(self) -> None:
        """Free the resources of a deleted pod."""


class Runtime(Protocol):
    """Creates sandboxes."""

    def sandbox(self, pod: Manifest) -> Sandbox:
        """A sandbox for a pod that was just scheduled."""

    def refuses(self, pod: Manifest) -> bool:
        """Whether to treat the pod as unschedulable."""

    async def close(self) -> None:
        """Free the shared resources, after the end of all pods."""
