"""The Deployment controller: one ReplicaSet per pod template, with rolling updates.

Source: Kubernetes documentation, "Deployments". It scales ReplicaSets and writes the Deployment's status; the
ReplicaSet controller handles pods. Not implemented, because Seldon's operator never uses them: ``Recreate``,
pausing and rolling back.
"""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime

from airflow_provider_seldon.local.client.api_client import ApiClient
from airflow_provider_seldon.local.client.kinds import DEPLOYMENTS, REPLICA_SETS, Manifest
from airflow_provider_seldon.local.controllers.informer import Informer, Key
from airflow_provider_seldon.local.controllers.manifests import (
    clone,
    controller_of,
    dig,
    key_of,
    name_of,
    namespace_of,
    owner_reference,
    short_hash,
)
from airflow_provider_seldon.local.controllers.queue import WorkQueue
from airflow_provider_seldon.local.controllers.recorder import Recorder
from airflow_provider_seldon.local.controllers.workloads import rolling
from airflow_provider_seldon.local.controllers.workloads.deployment_status import (
    NEW_CREATED,
    next_status,
    seconds_to_deadline,
    set_condition,
)
from airflow_provider_seldon.local.operator_faults import OperatorFaults

LABEL_HASH = "pod-template-hash"
ANNOTATION_REVISION = "deployment.kubernetes.io/revision"
ANNOTATION_DESIRED = "deployment.kubernetes.io/desired-replicas"
ANNOTATION_MAXIMUM = "deployment.kubernetes.io/max-replicas"


class DeploymentController:
    """Rolls Deployments.

    :param api: client for writes
    :param deployments: cache of Deployments
    :param replica_sets: cache of ReplicaSets
    :param recorder: writes events
    :param operator_faults: delays before a changed Deployment is read, and between two steps
    """

    def __init__(
        self,
        *,
        api: ApiClient,
        deployments: Informer,
        replica_sets: Informer,
        recorder: Recorder,
        operator_faults: OperatorFaults,
    ) -> None:
        self._api = api
        self._deployments = deployments
        self._replica_sets = replica_sets
        self._recorder = recorder
        self._operator_faults = operator_faults
        self._random = random.Random(operator_faults.seed)
        self._holds: dict[Key, float] = {}
        self._started: dict[Key, str] = {}
        self.queue = WorkQueue(name="deployment controller", work=self._sync, workers=4)
        deployments.subscribe(self._on_deployment)
        replica_sets.subscribe(self._on_replica_set)

    def _on_deployment(self, old: Manifest | None, new: Manifest | None) -> None:
        if new is None:
            if old is not None:
                self._holds.pop(key_of(old), None)
                self._started.pop(key_of(old), None)
            return
        if old is not None and dig(old, "metadata", "generation") != dig(new, "metadata", "generation"):
            self._hold(key_of(new), self._operator_faults.deployment_status_delay)
        self._enqueue(key_of(new))

    def _on_replica_set(self, old: Manifest | None, new: Manifest | None) -> None:
        manifest = new or old
        owner = controller_of(manifest) if manifest is not None else None
        if manifest is not None and owner is not None and owner["kind"] == DEPLOYMENTS.kind:
            self._enqueue((namespace_of(manifest), owner["name"]))

    def _hold(self, key: Key, seconds: float) -> None:
        if seconds:
            seconds *= self._random.uniform(
                1 - self._operator_faults.jitter, 1 + self._operator_faults.jitter
            )
            self._holds[key] = asyncio.get_running_loop().time() + seconds

    def _enqueue(self, key: Key) -> None:
        held = self._holds.get(key, 0.0) - asyncio.get_running_loop().time()
        self.queue.add(key, max(0.0, held))

    async def _sync(self, key: Key) -> None:
        deployment = self._deployments.get(*key)
        if deployment is None:
            return
        every = self._replica_sets.owned_by(deployment["metadata"]["uid"])
        if "deletionTimestamp" in deployment["metadata"]:
            await self._write_status(deployment, self._find_new(deployment, every), every)
            return
        new = self._find_new(deployment, every)
        if new is None:
            new = await self._create(deployment, every)
            every = [*every, new]
        deployment = self._restart_progress(await self._annotate(deployment, new))
        changed = await self._step(deployment, new, every)
        if changed:
            replaced = {name_of(one): one for one in [*every, *changed]}
            every = list(replaced.values())
            new = replaced[name_of(new)]
            self._hold(key, self._operator_faults.rollout_pause)
        else:
            await self._trim_history(deployment, new, every)
        await self._write_status(deployment, new, every)

    def _find_new(self, deployment: Manifest, every: list[Manifest]) -> Manifest | None:
        wanted = _template_hash(deployment)
        return next((one for one in every if dig(one, "metadata", "labels", LABEL_HASH) == wanted), None)

    async def _step(self, deployment: Manifest, new: Manifest, every: list[Manifest]) -> list[Manifest]:
        """Scale up, or down, or not at all: one direction per pass, as in the real controller."""
        size = rolling.new_size(deployment, new, every)
        if size != rolling.spec_replicas(new):
            return [await self._scale(deployment, new, size)]
        old = [one for one in every if one is not new and rolling.spec_replicas(one) > 0]
        sizes = rolling.old_sizes(deployment, new, old)
        return [
            await self._scale(deployment, one, sizes[name_of(one)]) for one in old if name_of(one) in sizes
        ]

    async def _create(self, deployment: Manifest, every: list[Manifest]) -> Manifest:
        suffix = _template_hash(deployment)
        template = clone(deployment["spec"]["template"])
        template["metadata"]["labels"] |= {LABEL_HASH: suffix}
        selector = clone(deployment["spec"]["selector"])
        selector["matchLabels"] = selector.get("matchLabels", {}) | {LABEL_HASH: suffix}
        name = f"{name_of(deployment)}-{suffix}"
        revision = 1 + max((_revision(one) for one in every), default=0)
        size = rolling.new_size(deployment, None, every)
        manifest: Manifest = {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {
                "name": name,
                "namespace": namespace_of(deployment),
                "labels": dict(template["metadata"]["labels"]),
                "annotations": _replica_annotations(deployment) | {ANNOTATION_REVISION: str(revision)},
                "ownerReferences": [owner_reference(deployment)],
            },
            "spec": {"replicas": size, "selector": selector, "template": template},
        }
        created = await self._api.create(REPLICA_SETS, manifest)
        self._replica_sets.observe(created)
        self._started[key_of(deployment)] = f'Created new replica set "{name}"'
        self._recorder.normal(deployment, "ScalingReplicaSet", f"Scaled up replica set {name} to {size}")
        return created

    async def _scale(self, deployment: Manifest, replica_set: Manifest, size: int) -> Manifest:
        updated = clone(replica_set)
        updated["spec"]["replicas"] = size
        updated["metadata"].setdefault("annotations", {}).update(_replica_annotations(deployment))
        updated = await self._api.update(REPLICA_SETS, updated)
        self._replica_sets.observe(updated)
        before, name = rolling.spec_replicas(replica_set), name_of(replica_set)
        direction = "up" if size > before else "down"
        message = f"Scaled {direction} replica set {name} to {size} from {before}"
        self._recorder.normal(deployment, "ScalingReplicaSet", message)
        return updated

    async def _annotate(self, deployment: Manifest, new: Manifest) -> Manifest:
        """
        Number the revisions; a former template that is used again keeps the progress of its predecessor.

        The number is written through the status, as in the real controller: it causes no new generation.
        """
        latest = max(_revision(one) for one in self._replica_sets.owned_by(deployment["metadata"]["uid"]))
        if _revision(new) < latest:  # a former template is used again
            patch = {"metadata": {"annotations": {ANNOTATION_REVISION: str(latest + 1)}}}
            new = await self._api.patch(REPLICA_SETS, namespace_of(new), name_of(new), patch)
            self._replica_sets.observe(new)
        if _revision(deployment) == _revision(new):
            return deployment
        updated = clone(deployment)
        updated["metadata"].setdefault("annotations", {})[ANNOTATION_REVISION] = str(_revision(new))
        updated = await self._api.update(DEPLOYMENTS, updated, subresource="status")
        self._deployments.observe(updated)
        return updated

    def _restart_progress(self, deployment: Manifest) -> Manifest:
        """Return the deployment with a restarted progress, until a status write has succeeded."""
        message = self._started.get(key_of(deployment))
        if message is None:
            return deployment
        deployment = clone(deployment)
        status = deployment["status"] = deployment.get("status") or {}
        status["conditions"] = [one for one in status.get("conditions") or [] if one["type"] != "Progressing"]
        set_condition(status, "Progressing", "True", NEW_CREATED, message)
        return deployment

    async def _trim_history(self, deployment: Manifest, new: Manifest, every: list[Manifest]) -> None:
        keep = int(dig(deployment, "spec", "revisionHistoryLimit", default=10))
        idle = [
            one
            for one in every
            if one is not new
            and rolling.spec_replicas(one) == 0
            and not dig(one, "status", "replicas", default=0)
            and "deletionTimestamp" not in one["metadata"]
        ]
        for one in sorted(idle, key=_revision)[: max(0, len(idle) - keep)]:
            await self._api.delete(REPLICA_SETS, namespace_of(one), name_of(one))

    async def _write_status(self, deployment: Manifest, new: Manifest | None, every: list[Manifest]) -> None:
        time = datetime.now(UTC)
        status = next_status(deployment, new, every, time)
        stored = self._deployments.get(*key_of(deployment))
        current = deployment
        if stored is not None and status != (stored.get("status") or {}):
            current = await self._api.update(
                DEPLOYMENTS, deployment | {"status": status}, subresource="status"
            )
            self._deployments.observe(current)
        self._started.pop(key_of(deployment), None)
        wait = seconds_to_deadline(current, time)
        if wait is not None:
            self.queue.add(key_of(deployment), max(wait, 0.0) + 1.0)


def _template_hash(deployment: Manifest) -> str:
    return short_hash(deployment["spec"]["template"])


def _replica_annotations(deployment: Manifest) -> dict[str, str]:
    wanted = rolling.wanted_replicas(deployment)
    surge, _ = rolling.limits(deployment)
    return {ANNOTATION_DESIRED: str(wanted), ANNOTATION_MAXIMUM: str(wanted + surge)}


def _revision(manifest: Manifest) -> int:
    return int(dig(manifest, "metadata", "annotations", ANNOTATION_REVISION, default=0))
