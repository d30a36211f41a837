"""How values merge: which maps and lists of an object are atomic, and which keys identify list items.

Purpose: the merge strategy markers of the Kubernetes API (``x-kubernetes-list-type``, ``-list-map-keys``,
``-map-type``, "Server-Side Apply, Merge strategy") for the kinds served here, as data. Strategic merge patch,
server side apply and field ownership read the same table. Everything else follows the defaults: objects are
granular, lists are replaced as a whole. This also applies to SeldonDeployments, whose definition marks no
list: ``spec.predictors`` is one value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from airflow_provider_seldon.local.apiserver.protocol.resources import ResourceType


@dataclass(frozen=True, kw_only=True)
class Relation:
    """
    How the parts of one value relate.

    :param granular: Whether parts are merged and owned one by one; otherwise the value is one leaf.
    :param open_map: A map of free keys (labels), as opposed to the named fields of a structure.
    :param keys: For lists of objects: the fields that identify an item.
    :param defaults: Values of missing key fields.
    :param is_set: For lists of scalars: the value itself identifies an item.
    :param atomic_items: Whether each item of a keyed list is one leaf.
    """

    granular: bool = True
    open_map: bool = False
    keys: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict)
    is_set: bool = False
    atomic_items: bool = False


STRUCTURE = Relation()
MAP = Relation(open_map=True)
ATOMIC = Relation(granular=False)
SET = Relation(is_set=True)


def _keyed(*keys: str, **defaults: Any) -> Relation:
    return Relation(keys=keys, defaults=MappingProxyType(defaults))


_OBJECT_META: Mapping[str, Relation] = {
    "labels": MAP,
    "annotations": MAP,
    "ownerReferences": Relation(keys=("uid",), atomic_items=True),
    "finalizers": SET,
    "managedFields": ATOMIC,
}
_CONTAINER: Mapping[str, Relation] = {
    "": _keyed("name"),
    "env": _keyed("name"),
    "env.valueFrom.secretKeyRef": ATOMIC,
    "env.valueFrom.configMapKeyRef": ATOMIC,
    "env.valueFrom.fieldRef": ATOMIC,
    "env.valueFrom.resourceFieldRef": ATOMIC,
    "ports": _keyed("containerPort", "protocol", protocol="TCP"),
    "volumeMounts": _keyed("mountPath"),
    "volumeDevices": _keyed("devicePath"),
    "resources.limits": MAP,
    "resources.requests": MAP,
    "resources.claims": _keyed("name"),
}
_POD_SPEC: Mapping[str, Relation] = {
    "volumes": _keyed("name"),
    "imagePullSecrets": Relation(keys=("name",), atomic_items=True),
    "hostAliases": _keyed("ip"),
    "topologySpreadConstraints": _keyed("topologyKey", "whenUnsatisfiable"),
    "topologySpreadConstraints.labelSelector": ATOMIC,
    "nodeSelector": ATOMIC,
    "resourceClaims": _keyed("name"),
    "schedulingGates": _keyed("name"),
    "overhead": MAP,
    "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution": ATOMIC,
}


def _under(prefix: str, relations: Mapping[str, Relation]) -> dict[str, Relation]:
    return {f"{prefix}.{path}".rstrip("."): relation for path, relation in relations.items()}


def _pod_spec(prefix: str) -> dict[str, Relation]:
    relations = _under(prefix, _POD_SPEC)
    for name in ("containers", "initContainers", "ephemeralContainers"):
        relations |= _under(f"{prefix}.{name}", _CONTAINER)
    return relations


def _pod_template(prefix: str) -> dict[str, Relation]:
    return _under(f"{prefix}.metadata", _OBJECT_META) | _pod_spec(f"{prefix}.spec")


_CONDITIONS = {"status.conditions": _keyed("type")}
_WORKLOAD = _pod_template("spec.template") | _CONDITIONS | {"spec.selector": ATOMIC}

_BY_RESOURCE: Mapping[str, Mapping[str, Relation]] = {
    "namespaces": _CONDITIONS,
    "pods": _pod_spec("spec") | _CONDITIONS | {"status.podIPs": _keyed("ip")},
    "services": _CONDITIONS
    | {"spec.selector": ATOMIC, "spec.ports": _keyed("port", "protocol", protocol="TCP")},
    "secrets": {"data": MAP, "stringData": MAP},
    "configmaps": {"data": MAP, "binaryData": MAP},
    "serviceaccounts": {"secrets": _keyed("name")},
    "events": {"involvedObject": ATOMIC, "related": ATOMIC},
    "deployments.apps": _WORKLOAD,
    "replicasets.apps": _WORKLOAD,
    "seldondeployments.machinelearning.seldon.io": {
        "spec.annotations": MAP,
        "status.annotations": MAP,
        "status.deploymentStatus": MAP,
        "status.serviceStatus": MAP,
    },
}

# A new typed object of the server is not empty: structures that are not optional are always there.
_BLANK: Mapping[str, Mapping[str, Any]] = {
    "namespaces": {"spec": {}, "status": {}},
    "pods": {"spec": {"containers": None}, "status": {}},
    "services": {"spec": {}, "status": {"loadBalancer": {}}},
    "events": {"involvedObject": {}, "source": {}, "reportingComponent": "", "reportingInstance": ""},
    "deployments.apps": {
        "spec": {
            "selector": None,
            "template": {"metadata": {}, "spec": {"containers": None}},
            "strategy": {},
        },
        "status": {},
    },
    "replicasets.apps": {
        "spec": {"selector": None, "template": {"metadata": {}, "spec": {"containers": None}}},
        "status": {"replicas": 0},
    },
}


class MergeSchema:
    """
    The relations of one resource type.

    :param relations: Relation by path; paths are field names joined by dots, list items are passed through.
    :param blank: The object that a creation is compared with.
    """

    def __init__(self, relations: Mapping[str, Relation], blank: Mapping[str, Any]) -> None:
        self._relations = dict(relations)
        self.blank = blank

    def relation(self, path: str, value: Any) -> Relation:
        """Return the relation of the parts of ``value`` at ``path``."""
        found = self._relations.get(path)
        if found is not None:
            return found
        return STRUCTURE if isinstance(value, Mapping) else ATOMIC

    def is_open_map(self, path: str) -> bool:
        """Return whether the keys at ``path`` are free, not named fields."""
        found = self._relations.get(path)
        return found is not None and found.open_map


def _build(names: Iterable[str]) -> dict[str, MergeSchema]:
    metadata = _under("metadata", _OBJECT_META)
    return {
        name: MergeSchema(
            {**metadata, **_BY_RESOURCE.get(name, {})}, {"metadata": {}, **_BLANK.get(name, {})}
        )
        for name in names
    }


_SCHEMAS = _build(_BY_RESOURCE)
_PLAIN = MergeSchema(_under("metadata", _OBJECT_META), {"metadata": {}})


def schema_of(resource: ResourceType) -> MergeSchema:
    """Return the merge schema of a resource type."""
    return _SCHEMAS.get(resource.qualified, _PLAIN)
