"""The binding subresource of pods: a scheduler uses it to set a pod's node, which no update may change."""

from __future__ import annotations

from airflow_provider_seldon.local.apiserver.objects import metadata
from airflow_provider_seldon.local.apiserver.objects.store import Manifest, Store
from airflow_provider_seldon.local.apiserver.protocol import bodies, status
from airflow_provider_seldon.local.apiserver.protocol.request import RequestInfo
from airflow_provider_seldon.local.apiserver.writes.commit import Outcome


def bind(store: Store, info: RequestInfo, raw: bytes) -> Outcome:
    """
    Handle POST of a ``v1.Binding``.

    :raises StatusError: 404 without the pod, 409 if it already has a node, 422 without a target.
    """
    body = bodies.decode(raw, info.content_type)
    target = body.get("target") if isinstance(body, dict) else None
    node = target.get("name") if isinstance(target, dict) else None
    if not node:
        causes = [metadata.required("target.name")]
        raise status.invalid(group="", kind="Binding", name=info.name, causes=causes)
    pod = store.get(info.resource, info.namespace, info.name)
    if pod is None:
        raise info.not_found()
    spec = pod.manifest.get("spec") or {}
    if spec.get("nodeName"):
        why = f'pod {info.name} is already assigned to node "{spec["nodeName"]}"'
        raise status.conflict(group="", resource="pods/binding", name=info.name, why=why)
    bound: Manifest = pod.manifest | {"metadata": dict(pod.metadata), "spec": spec | {"nodeName": node}}
    bound["status"] = _scheduled(pod.manifest.get("status") or {})
    store.put(info.resource, bound)
    return Outcome(code=201, manifest=status.success() | {"code": 201})


def _scheduled(state: Manifest) -> Manifest:
    others = [one for one in state.get("conditions") or [] if one["type"] != "PodScheduled"]
    entry = {"type": "PodScheduled", "status": "True"}
    times = {"lastProbeTime": None, "lastTransitionTime": metadata.now()}
    return state | {"conditions": [*others, entry | times]}
