"""The top-level fields of built-in kinds, in the notation of ``structural.py``.

Purpose: catch a misspelt field of a Deployment, Service, Secret and so on as strictly as the real server.
This module does not check the content of a pod.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from airflow_provider_seldon.local.apiserver.objects.structural import Type, parse
from airflow_provider_seldon.local.apiserver.protocol.resources import ResourceType

_HEAD = "apiVersion:str kind:str metadata:any"
_TYPES: Mapping[str, str] = {
    "deployments.apps": f"{_HEAD} spec:DeploymentSpec status:any",
    "DeploymentSpec": """
        minReadySeconds:int paused:bool progressDeadlineSeconds:int replicas:int revisionHistoryLimit:int selector:any
        strategy:any template:Template
        """,
    "replicasets.apps": f"{_HEAD} spec:ReplicaSetSpec status:any",
    "ReplicaSetSpec": "minReadySeconds:int replicas:int selector:any template:Template",
    "Template": "metadata:any spec:any",
    "services": f"{_HEAD} spec:any status:any",
    "pods": f"{_HEAD} spec:any status:any",
    "secrets": f"{_HEAD} data:any immutable:bool stringData:{{str}} type:str",
    "configmaps": f"{_HEAD} binaryData:any data:{{str}} immutable:bool",
}


@cache
def _parsed() -> Mapping[str, Type]:
    return parse(_TYPES)


def builtin_type(resource: ResourceType) -> Type | None:
    """Return the type of a built-in kind, or ``None`` when its fields are not described."""
    return _parsed().get(resource.qualified)
