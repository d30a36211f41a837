"""Seldon's operator: reconciles SeldonDeployments into Deployments and Services, and reports their status.

Source: Seldon Core reference, section 2. Status is written through the ``status`` subresource with the
resource version that was read, so that a write computed from an old spec is refused (fact 6); an error
appears briefly as ``Failed`` and is retried.
:class:`~airflow_provider_seldon.local.operator_faults.OperatorFaults` sets when and how long the natural
faults are visible.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable

from airflow_provider_seldon.local.client.api_client import ApiClient
from airflow_provider_seldon.local.client.errors import ApiError
from airflow_provider_seldon.local.client.kinds import SELDON_DEPLOYMENTS, Kind, Manifest
from airflow_provider_seldon.local.controllers.children.components import Components, build
from airflow_provider_seldon.local.controllers.errors import ComponentError
from airflow_provider_seldon.local.controllers.informer import Informer, Key
from airflow_provider_seldon.local.controllers.manifests import (
    canonical,
    clone,
    controller_of,
    dig,
    key_of,
    name_of,
    namespace_of,
)
from airflow_provider_seldon.local.controllers.queue import Retry, WorkQueue
from airflow_provider_seldon.local.controllers.recorder import Recorder
from airflow_provider_seldon.local.controllers.seldon import status as conditions
from airflow_provider_seldon.local.controllers.seldon.hot_loop import HotLoop
from airflow_provider_seldon.local.controllers.seldon.reconcile import Pass
from airflow_provider_seldon.local.controllers.seldon.writer import Cluster
from airflow_provider_seldon.local.operator_faults import OperatorFaults

log = logging.getLogger(__name__)

LABEL_CONTROLLER = "seldon.io/controller-id"


class SeldonController:
    """The operator's loop: one worker for the whole cluster, as in Seldon Core.

    :param api: client for writes
    :param deployments: cache of Deployments
    :param services: cache of Services
    :param recorder: writes events
    :param virtual_services: cache of VirtualServices; None without Istio
    :param served: the optional resource types (autoscalers, budgets) that the API server has
    :param seldon_deployments: cache of the resources to reconcile
    :param namespaces: cache of namespaces, for the label that assigns them to another operator
    :param operator_faults: delays and errors of the operator
    :param route: called with a SeldonDeployment to set its routes
    """

    def __init__(
        self,
        *,
        api: ApiClient,
        deployments: Informer,
        services: Informer,
        recorder: Recorder,
        served: frozenset[Kind],
        virtual_services: Informer | None,
        seldon_deployments: Informer,
        namespaces: Informer,
        operator_faults: OperatorFaults,
        route: Callable[[Manifest], None],
    ) -> None:
        self._seldon_deployments = seldon_deployments
        self._namespaces = namespaces
        self._operator_faults = operator_faults
        self._random = random.Random(operator_faults.seed)
        self._holds: dict[Key, float] = {}
        self._flashes: dict[tuple[str, int], int] = {}
        self._mesh: dict[str, tuple[str, float]] = {}
        self._paused = False
        self._paused_in: set[str] = set()
        self.queue = WorkQueue(name="seldon operator", work=self._reconcile)
        self._cluster = Cluster(
            api=api,
            deployments=deployments,
            services=services,
            recorder=recorder,
            served=served,
            virtual_services=virtual_services,
            route=route,
            hot_loop=HotLoop(rate=operator_faults.hot_loop_rate, again=self.queue.add),
        )
        seldon_deployments.subscribe(self._on_deployment)
        deployments.subscribe(self._on_child)
        services.subscribe(self._on_child)
        if virtual_services is not None:
            virtual_services.subscribe(self._on_child)

    def pause(self, namespace: str | None = None) -> None:
        """Stop reconciling, as when the operator is down: statuses do not change.

        :param namespace: only this namespace, as for an operator that is responsible for no other; None for
            all
        """
        if namespace is None:
            self._paused = True
        else:
            self._paused_in.add(namespace)

    def resume(self, namespace: str | None = None) -> None:
        """Reconcile everything again, in all namespaces or in one."""
        if namespace is None:
            self._paused = False
        else:
            self._paused_in.discard(namespace)
        for manifest in self._seldon_deployments.all():
            self.queue.add(key_of(manifest))

    def _on_deployment(self, old: Manifest | None, new: Manifest | None) -> None:
        manifest = new or old
        if manifest is None:
            return
        key = key_of(manifest)
        if new is None:
            self._forget(manifest)
        elif old is None or dig(old, "metadata", "generation") != dig(new, "metadata", "generation"):
            delay = self._jittered(self._operator_faults.operator_delay)
            self._holds[key] = asyncio.get_running_loop().time() + delay
        self._enqueue(key)

    def _on_child(self, old: Manifest | None, new: Manifest | None) -> None:
        manifest = new or old
        owner = controller_of(manifest) if manifest is not None else None
        if manifest is not None and new is None:
            self._cluster.hot_loop.forget(manifest)
        if manifest is not None and owner is not None and owner["kind"] == SELDON_DEPLOYMENTS.kind:
            self._enqueue((namespace_of(manifest), owner["name"]))

    def _enqueue(self, key: Key) -> None:
        """Enqueue a deployment, after the rest of a fault's delay if its change is still hidden."""
        held = self._holds.get(key, 0.0) - asyncio.get_running_loop().time()
        self.queue.add(key, max(0.0, held))

    def _forget(self, manifest: Manifest) -> None:
        uid = manifest["metadata"]["uid"]
        self._holds.pop(key_of(manifest), None)
        self._mesh.pop(uid, None)
        for key in [key for key in self._flashes if key[0] == uid]:
            del self._flashes[key]

    async def _reconcile(self, key: Key) -> None:
        found = self._seldon_deployments.get(*key)
        if found is None or not self._is_mine(found):
            return
        instance = clone(found)
        instance["status"] = instance.get("status") or {}
        try:
            components = build(instance)
            work = Pass(
                cluster=self._cluster,
                instance=instance,
                components=components,
                mesh_ready=(lambda: self._mesh_ready(instance)) if self._operator_faults.mesh_delay else None,
            )
            await self._run(work, instance, components)
        except (ApiError, ComponentError) as error:
            await self._report_error(instance, error)
            raise
        await self._write_status(found, instance)
        self._cluster.recorder.normal(instance, "Updated", f'Updated SeldonDeployment "{name_of(instance)}"')

    def _is_mine(self, found: Manifest) -> bool:
        """Whether to handle an object: not if it is being deleted, or is another operator's (2.1)."""
        paused = self._paused or namespace_of(found) in self._paused_in
        if paused or "deletionTimestamp" in found["metadata"]:
            return False
        namespace = self._namespaces.get("", namespace_of(found))
        other = dig(namespace, "metadata", "labels", LABEL_CONTROLLER) or dig(
            found, "metadata", "labels", LABEL_CONTROLLER
        )
        return not other

    async def _run(self, work: Pass, instance: Manifest, components: Components) -> None:
        services_ready = await work.services()
        scaling_ready = await work.scaling()
        self._maybe_flash(instance, components)
        ready, progressing = await work.deployments()
        if ready:
            await work.complete()
        if ready and services_ready and scaling_ready:
            conditions.set_state(work.status, "Available")
        elif not progressing and not ready:
            conditions.set_state(work.status, "Failed", conditions.NOT_PROGRESSING)
        else:
            conditions.set_state(work.status, "Creating")

    def _maybe_flash(self, instance: Manifest, components: Components) -> None:
        """Inject the error of a cache that does not have the operator's own write yet."""
        if not components.deployments or self._random.random() >= self._operator_faults.transient_failed:
            return
        metadata = instance["metadata"]
        key = metadata["uid"], int(metadata.get("generation", 0))
        limit = self._operator_faults.transient_failed_limit
        if limit is not None and self._flashes.get(key, 0) >= limit:
            return
        self._flashes[key] = self._flashes.get(key, 0) + 1
        child = self._random.choice(components.deployments)
        message = f'deployments.apps "{name_of(child)}" already exists'
        raise _FlashError(status=409, reason="AlreadyExists", message=message)

    async def _report_error(self, instance: Manifest, error: ApiError | ComponentError) -> None:
        """``updateStatusForError``: everything but a conflict appears as ``Failed`` (row 10)."""
        if isinstance(error, ApiError) and error.conflict:
            return
        self._cluster.recorder.warning(instance, "InternalError", str(error))
        found = self._seldon_deployments.get(*key_of(instance))
        conditions.set_state(instance["status"], "Failed", str(error))
        if found is not None:
            try:
                await self._write_status(found, instance)
            except ApiError as problem:
                log.debug("status of %s not written: %s", name_of(instance), problem)
        if isinstance(error, _FlashError):
            raise Retry(self._jittered(self._operator_faults.transient_failed_seconds))

    async def _write_status(self, found: Manifest, instance: Manifest) -> None:
        """Write only a status that differs: otherwise no write, even for a new generation (fact 6)."""
        if conditions.same(found.get("status"), instance["status"]):
            return
        try:
            written = await self._cluster.api.update(SELDON_DEPLOYMENTS, instance, subresource="status")
        except ApiError as error:
            if not (error.conflict or error.not_found):
                name = name_of(instance)
                message = f'Failed to update status for SeldonDeployment "{name}": {error}'
                self._cluster.recorder.warning(instance, "UpdateFailed", message)
            raise
        self._seldon_deployments.observe(written)

    def _mesh_ready(self, instance: Manifest) -> bool:
        """Whether the routes are in place, which takes time; until then ``Ready`` lags behind the state."""
        routes = canonical(
            [
                [predictor.get("name"), predictor.get("traffic"), predictor.get("shadow")]
                for predictor in dig(instance, "spec", "predictors", default=[])
            ]
        )
        uid, time = instance["metadata"]["uid"], asyncio.get_running_loop().time()
        known, due = self._mesh.get(uid, ("", 0.0))
        if known != routes:
            due = time + self._jittered(self._operator_faults.mesh_delay)
            self._mesh[uid] = routes, due
        if time < due:
            self.queue.add(key_of(instance), due - time)
            return False
        return True

    def _jittered(self, seconds: float) -> float:
        return seconds * self._random.uniform(
            1 - self._operator_faults.jitter, 1 + self._operator_faults.jitter
        )


class _FlashError(ApiError):
    """An injected transient error."""
