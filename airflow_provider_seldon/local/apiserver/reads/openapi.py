"""OpenAPI v3 documents: enough for ``kubectl`` to use the server's field validation.

Purpose: one document per group and version with the paths, verbs and group-version-kinds of its resources. Schemas
of built-in kinds are not described. The older ``/openapi/v2`` is not served: clients request it as protobuf.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow_provider_seldon.local.apiserver.objects import crd
from airflow_provider_seldon.local.apiserver.objects.store import Manifest
from airflow_provider_seldon.local.apiserver.protocol.resources import ResourceType
from airflow_provider_seldon.local.apiserver.reads.discovery import group_versions

_ROOT = "/openapi/v3"
_METHODS = {"get": "get", "update": "put", "patch": "patch", "delete": "delete"}
_COLLECTION_METHODS = {"list": "get", "create": "post", "deletecollection": "delete"}
_ACTIONS = {"update": "put", "create": "post"}
_WRITES = ("post", "put", "patch")


def document(path: str, served: Sequence[ResourceType]) -> Manifest | None:
    """
    Return the OpenAPI document at a path, or ``None``.

    :param served: The resources that are served.
    """
    path = path.rstrip("/")
    versions = group_versions(served)
    if path == _ROOT:
        return {
            "paths": {where: {"serverRelativeURL": f"{_ROOT}/{where}"} for where in map(_where, versions)}
        }
    for group, version in versions:
        if path == f"{_ROOT}/{_where((group, version))}":
            return _document(group, version, served)
    return None


def _where(group_version: tuple[str, str]) -> str:
    group, version = group_version
    return f"apis/{group}/{version}" if group else f"api/{version}"


def _document(group: str, version: str, served: Sequence[ResourceType]) -> Manifest:
    paths: dict[str, Any] = {}
    for resource in served:
        if resource.group == group and version in resource.versions:
            scope = "/namespaces/{namespace}" if resource.namespaced else ""
            collection = f"/{_where((group, version))}{scope}/{resource.plural}"
            paths[collection] = _operations(resource, version, _COLLECTION_METHODS)
            paths[f"{collection}/{{name}}"] = _operations(resource, version, _METHODS)
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": version},
        "paths": paths,
        "components": {"schemas": _schemas(group, version)},
    }


def _schemas(group: str, version: str) -> Manifest:
    if group != crd.CUSTOM.group:
        return {}
    return {f"io.seldon.machinelearning.{version}.{crd.CUSTOM.kind}": crd.kind_schema(version)}


def _operations(resource: ResourceType, version: str, methods: dict[str, str]) -> Manifest:
    return {
        method: {
            "operationId": f"{verb}{resource.kind}{version}",
            "x-kubernetes-action": _ACTIONS.get(verb, verb),
            "x-kubernetes-group-version-kind": {
                "group": resource.group,
                "version": version,
                "kind": resource.kind,
            },
            "parameters": [_parameter(name) for name in ("dryRun", "fieldManager", "fieldValidation")]
            if method in _WRITES
            else [],
            "responses": {"200": {"description": "OK"}},
        }
        for verb, method in methods.items()
        if verb in resource.verbs
    }


def _parameter(name: str) -> Manifest:
    return {"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}}
