"""The CustomResourceDefinition of SeldonDeployments, rendered from the types that the server validates with.

Purpose: clients check whether the definition exists, ``kubectl explain`` shows its fields, and a real API
server can be given the same definition (:func:`definition` is complete and structural).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import cache
from typing import Any

from airflow_provider_seldon.local.apiserver.objects.seldon_types import seldon_deployment
from airflow_provider_seldon.local.apiserver.objects.structural import Field, Type
from airflow_provider_seldon.local.apiserver.protocol.resources import BY_PLURAL, ResourceType

Manifest = dict[str, Any]

CUSTOM = BY_PLURAL["seldondeployments"]
DEFINITIONS: ResourceType = BY_PLURAL["customresourcedefinitions"]
NAME = CUSTOM.qualified

_SCALARS: Mapping[str, Mapping[str, Any]] = {
    "str": {"type": "string"},
    "int": {"type": "integer", "format": "int32"},
    "long": {"type": "integer", "format": "int64"},
    "num": {"type": "number"},
    "bool": {"type": "boolean"},
    "any": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    "quantity": {
        "anyOf": [{"type": "integer"}, {"type": "string"}],
        "x-kubernetes-int-or-string": True,
        "pattern": (
            r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|"
            r"([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$"
        ),
    },
    "port": {"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": True},
}


def open_api_schema(schema: Type) -> Manifest:
    """Return a type as an OpenAPI v3 schema."""
    if schema.kind == "struct":
        rendered: Manifest = {
            "type": "object",
            "properties": {name: _field(known) for name, known in schema.fields.items()},
        }
        required = [name for name, known in schema.fields.items() if known.required]
        return rendered | ({"required": required} if required else {})
    if schema.element is None:
        return copy.deepcopy(dict(_SCALARS[schema.kind]))
    if schema.kind == "map":
        return {"type": "object", "additionalProperties": open_api_schema(schema.element)}
    rendered = {"type": "array", "items": open_api_schema(schema.element)}
    if schema.keys:
        rendered |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(schema.keys)}
    return rendered


def _field(known: Field) -> Manifest:
    rendered = open_api_schema(known.type)
    if known.nullable:
        rendered["nullable"] = True
    if known.default is not None:
        rendered["default"] = known.default
    return rendered


@cache
def _schema() -> Manifest:
    schema = open_api_schema(seldon_deployment())
    schema["properties"]["metadata"] = {"type": "object"}
    return schema


def definition() -> Manifest:
    """Return the definition in the form that is applied to a cluster."""
    return {
        "apiVersion": DEFINITIONS.api_version,
        "kind": DEFINITIONS.kind,
        "metadata": {"name": NAME},
        "spec": {
            "group": CUSTOM.group,
            "scope": "Namespaced",
            "names": _names(),
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": version == CUSTOM.versions[0],
                    "schema": {"openAPIV3Schema": _schema()},
                    "subresources": {
                        "status": {},
                        "scale": {
                            "specReplicasPath": ".spec.replicas",
                            "statusReplicasPath": ".status.replicas",
                        },
                    },
                }
                for version in CUSTOM.versions
            ],
            "conversion": {"strategy": "None"},
        },
    }


def established(now: str) -> Manifest:
    """
    Return the status of an established definition.

    :param now: Time since which it is established, RFC 3339.
    """
    return {
        "acceptedNames": _names(),
        "storedVersions": [CUSTOM.versions[0]],
        "conditions": [
            {
                "type": kind,
                "status": "True",
                "reason": reason,
                "message": message,
                "lastTransitionTime": now,
            }
            for kind, reason, message in (
                ("NamesAccepted", "NoConflicts", "no conflicts found"),
                ("Established", "InitialNamesAccepted", "the initial names have been accepted"),
            )
        ],
    }


def _names() -> Manifest:
    return {
        "kind": CUSTOM.kind,
        "listKind": f"{CUSTOM.kind}List",
        "plural": CUSTOM.plural,
        "singular": CUSTOM.singular,
        "shortNames": list(CUSTOM.short_names),
    }


def kind_schema(version: str) -> Manifest:
    """Return the OpenAPI component of the kind in one version, marked with its group, version and kind."""
    schema = dict(_schema())
    schema["x-kubernetes-group-version-kind"] = [
        {"group": CUSTOM.group, "kind": CUSTOM.kind, "version": version}
    ]
    return schema
