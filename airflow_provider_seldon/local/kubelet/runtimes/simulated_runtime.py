"""A runtime that runs nothing: containers become ready after some time, or fail according to an annotation.

For tests with hundreds of rollouts. Annotations of a predictor reach its pods, so the annotation
``local.seldon/behaviour`` on a predictor decides how they behave:

=========================  ====================================================================
``slow:5``                 ready after five seconds
``never-ready``            runs, but its readiness probe fails for ever
``crash`` or ``crash:3``   ends at once, with exit code 1 or 3
``crash-after:5``          becomes ready and ends after five seconds, each time
``flaky:2``                ends twice at once, then works
``oom``                    is killed because it is out of memory
``image-pull``             its image does not exist
``invalid-image``          its image has no valid name
``missing-secret``         refers to a Secret that does not exist
``init-crash``             its model initializer fails
``unschedulable``          there is no room for it
=========================  ====================================================================

Predictions return the revision and the model URI of the pod that handles them, as a version marker.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Mapping

from airflow_provider_seldon.local.apiserver.protocol.pod_http import Request, Response
from airflow_provider_seldon.local.client.kinds import Manifest
from airflow_provider_seldon.local.controllers.children.engine import ENGINE
from airflow_provider_seldon.local.controllers.manifests import dig, name_of
from airflow_provider_seldon.local.kubelet.containers.interface import Exit, Run, Sandbox, StartError
from airflow_provider_seldon.local.kubelet.containers.logs import ContainerLog
from airflow_provider_seldon.local.kubelet.servers.page import docs_page
from airflow_provider_seldon.local.kubelet.servers.routes import Operation, route
from airflow_provider_seldon.local.kubelet.servers.simulated_answers import answer, predictor_of
from airflow_provider_seldon.local.options import LocalOptions

ANNOTATION_BEHAVIOUR = "local.seldon/behaviour"


class SimulatedRuntime:
    """Simulates containers.

    :param options: ``pod_startup`` and ``seed``
    """

    def __init__(self, options: LocalOptions) -> None:
        self._startup = options.pod_startup
        self._random = random.Random(options.seed)

    def sandbox(self, pod: Manifest) -> Sandbox:
        """A sandbox whose containers behave according to the pod's annotation."""
        return _SimulatedSandbox(pod, self._random.uniform(*self._startup))

    def refuses(self, pod: Manifest) -> bool:
        """Whether the annotation makes the pod unschedulable."""
        return _behaviour(pod)[0] == "unschedulable"

    async def close(self) -> None:
        """Do nothing: there is nothing to free."""


class _SimulatedSandbox:
    def __init__(self, pod: Manifest, startup: float) -> None:
        self._pod = pod
        self._startup = startup
        self._word, self._argument = _behaviour(pod)

    async def pull(self, container: Manifest) -> None:
        inits = [one["name"] for one in dig(self._pod, "spec", "initContainers", default=[])]
        first_to_start = inits[0] if inits else self._pod["spec"]["containers"][0]["name"]
        if self._word == "missing-secret" and container["name"] == first_to_start:
            raise StartError(reason="CreateContainerConfigError", message='secret "missing" not found')
        if container["name"] in (ENGINE, *inits):
            return
        image = str(container.get("image") or "")
        if self._word == "invalid-image":
            message = f'Failed to apply default image tag "{image}": couldn\'t parse image name "{image}"'
            raise StartError(reason="InvalidImageName", message=message)
        if self._word == "image-pull":
            message = f'Failed to pull image "{image}": rpc error: code = NotFound desc = {image}: not found'
            raise StartError(reason="ErrImagePull", message=message)

    async def start(
        self, container: Manifest, env: Mapping[str, str], log: ContainerLog, *, init: bool, attempt: int
    ) -> Run:
        name = container["name"]
        log.write(f"simulated container {name} of pod {name_of(self._pod)}, attempt {attempt + 1}")
        if init:
            return self._start_init(log)
        if name == ENGINE:
            return _SimulatedRun(log, startup=0.0)
        seconds = float(self._argument) if self._argument and self._word in ("slow", "crash-after") else None
        if self._word == "oom":
            return _SimulatedRun(log, lifetime=self._startup, end=Exit.of(137, out_of_memory=True))
        if self._word == "crash" or (self._word == "flaky" and attempt < int(self._argument or 1)):
            code = int(self._argument or 1) if self._word == "crash" else 1
            return _SimulatedRun(log, lifetime=0.01, end=Exit.of(code))
        if self._word == "crash-after":
            return _SimulatedRun(log, startup=self._startup, lifetime=seconds or 1.0, end=Exit.of(1))
        never = self._word == "never-ready"
        startup = seconds if self._word == "slow" and seconds is not None else self._startup
        return _SimulatedRun(log, startup=None if never else startup)

    def _start_init(self, log: ContainerLog) -> Run:
        if self._word == "init-crash":
            log.write("Failed to copy: directory not found")
            return _SimulatedRun(log, lifetime=0.01, end=Exit.of(int(self._argument or 1)))
        return _SimulatedRun(log, lifetime=0.0, end=Exit.of(0))

    async def handle(self, request: Request) -> Response:
        if route(request.method, request.path).operation is Operation.DOCS:
            page = docs_page(predictor_of(self._pod))
            return Response(status=200, body=page.encode(), headers={"Content-Type": "text/html"})
        status, body = answer(self._pod, request)
        headers = {"Content-Type": "application/json"}
        return Response(status=status, body=json.dumps(body).encode(), headers=headers)

    async def close(self) -> None:
        return


class _SimulatedRun:
    """:param startup: seconds until ready, None for never; :param lifetime: seconds until the end, if any."""

    def __init__(
        self,
        log: ContainerLog,
        *,
        startup: float | None = None,
        lifetime: float | None = None,
        end: Exit | None = None,
    ) -> None:
        loop = asyncio.get_running_loop()
        self._log = log
        self._ready_at = None if startup is None else loop.time() + startup
        self._lifetime = lifetime
        self._end = end or Exit.of(0)
        self._stopped = asyncio.Event()

    async def wait(self) -> Exit:
        try:
            async with asyncio.timeout(self._lifetime):
                await self._stopped.wait()
                return Exit.of(0)
        except TimeoutError:
            if self._end.code:
                self._log.write(f"simulated failure: exit code {self._end.code}")
            return self._end

    async def probe(self) -> str | None:
        loop = asyncio.get_running_loop()
        if self._ready_at is not None and loop.time() >= self._ready_at:
            return None
        return "HTTP probe failed with statuscode: 503"

    async def stop(self, grace: float) -> None:
        self._stopped.set()


def _behaviour(pod: Manifest) -> tuple[str, str]:
    text = str(dig(pod, "metadata", "annotations", ANNOTATION_BEHAVIOUR, default=""))
    word, _, argument = text.partition(":")
    return word, argument
