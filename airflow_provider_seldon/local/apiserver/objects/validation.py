"""Validation of built-in kinds, with the server's messages.

Purpose: the rules that a controller or a user of SeldonDeployments can violate: containers without name or
image, names that are not labels, selectors that do not match, immutable fields, Secrets that are not base64.
The real server has many more.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from airflow_provider_seldon.local.apiserver.objects import metadata
from airflow_provider_seldon.local.apiserver.objects.metadata import Causes, forbidden, invalid, required
from airflow_provider_seldon.local.apiserver.protocol import status
from airflow_provider_seldon.local.apiserver.protocol.resources import ResourceType

Manifest = Mapping[str, Any]

_CONFIG_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_CONFIG_KEY_TEXT = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or "
    "'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)
_DATA_LIMIT = 1024 * 1024
_IMMUTABLE = "field is immutable"
_VOLUME_NAMES: Mapping[str, str] = {
    "secret": "secretName",
    "configMap": "name",
    "persistentVolumeClaim": "claimName",
    "hostPath": "path",
}
_FROZEN = "field is immutable when `immutable` is set"
_POD_UPDATE = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


def validate(resource: ResourceType, new: Manifest, old: Manifest | None) -> Causes:
    """Return every broken rule of a built-in kind; ``old`` is the object before an update."""
    rule = _RULES.get(resource.qualified)
    return list(rule(new, old)) if rule is not None else []


def _duplicate(field: str, value: Any) -> dict[str, str]:
    return status.cause(reason="FieldValueDuplicate", message=f'Duplicate value: "{value}"', field=field)


def _not_negative(field: str, value: Any) -> Iterator[dict[str, str]]:
    if isinstance(value, int) and value < 0:
        yield invalid(field, value, "must be greater than or equal to 0")


def _workload(new: Manifest, old: Manifest | None) -> Iterator[dict[str, str]]:
    spec: Manifest = new.get("spec") or {}
    yield from _not_negative("spec.replicas", spec.get("replicas"))
    selector = spec.get("selector")
    wanted = (selector or {}).get("matchLabels") or {}
    if not selector:
        yield required("spec.selector")
    for value in wanted.values():
        for problem in metadata.label_value_problems(value):
            yield invalid("spec.selector.matchLabels", value, problem)
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    if not selector or any(labels.get(key) != value for key, value in wanted.items()):
        yield invalid(
            "spec.template.metadata.labels", labels or None, "`selector` does not match template `labels`"
        )
    yield from _pod_spec((spec.get("template") or {}).get("spec") or {}, "spec.template.spec")
    if old is not None and selector != (old.get("spec") or {}).get("selector"):
        yield invalid("spec.selector", selector, _IMMUTABLE)
    yield from _workload_status(new.get("status") or {})


def _workload_status(state: Manifest) -> Iterator[dict[str, str]]:
    for name in ("observedGeneration", "replicas", "updatedReplicas", "readyReplicas", "availableReplicas"):
        yield from _not_negative(f"status.{name}", state.get(name))
    total = state.get("replicas", 0)
    for name, text in (
        ("updatedReplicas", "cannot be greater than status.replicas"),
        ("readyReplicas", "cannot be greater than status.replicas"),
        ("availableReplicas", "cannot be greater than status.replicas"),
    ):
        if state.get(name, 0) > total:
            yield invalid(f"status.{name}", state[name], text)
    if state.get("availableReplicas", 0) > state.get("readyReplicas", 0):
        yield invalid(
            "status.availableReplicas", state["availableReplicas"], "cannot be greater than readyReplicas"
        )


def _pod(new: Manifest, old: Manifest | None) -> Iterator[dict[str, str]]:
    spec: Manifest = new.get("spec") or {}
    yield from _pod_spec(spec, "spec")
    if old is not None and _fixed_parts(spec) != _fixed_parts(old.get("spec") or {}):
        yield forbidden("spec", _POD_UPDATE)
    if old is not None:
        quality, before = ((one.get("status") or {}).get("qosClass") for one in (new, old))
        if quality != before:
            yield invalid("status.qosClass", quality, _IMMUTABLE)


def _fixed_parts(spec: Manifest) -> Manifest:
    fixed = {
        key: value
        for key, value in spec.items()
        if key not in ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds")
    }
    for kind in ("containers", "initContainers"):
        fixed[kind] = [
            {key: value for key, value in container.items() if key not in ("image", "imagePullPolicy")}
            for container in spec.get(kind) or []
        ]
    return fixed


def _pod_spec(spec: Manifest, path: str) -> Iterator[dict[str, str]]:
    yield from _volumes(spec.get("volumes") or [], f"{path}.volumes")
    volumes = {str(volume.get("name")) for volume in spec.get("volumes") or []}
    if not spec.get("containers"):
        yield required(f"{path}.containers")
    names: set[str] = set()
    for kind in ("initContainers", "containers"):
        for position, container in enumerate(spec.get(kind) or []):
            where = f"{path}.{kind}[{position}]"
            yield from _container(container, where, volumes)
            name = container.get("name")
            if name in names:
                yield _duplicate(f"{where}.name", name)
            names.add(name)


def _volumes(volumes: list[Manifest], path: str) -> Iterator[dict[str, str]]:
    for position, volume in enumerate(volumes):
        where = f"{path}[{position}]"
        if not volume.get("name"):
            yield required(f"{where}.name")
        for kind, field in _VOLUME_NAMES.items():
            source = volume.get(kind)
            if isinstance(source, dict) and not source.get(field):
                yield required(f"{where}.{kind}.{field}")


def _container(container: Manifest, where: str, volumes: set[str]) -> Iterator[dict[str, str]]:
    name = container.get("name") or ""
    if not name:
        yield required(f"{where}.name")
    else:
        for problem in metadata.label_problems(name):
            yield invalid(f"{where}.name", name, problem)
    if not container.get("image"):
        yield required(f"{where}.image")
    for position, mount in enumerate(container.get("volumeMounts") or []):
        if mount.get("name") not in volumes:
            yield status.cause(
                reason="FieldValueNotFound",
                message=f'Not found: "{mount.get("name")}"',
                field=f"{where}.volumeMounts[{position}].name",
            )


def _service(new: Manifest, old: Manifest | None) -> Iterator[dict[str, str]]:
    spec: Manifest = new.get("spec") or {}
    ports = spec.get("ports") or []
    if not ports and spec.get("clusterIP") != "None" and spec.get("type") != "ExternalName":
        yield required("spec.ports")
    for position, port in enumerate(ports):
        where = f"spec.ports[{position}]"
        if len(ports) > 1 and not port.get("name"):
            yield required(f"{where}.name")
        number = port.get("port")
        if not isinstance(number, int) or not 1 <= number <= 65535:
            yield invalid(f"{where}.port", number, "must be between 1 and 65535, inclusive")


def _secret(new: Manifest, old: Manifest | None) -> Iterator[dict[str, str]]:
    yield from _data(new)
    if old is None:
        return
    if new.get("type") != old.get("type"):
        yield invalid("type", new.get("type"), _IMMUTABLE)
    yield from _frozen(new, old)


def _config_map(new: Manifest, old: Manifest | None) -> Iterator[dict[str, str]]:
    yield from _data(new)
    if old is not None:
        yield from _frozen(new, old)


def _data(new: Manifest) -> Iterator[dict[str, str]]:
    data: Manifest = new.get("data") or {}
    for key in data:
        if not _CONFIG_KEY.fullmatch(key):
            yield invalid(f"data[{key}]", key, _CONFIG_KEY_TEXT)
    if sum(len(str(value)) for value in data.values()) * 3 // 4 > _DATA_LIMIT:
        yield status.cause(
            reason="FieldValueTooLong",
            message=f"Too long: may not be more than {_DATA_LIMIT} bytes",
            field="data",
        )


def _frozen(new: Manifest, old: Manifest) -> Iterator[dict[str, str]]:
    if not old.get("immutable"):
        return
    if not new.get("immutable"):
        yield forbidden("immutable", _FROZEN)
    if (new.get("data") or {}) != (old.get("data") or {}):
        yield forbidden("data", _FROZEN)


def _event(new: Manifest, old: Manifest | None) -> Iterator[dict[str, str]]:
    involved = (new.get("involvedObject") or {}).get("namespace") or ""
    home = new["metadata"].get("namespace", "")
    if involved != home and not (involved == "" and home == "default"):
        yield invalid("involvedObject.namespace", involved, "does not match event.namespace")


_RULES: Mapping[str, Callable[[Manifest, Manifest | None], Iterator[dict[str, str]]]] = {
    "deployments.apps": _workload,
    "replicasets.apps": _workload,
    "pods": _pod,
    "services": _service,
    "secrets": _secret,
    "configmaps": _config_map,
    "events": _event,
}


def move_string_data(manifest: dict[str, Any]) -> None:
    """
    Move a Secret's ``stringData`` into ``data``, and check that ``data`` is base64.

    :raises StatusError: 400 when it is not.
    """
    data = manifest.get("data")
    for value in (data or {}).values():
        if not isinstance(value, str):
            kind = "bool" if isinstance(value, bool) else "number"
            raise _not_a_secret(
                f"json: cannot unmarshal {kind} into Go struct field Secret.data of type []uint8"
            )
        try:
            base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError) as error:
            raise _not_a_secret(f"illegal base64 data at input byte {_first_illegal(value)}") from error
    plain = manifest.pop("stringData", None)
    if plain:
        encoded = {key: base64.b64encode(str(value).encode()).decode() for key, value in plain.items()}
        manifest["data"] = (data or {}) | encoded


def _not_a_secret(why: str) -> status.StatusError:
    return status.bad_request(f'Secret in version "v1" cannot be handled as a Secret: {why}')


def _first_illegal(value: str) -> int:
    match = re.search(r"[^A-Za-z0-9+/=\r\n]", value)
    return match.start() if match else len(value) // 4 * 4
