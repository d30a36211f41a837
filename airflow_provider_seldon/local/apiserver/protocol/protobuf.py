"""Bodies in protobuf, as ``kubectl create`` and ``kubectl auth`` of 1.32 and later send them for built-in kinds.

Purpose: decode just enough of the Kubernetes protobuf encoding ("Kubernetes Protobuf encoding", API concepts)
for the commands that no longer send JSON: reviews, and the creation of namespaces, secrets, config
maps, service accounts, services, deployments and pods. Responses stay JSON, which these clients accept as
well. An unknown field is refused rather than lost.

Notation, one text per message: ``<number>:<name>:<type>``. Types are ``str``, ``bytes`` (to base64), ``int`` and
``bool`` (zero means absent; with ``!`` it does not), ``port`` (number or string), ``-`` (skipped), ``[type]``,
``{type}`` for a map with text keys, or the name of another message.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from airflow_provider_seldon.local.apiserver.protocol import status

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"

_MAGIC = b"k8s\x00"
_SELECTOR = "1:matchLabels:{str}"
_MESSAGES: Mapping[str, str] = {
    "Unknown": "1:typeMeta:TypeMeta 2:raw:bytes 3:contentEncoding:str 4:contentType:str",
    "TypeMeta": "1:apiVersion:str 2:kind:str",
    "ObjectMeta": """
        1:name:str 2:generateName:str 3:namespace:str 4:selfLink:str 5:uid:str 6:resourceVersion:str
        7:generation:int 8:creationTimestamp:- 9:deletionTimestamp:- 10:deletionGracePeriodSeconds:int
        11:labels:{str} 12:annotations:{str} 13:ownerReferences:[OwnerReference] 14:finalizers:[str]
        """,
    "OwnerReference": """
        1:kind:str 3:name:str 4:uid:str 5:apiVersion:str 6:controller:bool! 7:blockOwnerDeletion:bool!
        """,
    "DeleteOptions": """
        1:gracePeriodSeconds:int! 2:preconditions:Preconditions 3:orphanDependents:bool! 4:propagationPolicy:str
        5:dryRun:[str]
        """,
    "Preconditions": "1:uid:str 2:resourceVersion:str",
    "Namespace": "1:metadata:ObjectMeta 2:spec:NamespaceSpec 3:status:-",
    "NamespaceSpec": "1:finalizers:[str]",
    "Secret": "1:metadata:ObjectMeta 2:data:{bytes} 3:type:str 4:stringData:{str} 5:immutable:bool!",
    "ConfigMap": "1:metadata:ObjectMeta 2:data:{str} 3:binaryData:{bytes} 4:immutable:bool!",
    "ServiceAccount": """
        1:metadata:ObjectMeta 2:secrets:[LocalObjectReference] 3:imagePullSecrets:[LocalObjectReference]
        4:automountServiceAccountToken:bool!
        """,
    "LocalObjectReference": "1:name:str",
    "Service": "1:metadata:ObjectMeta 2:spec:ServiceSpec 3:status:-",
    "ServiceSpec": """
        1:ports:[ServicePort] 2:selector:{str} 3:clusterIP:str 4:type:str 5:externalIPs:[str] 7:sessionAffinity:str
        8:loadBalancerIP:str 10:externalName:str 11:externalTrafficPolicy:str 12:healthCheckNodePort:int
        13:publishNotReadyAddresses:bool 17:ipFamilyPolicy:str 18:clusterIPs:[str] 19:ipFamilies:[str]
        22:internalTrafficPolicy:str
        """,
    "ServicePort": "1:name:str 2:protocol:str 3:port:int 4:targetPort:port 5:nodePort:int 6:appProtocol:str",
    "Deployment": "1:metadata:ObjectMeta 2:spec:DeploymentSpec 3:status:-",
    "DeploymentSpec": """
        1:replicas:int! 2:selector:LabelSelector 3:template:PodTemplateSpec 4:strategy:DeploymentStrategy
        5:minReadySeconds:int 6:revisionHistoryLimit:int! 7:paused:bool 9:progressDeadlineSeconds:int!
        """,
    "DeploymentStrategy": "1:type:str 2:rollingUpdate:RollingUpdate",
    "RollingUpdate": "1:maxUnavailable:port 2:maxSurge:port",
    "LabelSelector": _SELECTOR,
    "PodTemplateSpec": "1:metadata:ObjectMeta 2:spec:PodSpec",
    "Pod": "1:metadata:ObjectMeta 2:spec:PodSpec 3:status:-",
    "PodSpec": """
        2:containers:[Container] 20:initContainers:[Container] 3:restartPolicy:str
        4:terminationGracePeriodSeconds:int! 6:dnsPolicy:str 7:nodeSelector:{str} 8:serviceAccountName:str
        9:serviceAccount:str 10:nodeName:str 11:hostNetwork:bool 12:hostPID:bool 13:hostIPC:bool
        14:securityContext:Empty 15:imagePullSecrets:[LocalObjectReference] 16:hostname:str 17:subdomain:str
        19:schedulerName:str 24:priorityClassName:str
        """,
    "Empty": "",
    "Container": """
        1:name:str 2:image:str 3:command:[str] 4:args:[str] 5:workingDir:str 6:ports:[ContainerPort] 7:env:[EnvVar]
        8:resources:Empty 13:terminationMessagePath:str 14:imagePullPolicy:str 16:stdin:bool 17:stdinOnce:bool
        18:tty:bool 20:terminationMessagePolicy:str
        """,
    "ContainerPort": "1:name:str 2:hostPort:int 3:containerPort:int 4:protocol:str 5:hostIP:str",
    "EnvVar": "1:name:str 2:value:str",
    "IntOrString": "1:type:int! 2:intVal:int! 3:strVal:str",
    "SelfSubjectAccessReview": "1:metadata:ObjectMeta 2:spec:AccessSpec 3:status:-",
    "AccessSpec": "1:resourceAttributes:ResourceAttributes 2:nonResourceAttributes:NonResourceAttributes",
    "ResourceAttributes": """
        1:namespace:str 2:verb:str 3:group:str 4:version:str 5:resource:str 6:subresource:str 7:name:str
        """,
    "NonResourceAttributes": "1:path:str 2:verb:str",
    "SelfSubjectRulesReview": "1:metadata:ObjectMeta 2:spec:RulesSpec 3:status:-",
    "RulesSpec": "1:namespace:str",
    "SelfSubjectReview": "1:metadata:ObjectMeta 2:status:-",
}


@cache
def _fields(message: str) -> Mapping[int, tuple[str, str]]:
    fields = {}
    for entry in _MESSAGES[message].split():
        number, name, notation = entry.split(":", 2)
        fields[int(number)] = (name, notation)
    return fields


def decode(raw: bytes) -> dict[str, Any]:
    """
    Return the object of a protobuf body as JSON data.

    :raises StatusError: 400 for a body that is not such a message, 415 for a kind or field that is not
        described here.
    """
    if not raw.startswith(_MAGIC):
        raise status.bad_request(
            "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]"
        )
    try:
        envelope = _message("Unknown", raw[len(_MAGIC) :])
        head = envelope.get("typeMeta") or {}
        kind = head.get("kind", "")
        if kind not in _MESSAGES:
            raise _unsupported(f"kind {kind}")
        body = _message(kind, base64.b64decode(envelope.get("raw", "")))
    except (IndexError, UnicodeDecodeError) as error:
        raise status.bad_request(f"the protobuf message cannot be decoded: {error}") from None
    return {"apiVersion": head.get("apiVersion", ""), "kind": kind} | body


def _unsupported(what: str) -> status.StatusError:
    return status.StatusError(
        code=415,
        reason="UnsupportedMediaType",
        message=f"{what} is not supported in protobuf here; send application/json",
    )


def _message(name: str, data: bytes) -> dict[str, Any]:
    described = _fields(name)
    decoded: dict[str, Any] = {}
    for number, value in _entries(data):
        if number not in described:
            raise _unsupported(f"field {number} of {name}")
        field, notation = described[number]
        if notation.startswith("["):
            decoded.setdefault(field, []).append(_value(notation[1:-1], value))
        elif notation.startswith("{"):
            pair = dict(_entries(_bytes(value)))
            decoded.setdefault(field, {})[_bytes(pair.get(1, b"")).decode()] = _value(
                notation[1:-1], pair.get(2, b"")
            )
        elif notation != "-" and (notation.endswith("!") or value):
            decoded[field] = _value(notation.rstrip("!"), value)
    return decoded


def _value(notation: str, value: bytes | int) -> Any:
    if notation == "str":
        return _bytes(value).decode()
    if notation == "bytes":
        return base64.b64encode(_bytes(value)).decode()
    if notation == "bool":
        return bool(value)
    if notation == "int":
        number = int(value) if isinstance(value, int) else 0
        return number - (1 << 64) if number >> 63 else number
    if notation == "port":
        choice = _message("IntOrString", _bytes(value))
        return choice.get("strVal", "") if choice.get("type") else choice.get("intVal", 0)
    return _message(notation, _bytes(value))


def _bytes(value: bytes | int) -> bytes:
    return value if isinstance(value, bytes) else b""


def _entries(data: bytes) -> Iterator[tuple[int, bytes | int]]:
    """Yield (field number, value) of a message's wire format."""
    position = 0
    while position < len(data):
        key, position = _varint(data, position)
        wire = key & 7
        if wire == 0:
            number, position = _varint(data, position)
            yield key >> 3, number
        elif wire == 2:
            length, position = _varint(data, position)
            if position + length > len(data):
                raise IndexError("a field is cut off")
            yield key >> 3, data[position : position + length]
            position += length
        else:
            raise IndexError(f"wire type {wire} is not used by Kubernetes")


def _varint(data: bytes, position: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[position]
        number |= (byte & 0x7F) << shift
        position += 1
        if not byte & 0x80:
            return number, position
        shift += 7
