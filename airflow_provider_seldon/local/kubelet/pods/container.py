"""One container of a pod: it is pulled, started, probed, and restarted after its end.

Source: Kubernetes documentation, "Pod Lifecycle" (container states, restarts, back-off). It reports every
change to the pod through a callback and keeps the data of the pod's status; it writes nothing to the API
itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from airflow_provider_seldon.local.client.api_client import ApiClient
from airflow_provider_seldon.local.client.kinds import Manifest
from airflow_provider_seldon.local.controllers.manifests import dig, name_of, namespace_of, now
from airflow_provider_seldon.local.controllers.recorder import Recorder
from airflow_provider_seldon.local.kubelet.containers import environment
from airflow_provider_seldon.local.kubelet.containers.interface import Exit, Run, Sandbox, StartError
from airflow_provider_seldon.local.kubelet.containers.logs import ContainerLog

_BACKOFF_RESET_SECONDS = 60.0
_READY_PROBE_SECONDS = 1.0
_PROBES_BEFORE_WARNING = 50
"""Number of failed probes before an event; replaces the initial delay, which is ignored."""


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Durations in seconds (see ``LocalOptions``)."""

    backoff: float
    backoff_limit: float
    probe_period: float
    grace: float
    drain: float


class Container:
    """Runs one container of a pod.

    :param pod: the pod
    :param spec: the container's entry in the pod's specification
    :param init: whether it is an init container, which is done when it ends with exit code 0
    :param sandbox: runs it
    :param api: client that reads Secrets and ConfigMaps
    :param recorder: writes events
    :param timing: delays between attempts
    :param changed: called whenever :meth:`status` changes
    """

    def __init__(
        self,
        *,
        pod: Manifest,
        spec: Manifest,
        init: bool,
        sandbox: Sandbox,
        api: ApiClient,
        recorder: Recorder,
        timing: Timing,
        changed: Callable[[], None],
    ) -> None:
        self.name = str(spec["name"])
        self.log: ContainerLog | None = None
        self.previous_log: ContainerLog | None = None
        self.ready = False
        self._pod = pod
        self._spec = spec
        self._init = init
        self._sandbox = sandbox
        self._api = api
        self._recorder = recorder
        self._timing = timing
        self._changed = changed
        self._run: Run | None = None
        self._runs = 0
        self._failures = 0
        self._waiting: Manifest | None = {"reason": "PodInitializing"}
        self._running: Manifest | None = None
        self._terminated: Manifest | None = None
        self._last: Manifest | None = None

    @property
    def running(self) -> bool:
        """Whether it is running now."""
        return self._running is not None

    def status(self) -> Manifest:
        """The container's entry in the pod's status."""
        if self._running is not None:
            state = {"running": self._running}
        elif self._waiting is not None:
            state = {"waiting": self._waiting}
        else:
            state = {"terminated": self._terminated or {}}
        status: Manifest = {
            "name": self.name,
            "image": self._spec.get("image", ""),
            "imageID": "",
            "ready": self.ready,
            "restartCount": max(0, self._runs - 1),
            "state": state,
            "lastState": {"terminated": self._last} if self._last else {},
        }
        if not self._init:
            status["started"] = self._running is not None
        return status

    def wait_for_others(self, reason: str) -> None:
        """Set the reason why it has not started yet."""
        self._set(waiting={"reason": reason})

    async def run(self) -> bool:
        """Run until done; return whether it succeeded.

        A container that is restarted for ever never returns: cancel it and call :meth:`stop`.
        """
        policy = dig(self._pod, "spec", "restartPolicy", default="Always")
        while True:
            started = asyncio.get_running_loop().time()
            ended = await self._run_once()
            good = ended.code == 0
            if (self._init and good) or policy == "Never" or (policy == "OnFailure" and good):
                self.ready = self._init and good
                self._changed()
                return good
            if asyncio.get_running_loop().time() - started > _BACKOFF_RESET_SECONDS:
                self._failures = 0
            self._failures += 1
            if self._failures > 1:  # the first restart is immediate
                await self._back_off()

    async def stop(self) -> None:
        """End the present run; used when the pod is deleted."""
        run, self._run = self._run, None
        self.ready = False
        if run is not None:
            await run.stop(self._timing.grace)
        if self.log is not None:
            self.log.close()

    async def _run_once(self) -> Exit:
        await self._pull()
        env = await self._environment()
        if self.log is not None:
            self.previous_log = self.log
        self.log = ContainerLog()
        try:
            self._run = await self._sandbox.start(
                self._spec, env, self.log, init=self._init, attempt=self._runs
            )
        except StartError as error:
            return self._failed_to_start(error)
        self._runs += 1
        self._event("Created", f"Created container: {self.name}")
        self._event("Started", f"Started container {self.name}")
        self._set(running={"startedAt": now()})
        probe = None if self._init else asyncio.create_task(self._probe(self._run))
        try:
            ended = await self._run.wait()
        finally:
            if probe is not None:
                probe.cancel()
                # Not awaited: that would suppress this task's cancellation, and the container would never
                # stop.
                await asyncio.wait([probe])
        self._run = None
        self._note_end(ended)
        return ended

    async def _pull(self) -> None:
        """Wait until the image is available; failed pulls are retried after a delay."""
        image, delay = self._spec.get("image", ""), self._timing.backoff
        while True:
            try:
                await self._sandbox.pull(self._spec)
                self._event("Pulled", f'Container image "{image}" already present on machine')
                return
            except StartError as error:
                self._warn_unstartable(error)
                self._set(waiting={"reason": error.reason, "message": error.message})
                await asyncio.sleep(delay)
                if error.reason == "ErrImagePull":
                    text = f'Back-off pulling image "{image}"'
                    self._event("BackOff", text)
                    self._warn("Failed", "Error: ImagePullBackOff")
                    self._set(waiting={"reason": "ImagePullBackOff", "message": text})
                    await asyncio.sleep(delay)
                delay = min(delay * 2, self._timing.backoff_limit)

    async def _environment(self) -> dict[str, str]:
        """Wait until all objects exist to which the variables refer."""
        delay = self._timing.backoff
        while True:
            try:
                return await environment.resolve(self._api, self._pod, self._spec)
            except StartError as error:
                self._warn_unstartable(error)
                self._set(waiting={"reason": error.reason, "message": error.message})
                await asyncio.sleep(delay)
                delay = min(delay * 2, self._timing.backoff_limit)

    async def _probe(self, run: Run) -> None:
        """Probe the readiness of a running container, periodically."""
        failures = 0
        limit = int(dig(self._spec, "readinessProbe", "failureThreshold", default=3))
        while True:
            problem = await run.probe()
            if problem is None:
                failures = 0
            else:
                failures += 1
                if failures == (limit if self.ready else _PROBES_BEFORE_WARNING):
                    self._warn("Unhealthy", f"Readiness probe failed: {problem}")
            ready = problem is None or (self.ready and failures < limit)
            if ready != self.ready:
                self.ready = ready
                self._changed()
            period = self._timing.probe_period
            await asyncio.sleep(max(period, _READY_PROBE_SECONDS) if self.ready else period)

    async def _back_off(self) -> None:
        delay = min(self._timing.backoff * 2 ** (self._failures - 2), self._timing.backoff_limit)
        pod, namespace = name_of(self._pod), namespace_of(self._pod)
        uid = self._pod["metadata"]["uid"]
        where = f"{pod}_{namespace}({uid})"
        self._warn("BackOff", f"Back-off restarting failed container {self.name} in pod {where}")
        message = f"back-off {delay:g}s restarting failed container={self.name} pod={where}"
        self._set(waiting={"reason": "CrashLoopBackOff", "message": message})
        await asyncio.sleep(delay)

    def _failed_to_start(self, error: StartError) -> Exit:
        """Record that the command does not exist or may not be run: the container ends before its start."""
        self._warn("Failed", f"Error: {error.message}")
        self._runs += 1
        ended = Exit(code=128, reason=error.reason)
        if self.log is not None:
            self.log.write(error.message)
        self._note_end(ended, message=error.message)
        return ended

    def _note_end(self, ended: Exit, *, message: str = "") -> None:
        started = (self._running or {}).get("startedAt") or now()
        terminated: Manifest = {
            "exitCode": ended.code,
            "reason": ended.reason,
            "startedAt": started,
            "finishedAt": now(),
            "containerID": f"local://{self._pod['metadata']['uid']}/{self.name}/{self._runs}",
        }
        terminated |= {"message": message} if message else {}
        if self.log is not None:
            self.log.close()
        self._set(terminated=terminated)

    def _set(
        self,
        *,
        waiting: Manifest | None = None,
        running: Manifest | None = None,
        terminated: Manifest | None = None,
    ) -> None:
        if terminated is None and self._terminated is not None:
            self._last, self._terminated = self._terminated, None
        self._waiting, self._running = waiting, running
        self._terminated = terminated
        self.ready = False
        self._changed()

    def _warn_unstartable(self, error: StartError) -> None:
        """Write the kubelet's events for a waiting container."""
        if error.reason == "CreateContainerConfigError":
            self._warn("Failed", f"Error: {error.message}")
            return
        if error.reason == "ContainerCreating":
            self._warn("FailedMount", error.message)
            return
        self._warn("InspectFailed" if error.reason == "InvalidImageName" else "Failed", error.message)
        self._warn("Failed", f"Error: {error.reason}")

    def _event(self, reason: str, message: str) -> None:
        self._recorder.normal(self._pod, reason, message)

    def _warn(self, reason: str, message: str) -> None:
        self._recorder.warning(self._pod, reason, message)
