"""A runtime that runs containers as processes of this machine.

:mod:`.images` decides how an image is run: the engine and the storage initializer in this process, Seldon's
prepackaged servers and MLServer as MLServer processes, everything else as its command. Containers share the
machine's file system and network; volumes and ports are translated (:mod:`.volumes`, :mod:`.ports`). Not
implemented: liveness probes, resource limits, other users.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import aiohttp

from airflow_provider_seldon.local.apiserver.protocol.pod_http import Request, Response
from airflow_provider_seldon.local.client.api_client import ApiClient
from airflow_provider_seldon.local.client.kinds import Manifest
from airflow_provider_seldon.local.controllers.manifests import dig, namespace_of
from airflow_provider_seldon.local.kubelet.containers.environment import expand
from airflow_provider_seldon.local.kubelet.containers.images import Program, Role, program_of
from airflow_provider_seldon.local.kubelet.containers.interface import Exit, Run, StartError
from airflow_provider_seldon.local.kubelet.containers.logs import ContainerLog
from airflow_provider_seldon.local.kubelet.containers.ports import Ports
from airflow_provider_seldon.local.kubelet.containers.process import Probe, ProcessRun
from airflow_provider_seldon.local.kubelet.containers.storage_initializer import copy_model
from airflow_provider_seldon.local.kubelet.containers.volumes import ENV_MODELS, Volumes, models_dir
from airflow_provider_seldon.local.kubelet.pods.probes import both, http_probe, readiness_probe
from airflow_provider_seldon.local.kubelet.servers import mlserver
from airflow_provider_seldon.local.kubelet.servers.engine import Engine, proxy
from airflow_provider_seldon.local.kubelet.servers.simulated_answers import predictor_of
from airflow_provider_seldon.local.kubelet.servers.unit_calls import Component
from airflow_provider_seldon.local.options import LocalOptions

_INHERITED = ("LANG", "LC_ALL", "TZ", "TMPDIR", "SYSTEMROOT")
_HOST = "http://127.0.0.1"


class ProcessRuntime:
    """Runs pods as processes.

    :param api: client that reads the objects of volumes
    :param options: images, volumes and others
    :param folder: directory of the pods' files
    """

    def __init__(self, *, api: ApiClient, options: LocalOptions, folder: Path) -> None:
        self.api = api
        self.options = options
        self.folder = folder
        self.sandboxes: set[ProcessSandbox] = set()
        self._session: aiohttp.ClientSession | None = None

    @property
    def session(self) -> aiohttp.ClientSession:
        """HTTP session for calls to containers."""
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        return self._session

    def sandbox(self, pod: Manifest) -> ProcessSandbox:
        """A sandbox with its own directory."""
        sandbox = ProcessSandbox(runtime=self, pod=pod, folder=self.folder / pod["metadata"]["uid"])
        self.sandboxes.add(sandbox)
        return sandbox

    def refuses(self, pod: Manifest) -> bool:
        """Never: pods with enough capacity are accepted."""
        return False

    async def close(self) -> None:
        """Free the shared resources of the pods."""
        if self._session is not None:
            await self._session.close()


class ProcessSandbox:
    """Runs the containers of one pod. Created by :meth:`ProcessRuntime.sandbox`."""

    def __init__(self, *, runtime: ProcessRuntime, pod: Manifest, folder: Path) -> None:
        self.pod = pod
        self._runtime = runtime
        self._folder = folder
        self._volumes = Volumes(pod=pod, folder=folder / "volumes", claims=runtime.options.volumes)
        containers = pod["spec"]["containers"]
        self._ports = {box["name"]: Ports(box) for box in containers}
        self._programs: dict[str, Program] = {}
        self._engine: Engine | None = None
        (folder / "work").mkdir(parents=True, mode=0o700, exist_ok=True)

    async def pull(self, container: Manifest) -> None:
        """Decide how to run the image, and mount the volumes."""
        options = self._runtime.options
        self._programs[container["name"]] = program_of(
            container, images=options.images, mlserver_python=options.mlserver_python
        )
        await self._volumes.mount(self._runtime.api)

    async def start(
        self, container: Manifest, env: Mapping[str, str], log: ContainerLog, *, init: bool, attempt: int
    ) -> Run:
        """Start a container's process, or its replacement."""
        name = container["name"]
        program = self._programs[name]
        if program.role is Role.ENGINE:
            return self._start_engine(log)
        values = self._environment(container, env)
        if program.role is Role.INITIALIZER:
            return self._start_initializer(container, values, log)
        if program.role is Role.MLSERVER:
            return await self._start_mlserver(container, program, values, log)
        return await self._start_command(container, program, values, log)

    def component(self, name: str) -> Component | None:
        """The address of a container of this pod, if it has one."""
        ports = self._ports.get(name)
        port = ports.first() if ports is not None and name in self._programs else None
        if port is None:
            return None
        program = self._programs[name]
        stands_in = program.role is Role.MLSERVER and program.seldon_protocol
        return Component(name=name, url=f"{_HOST}:{port}", mlserver=stands_in)

    async def handle(self, request: Request) -> Response:
        """Handle a request with the engine; without one, with the pod's own container."""
        if self._engine is not None:
            return await self._engine.handle(request)
        for box in self.pod["spec"]["containers"]:
            component = self.component(box["name"])
            if component is not None and component.mlserver:
                return await self._without_engine(box, component).handle(request)
            if component is not None:
                return await proxy(self._runtime.session, component.url, request)
        raise ConnectionError("no container of the pod listens")

    def _without_engine(self, box: Manifest, component: Component) -> Engine:
        """MLServer needs a translating engine even if Seldon's own server would need none."""
        server = (
            "XGBOOST_SERVER" if "xgboost" in self._programs[box["name"]].implementation else "SKLEARN_SERVER"
        )
        values = {entry["name"]: entry.get("value") for entry in box.get("env") or []}
        parameters = json.loads(values.get("PREDICTIVE_UNIT_PARAMETERS") or "[]")
        unit = {"name": box["name"], "type": "MODEL", "implementation": server, "parameters": parameters}
        return Engine(
            predictor={"graph": unit},
            locate=lambda _: component,
            session=self._runtime.session,
            log=ContainerLog(),
        )

    async def close(self) -> None:
        """Remove the pod's files."""
        self._runtime.sandboxes.discard(self)
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    def _start_engine(self, log: ContainerLog) -> Run:
        predictor = predictor_of(self.pod)
        self._engine = Engine(
            predictor=predictor, locate=self._locate, session=self._runtime.session, log=log
        )
        log.write(f"engine of predictor {predictor.get('name')} answers on this machine's gateway")
        return InProcessRun(self._engine.probe)

    def _locate(self, unit: Manifest) -> Component | None:
        """A unit in this pod, or in a pod of the Service in its endpoint."""
        name = str(unit["name"])
        host = str(dig(unit, "endpoint", "service_host", default="localhost"))
        if host == "localhost":
            return self.component(name)
        service, label = host.partition(".")[0], f"seldon-app-svc-{name}"
        for sandbox in self._runtime.sandboxes:
            labels = dig(sandbox.pod, "metadata", "labels", default={})
            if labels.get(label) == service and namespace_of(sandbox.pod) == namespace_of(self.pod):
                component = sandbox.component(name)
                if component is not None:
                    return component
        return None

    def _start_initializer(self, container: Manifest, env: Mapping[str, str], log: ContainerLog) -> Run:
        source, target = (self._volumes.substitute(container, str(word)) for word in container["args"][:2])
        stopped = threading.Event()
        work = asyncio.to_thread(
            copy_model,
            source,
            Path(target),
            env=env,
            stores=self._runtime.options.object_stores,
            log=log,
            stopped=stopped,
        )
        return TaskRun(asyncio.ensure_future(work), stopped)

    async def _start_mlserver(
        self, container: Manifest, program: Program, env: dict[str, str], log: ContainerLog
    ) -> Run:
        name = container["name"]
        models = models_dir(self._volumes, container) or self._folder / "work"
        python = self._runtime.options.mlserver_python or sys.executable
        command = mlserver.command(python, models)
        values = env | mlserver.environment(program, env, name=name, models=models, ports=self._ports[name])
        model = values["MLSERVER_MODEL_NAME"]
        url = f"{_HOST}:{values['MLSERVER_HTTP_PORT']}/v2/models/{model}/ready"
        # A user's own probe also counts; Seldon's only opens a connection and succeeds too early.
        own = self._readiness_probe(container, env)
        probe = both(own, http_probe(self._runtime.session, url))
        return await self._run(command, values, log, probe=probe)

    async def _start_command(
        self, container: Manifest, program: Program, env: dict[str, str], log: ContainerLog
    ) -> Run:
        words = [*program.command, *(str(word) for word in container.get("args") or [])]
        words = [self._volumes.substitute(container, expand(word, env)) for word in words]
        if shutil.which(words[0], path=env["PATH"]) is None:
            text = f'exec: "{words[0]}": executable file not found in $PATH: unknown'
            raise StartError(reason="StartError", message=f"failed to create containerd task: {text}")
        return await self._run(words, env, log, probe=self._readiness_probe(container, env))

    def _readiness_probe(self, container: Manifest, env: Mapping[str, str]) -> Probe:
        ports = self._ports.get(container["name"]) or Ports(container)
        folder = self._folder / "work"
        return readiness_probe(container, ports=ports, session=self._runtime.session, env=env, folder=folder)

    async def _run(
        self, command: list[str], env: Mapping[str, str], log: ContainerLog, *, probe: Probe
    ) -> Run:
        return await ProcessRun.start(
            command,
            env=env,
            folder=self._folder / "work",
            log=log,
            probe=probe,
            grace=self._runtime.options.grace,
        )

    def _environment(self, container: Manifest, env: Mapping[str, str]) -> dict[str, str]:
        """The container's variables, and the few that a process needs; none of the caller's secrets."""
        base = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        base["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
        base |= {"HOME": str(self._folder / "work"), "PYTHONUNBUFFERED": "1"}
        models = models_dir(self._volumes, container)
        base |= {ENV_MODELS: str(models)} if models is not None else {}
        values = {key: self._volumes.substitute(container, value) for key, value in env.items()}
        ports = self._ports.get(container["name"])
        return base | (ports.substitute(values) if ports is not None else values)


class InProcessRun:
    """A container that is an object of this process."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self._stopped = asyncio.Event()

    async def wait(self) -> Exit:
        """Wait until it is stopped."""
        await self._stopped.wait()
        return Exit.of(0)

    async def probe(self) -> str | None:
        """Probe the object."""
        return await self._probe()

    async def stop(self, grace: float) -> None:
        """End it."""
        self._stopped.set()


class TaskRun:
    """A container that is a task with an exit code."""

    def __init__(self, work: asyncio.Future[int], stopped: threading.Event) -> None:
        self._work = work
        self._stopped = stopped

    async def wait(self) -> Exit:
        """Wait until the task has ended."""
        return Exit.of(await asyncio.shield(self._work))

    async def probe(self) -> str | None:
        """An init container is not probed."""
        return None

    async def stop(self, grace: float) -> None:
        """Request the end of the task, and wait for it."""
        self._stopped.set()
        await asyncio.wait([self._work], timeout=grace)
