"""Defaults of built-in kinds, set when an object is written.

Purpose: what the server adds to Deployments, ReplicaSets, Pods, Services, Secrets and Events, so that a
client that compares its request with the stored object finds the same differences as on a cluster. Source:
Kubernetes API reference. SeldonDeployments get their defaults from their schema.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider_seldon.local.apiserver.protocol.quantities import canonical, canonical_amount
from airflow_provider_seldon.local.apiserver.protocol.resources import ResourceType

Manifest = dict[str, Any]

_FILE_MODE = 0o644
_MODED_VOLUMES = ("secret", "configMap", "downwardAPI", "projected")
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")


_MAPS = frozenset(("labels", "annotations", "limits", "requests", "nodeSelector", "matchLabels", "overhead"))


def without_empty(value: Any) -> Any:
    """Return a copy without empty lists and maps, which typed objects do not keep."""
    if isinstance(value, dict):
        pairs = ((key, without_empty(child)) for key, child in value.items())
        return {
            key: child
            for key, child in pairs
            if child not in (None, []) and not (child == {} and key in _MAPS)
        }
    if isinstance(value, list):
        return [without_empty(item) for item in value]
    return value


def set_defaults(resource: ResourceType, manifest: Manifest) -> None:
    """Set the defaults of a built-in kind; ``manifest`` must not share its parts with a stored object."""
    setter = _SETTERS.get(resource.qualified)
    if setter is not None:
        setter(manifest)


def complete(resource: ResourceType, manifest: Manifest) -> None:
    """Set the fields of a new object from admission and the registry; no manager owns these fields."""
    completer = _COMPLETERS.get(resource.qualified)
    if completer is not None:
        completer(manifest)


def set_status_defaults(resource: ResourceType, manifest: Manifest) -> None:
    """Set the missing fields of a controller's status, which must not be shared with a stored object."""
    setter = _STATUS_SETTERS.get(resource.qualified)
    if setter is not None and isinstance(manifest.get("status"), dict):
        setter(manifest["status"])


def _fill(target: Manifest, values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        if target.get(key) is None:
            target[key] = value


def _part(target: Manifest, key: str) -> Manifest:
    value = target.get(key)
    if not isinstance(value, dict):
        value = target[key] = {}
    return value


def _objects(target: Manifest, key: str) -> list[Manifest]:
    return [item for item in target.get(key) or [] if isinstance(item, dict)]


def _deployment(manifest: Manifest) -> None:
    spec = _part(manifest, "spec")
    _fill(spec, {"replicas": 1, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600})
    strategy = _part(spec, "strategy")
    _fill(strategy, {"type": "RollingUpdate"})
    if strategy["type"] == "RollingUpdate":
        _fill(_part(strategy, "rollingUpdate"), {"maxUnavailable": "25%", "maxSurge": "25%"})
    _template(spec)


def _replica_set(manifest: Manifest) -> None:
    spec = _part(manifest, "spec")
    _fill(spec, {"replicas": 1})
    _template(spec)


def _template(spec: Manifest) -> None:
    template = _part(spec, "template")
    template.setdefault("metadata", {})
    _pod_spec(_part(template, "spec"))


def _pod(manifest: Manifest) -> None:
    spec = _part(manifest, "spec")
    _pod_spec(spec)
    _fill(spec, {"enableServiceLinks": True})
    for container in _objects(spec, "containers") + _objects(spec, "initContainers"):
        resources = _part(container, "resources")
        if resources.get("limits"):
            resources["requests"] = resources["limits"] | (resources.get("requests") or {})


def _pod_spec(spec: Manifest) -> None:
    _fill(
        spec,
        {
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 30,
            "dnsPolicy": "ClusterFirst",
            "securityContext": {},
            "schedulerName": "default-scheduler",
        },
    )
    account = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if account:
        _fill(spec, {"serviceAccountName": account, "serviceAccount": account})
    for container in _objects(spec, "containers") + _objects(spec, "initContainers"):
        _container(container)
    for volume in _objects(spec, "volumes"):
        _volume(volume)
        directory = volume.get("emptyDir")
        if isinstance(directory, dict) and "sizeLimit" in directory:
            directory["sizeLimit"] = canonical(directory["sizeLimit"])


def _canonical(resources: Any, bound: str) -> None:
    amounts = resources.get(bound) if isinstance(resources, dict) else None
    if isinstance(amounts, dict):
        resources[bound] = {name: canonical_amount(amount) for name, amount in amounts.items()}


def _container(container: Manifest) -> None:
    _fill(
        container,
        {
            "resources": {},
            "terminationMessagePath": "/dev/termination-log",
            "terminationMessagePolicy": "File",
            "imagePullPolicy": _pull_policy(str(container.get("image", ""))),
        },
    )
    for bound in ("limits", "requests"):
        _canonical(container.get("resources"), bound)
    for port in _objects(container, "ports"):
        _fill(port, {"protocol": "TCP"})
    for variable in _objects(container, "env"):
        reference = (variable.get("valueFrom") or {}).get("fieldRef")
        if isinstance(reference, dict):
            _fill(reference, {"apiVersion": "v1"})
    for name in _PROBES:
        probe = container.get(name)
        if isinstance(probe, dict):
            _fill(
                probe,
                {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3},
            )
            _http(probe)
    for handler in (container.get("lifecycle") or {}).values():
        if isinstance(handler, dict):
            _http(handler)


def _http(action: Manifest) -> None:
    if isinstance(action.get("httpGet"), dict):
        _fill(action["httpGet"], {"path": "/", "scheme": "HTTP"})


def _pull_policy(image: str) -> str:
    name = image.rpartition("/")[2]
    if "@" in name:
        return "IfNotPresent"
    tag = name.partition(":")[2]
    return "Always" if tag in ("", "latest") else "IfNotPresent"


def _volume(volume: Manifest) -> None:
    if not any(key != "name" for key in volume):
        volume["emptyDir"] = {}
    for kind in _MODED_VOLUMES:
        source = volume.get(kind)
        if not isinstance(source, dict):
            continue
        _fill(source, {"defaultMode": _FILE_MODE})
        for part in [source, *(p.get("downwardAPI") or {} for p in _objects(source, "sources"))]:
            for item in _objects(part, "items"):
                if isinstance(item.get("fieldRef"), dict):
                    _fill(item["fieldRef"], {"apiVersion": "v1"})


def _service(manifest: Manifest) -> None:
    spec = _part(manifest, "spec")
    _fill(spec, {"type": "ClusterIP", "sessionAffinity": "None"})
    for port in _objects(spec, "ports"):
        _fill(port, {"protocol": "TCP"})
        _fill(port, {"targetPort": port.get("port")})
    if spec["type"] != "ExternalName":
        _fill(spec, {"internalTrafficPolicy": "Cluster"})


def _complete_pod(manifest: Manifest) -> None:
    spec = _part(manifest, "spec")
    tolerations = [
        {"key": f"node.kubernetes.io/{why}", "operator": "Exists", "effect": "NoExecute"}
        | {"tolerationSeconds": 300}
        for why in ("not-ready", "unreachable")
    ]
    _fill(spec, {"priority": 0, "preemptionPolicy": "PreemptLowerPriority", "tolerations": tolerations})


def _complete_service(manifest: Manifest) -> None:
    spec = _part(manifest, "spec")
    if spec.get("type") == "ExternalName":
        return
    _fill(spec, {"ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack"})
    if spec.get("clusterIP"):
        _fill(spec, {"clusterIPs": [spec["clusterIP"]]})


def _secret(manifest: Manifest) -> None:
    _fill(manifest, {"type": "Opaque"})


def _complete_event(manifest: Manifest) -> None:
    _fill(manifest, {"source": {}, "reportingComponent": "", "reportingInstance": ""})
    for name in ("firstTimestamp", "lastTimestamp", "eventTime"):
        manifest.setdefault(name, None)


def _namespace(manifest: Manifest) -> None:
    metadata = manifest["metadata"]
    labels = dict(metadata.get("labels") or {})
    labels["kubernetes.io/metadata.name"] = metadata.get("name", "")
    metadata["labels"] = labels


def _complete_namespace(manifest: Manifest) -> None:
    _fill(_part(manifest, "spec"), {"finalizers": ["kubernetes"]})
    _fill(_part(manifest, "status"), {"phase": "Active"})


def _pod_status(state: Manifest) -> None:
    for condition in _objects(state, "conditions"):
        condition.setdefault("lastProbeTime", None)
        condition.setdefault("lastTransitionTime", None)
    if state.get("podIP"):
        _fill(state, {"podIPs": [{"ip": state["podIP"]}]})
    for container in _objects(state, "containerStatuses") + _objects(state, "initContainerStatuses"):
        _fill(container, {"lastState": {}, "state": {}})


def _deployment_status(state: Manifest) -> None:
    _drop_zeroes(state, keep=())
    for condition in _objects(state, "conditions"):
        condition.setdefault("lastUpdateTime", None)
        condition.setdefault("lastTransitionTime", None)


def _replica_set_status(state: Manifest) -> None:
    _drop_zeroes(state, keep=("replicas",))
    _fill(state, {"replicas": 0})


def _drop_zeroes(state: Manifest, *, keep: tuple[str, ...]) -> None:
    """Zero counts of a typed status are not written out."""
    for name in [name for name, value in state.items() if value == 0 and name not in keep]:
        del state[name]


_SETTERS: Mapping[str, Callable[[Manifest], None]] = {
    "deployments.apps": _deployment,
    "replicasets.apps": _replica_set,
    "pods": _pod,
    "services": _service,
    "secrets": _secret,
    "namespaces": _namespace,
}
_COMPLETERS: Mapping[str, Callable[[Manifest], None]] = {
    "pods": _complete_pod,
    "services": _complete_service,
    "events": _complete_event,
    "namespaces": _complete_namespace,
}
_STATUS_SETTERS: Mapping[str, Callable[[Manifest], None]] = {
    "pods": _pod_status,
    "deployments.apps": _deployment_status,
    "replicasets.apps": _replica_set_status,
}
