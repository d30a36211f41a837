"""The ReplicaSet controller: it keeps the desired number of pods of one template.

Source: Kubernetes documentation, "ReplicaSet". Pods that cannot be created (a quota, an admission rule)
appear as ``FailedCreate`` events and as the condition ``ReplicaFailure``.
"""

from __future__ import annotations

from airflow_provider_seldon.local.client.api_client import ApiClient
from airflow_provider_seldon.local.client.errors import ApiError
from airflow_provider_seldon.local.client.kinds import PODS, REPLICA_SETS, Manifest
from airflow_provider_seldon.local.controllers.informer import Informer, Key
from airflow_provider_seldon.local.controllers.manifests import (
    clone,
    condition,
    controller_of,
    dig,
    key_of,
    name_of,
    namespace_of,
    now,
    owner_reference,
)
from airflow_provider_seldon.local.controllers.queue import Retry, WorkQueue
from airflow_provider_seldon.local.controllers.recorder import Recorder

_RETRY_SECONDS = 1.0
#: Maximum number of pods of one ReplicaSet, like a quota: a node's default (Kubernetes documentation,
#: "maxPods").
MAX_PODS = 110


class ReplicaSetController:
    """Creates and deletes pods.

    :param api: client for writes
    :param replica_sets: cache of ReplicaSets
    :param pods: cache of pods
    :param recorder: writes events
    """

    def __init__(self, *, api: ApiClient, replica_sets: Informer, pods: Informer, recorder: Recorder) -> None:
        self._api = api
        self._replica_sets = replica_sets
        self._pods = pods
        self._recorder = recorder
        self.queue = WorkQueue(name="replica set controller", work=self._sync, workers=4)
        replica_sets.subscribe(self._on_replica_set)
        pods.subscribe(self._on_pod)

    def _on_replica_set(self, old: Manifest | None, new: Manifest | None) -> None:
        if new is not None:
            self.queue.add(key_of(new))

    def _on_pod(self, old: Manifest | None, new: Manifest | None) -> None:
        manifest = new or old
        owner = controller_of(manifest) if manifest is not None else None
        if manifest is not None and owner is not None and owner["kind"] == REPLICA_SETS.kind:
            self.queue.add((namespace_of(manifest), owner["name"]))

    async def _sync(self, key: Key) -> None:
        replica_set = self._replica_sets.get(*key)
        if replica_set is None:
            return
        failure: ApiError | None = None
        if "deletionTimestamp" not in replica_set["metadata"]:
            try:
                await self._scale(replica_set)
            except ApiError as error:
                if error.not_found:  # the namespace or the owner is being deleted
                    return
                failure = error
                self._recorder.warning(replica_set, "FailedCreate", f"Error creating: {error}")
        await self._write_status(replica_set, failure)
        if failure is not None:
            raise Retry(_RETRY_SECONDS)

    async def _scale(self, replica_set: Manifest) -> None:
        pods = self._active(replica_set)
        wanted = int(dig(replica_set, "spec", "replicas", default=1))
        missing = min(wanted, MAX_PODS) - len(pods)
        for _ in range(missing):
            created = await self._api.create(PODS, _pod(replica_set))
            self._pods.observe(created)
            self._recorder.normal(replica_set, "SuccessfulCreate", f"Created pod: {name_of(created)}")
        if missing < 0:
            for pod in sorted(pods, key=_importance)[:-missing]:
                await self._api.delete(PODS, namespace_of(pod), name_of(pod), uid=pod["metadata"]["uid"])
                self._pods.expect_deletion(*key_of(pod))
                self._recorder.normal(replica_set, "SuccessfulDelete", f"Deleted pod: {name_of(pod)}")
        if wanted > MAX_PODS:
            raise ApiError(
                status=403,
                reason="Forbidden",
                message=f'pods "{name_of(replica_set)}-" is forbidden: exceeded quota: seldon-local, '
                f"requested: pods=1, used: pods={MAX_PODS}, limited: pods={MAX_PODS}",
            )

    def _active(self, replica_set: Manifest) -> list[Manifest]:
        return [
            pod
            for pod in self._pods.owned_by(replica_set["metadata"]["uid"])
            if "deletionTimestamp" not in pod["metadata"]
            and dig(pod, "status", "phase") not in ("Succeeded", "Failed")
        ]

    async def _write_status(self, replica_set: Manifest, failure: ApiError | None) -> None:
        pods = self._active(replica_set)
        ready = sum(is_ready(pod) for pod in pods)
        counts = {"replicas": len(pods), "fullyLabeledReplicas": len(pods)}
        counts |= {"readyReplicas": ready, "availableReplicas": ready}
        status: Manifest = {key: value for key, value in counts.items() if value or key == "replicas"}
        status["observedGeneration"] = int(replica_set["metadata"].get("generation", 0))
        if failure is not None:
            known = condition(replica_set.get("status"), "ReplicaFailure")
            entry = {
                "type": "ReplicaFailure",
                "status": "True",
                "reason": "FailedCreate",
                "message": str(failure),
                "lastTransitionTime": (known or {}).get("lastTransitionTime") or now(),
            }
            status["conditions"] = [entry]
        if status != (replica_set.get("status") or {}):
            updated = await self._api.update(
                REPLICA_SETS, clone(replica_set) | {"status": status}, subresource="status"
            )
            self._replica_sets.observe(updated)


def is_ready(pod: Manifest) -> bool:
    """Whether a pod's ``Ready`` condition is true."""
    entry = condition(pod.get("status"), "Ready")
    return entry is not None and entry["status"] == "True"


def _pod(replica_set: Manifest) -> Manifest:
    template = clone(replica_set["spec"]["template"])
    metadata = template.get("metadata") or {}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": f"{name_of(replica_set)}-",
            "namespace": namespace_of(replica_set),
            "labels": metadata.get("labels") or {},
            "annotations": metadata.get("annotations") or {},
            "ownerReferences": [owner_reference(replica_set)],
        },
        "spec": template["spec"],
    }


def _importance(pod: Manifest) -> tuple[bool, bool, str]:
    """Order of deletion: first pods that do not run, then those that are not ready, the newest ones last."""
    running = dig(pod, "status", "phase") == "Running"
    return running, is_ready(pod), str(pod["metadata"].get("creationTimestamp", ""))
