"""The node: it accepts pods, schedules them, runs them with a runtime and serves their logs.

It is scheduler and kubelet in one, for a cluster of one node. Only this module knows the addresses of its
pods' processes (or simulated ones): the gateway calls :meth:`Kubelet.handle`.
"""

from __future__ import annotations

import asyncio

import aiohttp

from airflow_provider_seldon.local.apiserver.protocol.pod_http import Request, Response
from airflow_provider_seldon.local.client.api_client import ApiClient
from airflow_provider_seldon.local.client.errors import ApiError
from airflow_provider_seldon.local.client.kinds import PODS, Manifest
from airflow_provider_seldon.local.controllers.caches import Caches
from airflow_provider_seldon.local.controllers.informer import Informer, Key
from airflow_provider_seldon.local.controllers.manifests import condition, dig, key_of
from airflow_provider_seldon.local.controllers.queue import Retry, WorkQueue
from airflow_provider_seldon.local.controllers.recorder import Recorder
from airflow_provider_seldon.local.kubelet.containers.interface import Runtime
from airflow_provider_seldon.local.kubelet.pods import pod_status
from airflow_provider_seldon.local.kubelet.pods.container import Timing
from airflow_provider_seldon.local.kubelet.pods.pod import Pod
from airflow_provider_seldon.local.kubelet.pods.scheduling import lacking, unschedulable_message
from airflow_provider_seldon.local.kubelet.traffic.misbehaviour import Misbehaviours
from airflow_provider_seldon.local.kubelet.traffic.request_metrics import RequestMetrics
from airflow_provider_seldon.local.options import LocalOptions

NODE = "local"


class Kubelet:
    """Runs the pods of a cluster.

    :param api: client for reads and writes
    :param caches: cache of pods
    :param options: capacity, back-off and others
    :param runtime: runs the containers
    """

    def __init__(self, *, api: ApiClient, caches: Caches, options: LocalOptions, runtime: Runtime) -> None:
        self._api = api
        self._caches = caches
        self._options = options
        self._runtime = runtime
        self._timing = Timing(
            backoff=options.backoff,
            backoff_limit=options.backoff_limit,
            probe_period=options.probe_period,
            grace=options.grace,
            drain=options.drain,
        )
        self.misbehaviours = Misbehaviours(options.seed)
        self._pods: dict[str, Pod] = {}
        self._by_key: dict[Key, str] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._informer: Informer
        quiet = options.kubelet == "simulated"  # no client checks the events of a simulated image pull
        self._recorder = Recorder(api=api, component="kubelet", only_warnings=quiet)
        self._scheduler_recorder = Recorder(api=api, component="default-scheduler", only_warnings=quiet)
        self._queue = WorkQueue(name="scheduler", work=self._schedule)

    async def start(self) -> None:
        """Accept pods until :meth:`stop`."""
        self._informer = await self._caches.of(PODS)
        work = (self._recorder.run, self._scheduler_recorder.run, self._queue.run)
        self._tasks = [asyncio.create_task(run()) for run in work]
        self._informer.subscribe(self._on_pod)

    async def stop(self) -> None:
        """End everything that runs, without a report to the API server, which ends as well."""
        self._queue.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        ending = [pod.terminate(remove=False, drain=False) for pod in self._pods.values()]
        await asyncio.gather(*ending, return_exceptions=True)
        self._pods.clear()
        await self._runtime.close()

    def is_ready(self, namespace: str, name: str) -> bool:
        """Whether a pod may receive requests now."""
        pod = self.pod(namespace, name)
        return pod is not None and pod.ready

    def is_draining(self, namespace: str, name: str) -> bool:
        """Whether a terminating pod still handles requests."""
        pod = self.pod(namespace, name)
        return pod is not None and pod.draining

    async def handle(self, namespace: str, name: str, request: Request) -> Response:
        """Pass a request to a pod. :raises ConnectionError: there is no such pod (any more)"""
        pod = self.pod(namespace, name)
        if pod is None:
            raise ConnectionError(f"pod {namespace}/{name} does not run")
        return await pod.handle(request)

    def metrics(self) -> list[tuple[Manifest, RequestMetrics]]:
        """The running pods, and their metrics."""
        return [(pod.manifest, pod.metrics) for pod in self._pods.values()]

    def pod(self, namespace: str, name: str) -> Pod | None:
        """The pod of that name, if it runs here."""
        return self._pods.get(self._by_key.get((namespace, name), ""))

    def manifest(self, namespace: str, name: str) -> Manifest | None:
        """The last known object of a pod."""
        return self._informer.get(namespace, name)

    def _on_pod(self, old: Manifest | None, new: Manifest | None) -> None:
        if new is None:
            if old is not None:
                self._drop(old, remove=False)
        elif "deletionTimestamp" in new["metadata"]:
            self._drop(new, remove=True)
        elif new["metadata"]["uid"] not in self._pods:
            self._queue.add(key_of(new))

    def _drop(self, manifest: Manifest, *, remove: bool) -> None:
        uid = manifest["metadata"]["uid"]
        pod = self._pods.get(uid)
        if pod is not None:
            task = pod.terminate(remove=remove)
            task.add_done_callback(lambda _: self._forget(manifest))
        elif remove:
            self._queue.add(key_of(manifest))

    def _forget(self, manifest: Manifest) -> None:
        uid, key = manifest["metadata"]["uid"], key_of(manifest)
        self._pods.pop(uid, None)
        if self._by_key.get(key) == uid:
            del self._by_key[key]
        for other in self._informer.all():  # room for those that wait
            if other["metadata"]["uid"] not in self._pods and "deletionTimestamp" not in other["metadata"]:
                self._queue.add(key_of(other))

    async def _schedule(self, key: Key) -> None:
        manifest = self._informer.get(*key)
        if manifest is None or manifest["metadata"]["uid"] in self._pods:
            return
        uid = manifest["metadata"]["uid"]
        if "deletionTimestamp" in manifest["metadata"]:  # it never ran
            await self._api.delete(PODS, key[0], key[1], uid=uid, grace_seconds=0)
            return
        short = lacking(manifest, (pod.manifest for pod in self._pods.values()), self._options.capacity)
        if short or self._runtime.refuses(manifest):
            await self._note_unschedulable(manifest, unschedulable_message(short or ["cpu"]))
            return
        manifest = await self._bind(manifest)
        self._scheduler_recorder.normal(
            manifest, "Scheduled", f"Successfully assigned {key[0]}/{key[1]} to {NODE}"
        )
        pod = Pod(
            manifest=manifest,
            sandbox=self._runtime.sandbox(manifest),
            api=self._api,
            recorder=self._recorder,
            timing=self._timing,
            misbehaviours=self.misbehaviours,
        )
        self._pods[uid] = pod
        self._by_key[key] = uid
        pod.start()
        latest = self._informer.get(*key)  # it may have been deleted while it was bound
        if latest is None or latest["metadata"]["uid"] != uid:
            self._drop(manifest, remove=False)
        elif "deletionTimestamp" in latest["metadata"]:
            self._drop(latest, remove=True)

    async def _bind(self, manifest: Manifest) -> Manifest:
        """Bind the pod to the node: from now on its deletion waits for the kubelet."""
        if dig(manifest, "spec", "nodeName"):
            return manifest
        namespace, name = key_of(manifest)
        target = {"apiVersion": "v1", "kind": "Node", "name": NODE}
        body = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}, "target": target}
        await self._api.create_subresource(PODS, namespace, name, "binding", body)
        return manifest | {"spec": manifest["spec"] | {"nodeName": NODE}}

    async def _note_unschedulable(self, manifest: Manifest, message: str) -> None:
        known = condition(manifest.get("status"), "PodScheduled")
        if known is not None and known.get("message") == message:
            return
        self._scheduler_recorder.warning(manifest, "FailedScheduling", message)
        status = pod_status.pending(manifest, message=message)
        namespace, name = key_of(manifest)
        try:
            await self._api.patch(PODS, namespace, name, {"status": status}, subresource="status")
        except (ApiError, aiohttp.ClientError) as error:
            if not (isinstance(error, ApiError) and error.not_found):
                raise Retry(1.0) from error
