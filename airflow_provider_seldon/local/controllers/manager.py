"""Starts and stops all controllers, in place of a cluster's kube-controller-manager and Seldon's operator."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from airflow_provider_seldon.local.client.api_client import ApiClient
from airflow_provider_seldon.local.client.kinds import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    HORIZONTAL_POD_AUTOSCALERS,
    NAMESPACES,
    POD_DISRUPTION_BUDGETS,
    PODS,
    REPLICA_SETS,
    SCALED_OBJECTS,
    SECRETS,
    SELDON_DEPLOYMENTS,
    SERVICES,
    VIRTUAL_SERVICES,
    Manifest,
)
from airflow_provider_seldon.local.controllers.caches import Caches
from airflow_provider_seldon.local.controllers.queue import WorkQueue
from airflow_provider_seldon.local.controllers.recorder import Recorder
from airflow_provider_seldon.local.controllers.seldon.operator import SeldonController
from airflow_provider_seldon.local.controllers.workloads.deployment import DeploymentController
from airflow_provider_seldon.local.controllers.workloads.garbage import GarbageCollector
from airflow_provider_seldon.local.controllers.workloads.replica_set import ReplicaSetController
from airflow_provider_seldon.local.operator_faults import OperatorFaults

_OPTIONAL = (HORIZONTAL_POD_AUTOSCALERS, POD_DISRUPTION_BUDGETS, SCALED_OBJECTS)

_COLLECTED = (SELDON_DEPLOYMENTS, DEPLOYMENTS, REPLICA_SETS, PODS, SERVICES, SECRETS, CONFIG_MAPS)


class Controllers:
    """Runs the controllers against one API server, over HTTP.

    :param api: client for writes
    :param caches: caches for reads
    :param operator_faults: delays and errors of the operator
    :param seldon_only: run only Seldon's operator, in a cluster that has the other controllers
    :param istio: write VirtualServices
    :param route: called with a SeldonDeployment to set its routes; without it, no routes are set
    :param garbage: collect garbage, if the API server does not do so itself
    """

    def __init__(
        self,
        *,
        api: ApiClient,
        caches: Caches,
        operator_faults: OperatorFaults | None = None,
        seldon_only: bool = False,
        garbage: bool = False,
        istio: bool = False,
        route: Callable[[Manifest], None] = lambda _: None,
    ) -> None:
        self._api = api
        self._caches = caches
        self._operator_faults = operator_faults or OperatorFaults()
        self._seldon_only = seldon_only
        self._garbage = garbage
        self._istio = istio
        self._route = route
        self._tasks: list[asyncio.Task[None]] = []
        self._queues: list[WorkQueue] = []
        self.operator: SeldonController | None = None

    async def start(self) -> None:
        """Fill the caches, then work until :meth:`stop`."""
        recorder = self._recorder("seldon-controller-manager")
        served = frozenset([kind for kind in _OPTIONAL if await self._api.serves(kind)])
        self.operator = SeldonController(
            api=self._api,
            deployments=await self._caches.of(DEPLOYMENTS),
            services=await self._caches.of(SERVICES),
            recorder=recorder,
            served=served,
            virtual_services=await self._caches.of(VIRTUAL_SERVICES) if self._istio else None,
            seldon_deployments=await self._caches.of(SELDON_DEPLOYMENTS),
            namespaces=await self._caches.of(NAMESPACES),
            operator_faults=self._operator_faults,
            route=self._route,
        )
        self._work(self.operator.queue)
        if not self._seldon_only:
            await self._start_kubernetes()
        if self._garbage:
            kinds = [*_COLLECTED, *served]
            collector = GarbageCollector(
                api=self._api, caches={kind: await self._caches.of(kind) for kind in kinds}
            )
            self._work(collector.queue)

    async def _start_kubernetes(self) -> None:
        deployments = DeploymentController(
            api=self._api,
            deployments=await self._caches.of(DEPLOYMENTS),
            replica_sets=await self._caches.of(REPLICA_SETS),
            recorder=self._recorder("deployment-controller"),
            operator_faults=self._operator_faults,
        )
        replica_sets = ReplicaSetController(
            api=self._api,
            replica_sets=await self._caches.of(REPLICA_SETS),
            pods=await self._caches.of(PODS),
            recorder=self._recorder("replicaset-controller"),
        )
        self._work(deployments.queue)
        self._work(replica_sets.queue)

    async def stop(self) -> None:
        """Stop all work; the objects in the cluster stay."""
        for queue in self._queues:
            queue.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    def _recorder(self, component: str) -> Recorder:
        recorder = Recorder(api=self._api, component=component)
        self._spawn(recorder.run(), f"events of {component}")
        return recorder

    def _work(self, queue: WorkQueue) -> None:
        self._queues.append(queue)
        self._spawn(queue.run(), "queue")

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        self._tasks.append(asyncio.create_task(work, name=name))
