"""One pod on the node: init containers one after the other, then all containers, until it is deleted.

It writes the pod's status and, at the end, removes the pod from the API, as a kubelet does.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time

import aiohttp

from airflow_provider_seldon.local.apiserver.protocol.pod_http import Request, Response
from airflow_provider_seldon.local.client.api_client import ApiClient
from airflow_provider_seldon.local.client.errors import ApiError
from airflow_provider_seldon.local.client.kinds import PODS, Manifest
from airflow_provider_seldon.local.controllers.children.engine import PROMETHEUS_PATH
from airflow_provider_seldon.local.controllers.manifests import dig, name_of, namespace_of, now
from airflow_provider_seldon.local.controllers.recorder import Recorder
from airflow_provider_seldon.local.kubelet.containers.interface import Sandbox
from airflow_provider_seldon.local.kubelet.pods import pod_status
from airflow_provider_seldon.local.kubelet.pods.container import Container, Timing
from airflow_provider_seldon.local.kubelet.servers.simulated_answers import predictor_of
from airflow_provider_seldon.local.kubelet.traffic.misbehaviour import Misbehaviours
from airflow_provider_seldon.local.kubelet.traffic.request_metrics import RequestMetrics

log = logging.getLogger(__name__)

_RETRY_SECONDS = 0.5


class Pod:
    """Runs one pod.

    :param manifest: the pod
    :param sandbox: runs its containers
    :param api: client that writes the status
    :param recorder: writes events
    :param timing: delays between attempts
    :param misbehaviours: faults of its responses
    """

    def __init__(
        self,
        *,
        manifest: Manifest,
        sandbox: Sandbox,
        api: ApiClient,
        recorder: Recorder,
        timing: Timing,
        misbehaviours: Misbehaviours,
    ) -> None:
        self.metrics = RequestMetrics(pod=manifest, predictor=predictor_of(manifest))
        self._misbehaviours = misbehaviours
        self.manifest = manifest
        self.sandbox = sandbox
        self._api = api
        self._timing = timing
        self._recorder = recorder
        self._started = now()
        self._dirty = asyncio.Event()
        self._written: Manifest | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._ending: asyncio.Task[None] | None = None

        def container(spec: Manifest, *, init: bool) -> Container:
            return Container(
                pod=manifest,
                spec=spec,
                init=init,
                sandbox=sandbox,
                api=api,
                recorder=recorder,
                timing=timing,
                changed=self._dirty.set,
            )

        self._inits = [
            container(one, init=True) for one in dig(manifest, "spec", "initContainers", default=[])
        ]
        self._containers = [container(one, init=False) for one in manifest["spec"]["containers"]]

    @property
    def ready(self) -> bool:
        """Whether it may receive requests."""
        return self._ending is None and all(one.ready for one in self._containers)

    @property
    def draining(self) -> bool:
        """Whether it is terminating, and still handles requests of clients that do not know that yet."""
        return self._ending is not None and all(one.ready for one in self._containers)

    async def handle(self, request: Request) -> Response:
        """Handle a request to its service port, and count it."""
        if self.metrics.counts and (request.method, request.path) == ("GET", PROMETHEUS_PATH):
            headers = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
            return Response(status=200, body=self.metrics.exposition().encode(), headers=headers)
        begun = time.perf_counter()
        response = await self._misbehaviours.answer(
            request,
            pod=self.manifest,
            deployment=self.metrics.deployment,
            predictor=self.metrics.predictor,
            handle=self.sandbox.handle,
        )
        self.metrics.observe(request, status=response.status, seconds=time.perf_counter() - begun)
        return response

    def container(self, name: str) -> Container | None:
        """The container of that name, init containers included."""
        return next((one for one in [*self._inits, *self._containers] if one.name == name), None)

    def start(self) -> None:
        """Start it."""
        self._tasks = [asyncio.create_task(self._run()), asyncio.create_task(self._write_statuses())]
        for task in self._tasks:
            task.add_done_callback(self._report)

    def terminate(self, *, remove: bool = True, drain: bool = True) -> asyncio.Task[None]:
        """Terminate it; idempotent. The task ends when all its containers have ended.

        :param remove: remove it from the API at the end
        :param drain: continue to serve for a moment, for requests in transit
        """
        if self._ending is None:
            self._ending = asyncio.create_task(self._end(remove=remove, drain=drain))
        return self._ending

    async def _run(self) -> None:
        for waiting in self._containers:
            waiting.wait_for_others("PodInitializing" if self._inits else "ContainerCreating")
        for init in self._inits:
            if not await init.run():
                return
        async with asyncio.TaskGroup() as group:
            for one in self._containers:
                group.create_task(one.run())

    def _report(self, task: asyncio.Task[None]) -> None:
        """Report an error of the kubelet itself: without that, the pod would silently never start."""
        if not task.cancelled() and task.exception() is not None:
            log.error("pod %s", name_of(self.manifest), exc_info=task.exception())

    async def _end(self, *, remove: bool, drain: bool) -> None:
        if drain and any(one.ready for one in self._containers):
            await asyncio.sleep(self._timing.drain)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(self._stop(one) for one in [*self._inits, *self._containers]))
        await self.sandbox.close()
        if remove:
            await self._remove()

    async def _stop(self, container: Container) -> None:
        if container.running:
            self._recorder.normal(self.manifest, "Killing", f"Stopping container {container.name}")
        await container.stop()

    async def _remove(self) -> None:
        """Remove the object from the API, as the kubelet's last step."""
        name, namespace = name_of(self.manifest), namespace_of(self.manifest)
        uid = self.manifest["metadata"]["uid"]
        while True:
            try:
                await self._api.delete(PODS, namespace, name, uid=uid, grace_seconds=0)
                return
            except ApiError as error:
                if error.conflict:  # another pod has this name now
                    return
                log.debug("pod %s not removed: %s", name, error)
            except (aiohttp.ClientError, OSError) as error:
                log.debug("pod %s not removed: %s", name, error)
            await asyncio.sleep(_RETRY_SECONDS)

    async def _write_statuses(self) -> None:
        """Write the status after every change; changes during a write are in the next one."""
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            status = pod_status.of_containers(
                self.manifest,
                [one.status() for one in self._inits],
                [one.status() for one in self._containers],
                started=self._started,
            )
            if status == self._written:
                continue
            try:
                await self._write(status)
            except (ApiError, aiohttp.ClientError, OSError) as error:
                if isinstance(error, ApiError) and error.not_found:
                    return
                log.debug("status of pod %s not written: %s", name_of(self.manifest), error)
                self._dirty.set()
                await asyncio.sleep(_RETRY_SECONDS)

    async def _write(self, status: Manifest) -> None:
        name, namespace = name_of(self.manifest), namespace_of(self.manifest)
        answer = await self._api.patch(PODS, namespace, name, {"status": status}, subresource="status")
        self._written = status
        with contextlib.suppress(KeyError):
            self.manifest = self.manifest | {"status": answer["status"]}
