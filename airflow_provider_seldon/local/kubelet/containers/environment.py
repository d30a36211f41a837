"""A container's environment variables: literals, references to Secrets and ConfigMaps, pod fields.

Source: Kubernetes documentation, "Define environment variables" and "Distribute credentials using Secrets". A
missing object or key stops the container with ``CreateContainerConfigError``.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping

from airflow_provider_seldon.local.client.api_client import ApiClient
from airflow_provider_seldon.local.client.errors import ApiError
from airflow_provider_seldon.local.client.kinds import CONFIG_MAPS, SECRETS, Kind, Manifest
from airflow_provider_seldon.local.controllers.manifests import dig, name_of, namespace_of
from airflow_provider_seldon.local.kubelet.containers.interface import StartError

_REFERENCE = re.compile(r"\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)")
_SOURCES = {"secretKeyRef": SECRETS, "configMapKeyRef": CONFIG_MAPS}
_BULK_SOURCES = {"secretRef": SECRETS, "configMapRef": CONFIG_MAPS}


async def resolve(api: ApiClient, pod: Manifest, container: Manifest) -> dict[str, str]:
    """The variables of a container of this pod.

    :raises StartError: a required Secret, ConfigMap or key does not exist
    """
    env: dict[str, str] = {}
    for source in container.get("envFrom") or []:
        for word, kind in _BULK_SOURCES.items():
            if word in source:
                data = await _data(api, kind, namespace_of(pod), source[word])
                prefix = source.get("prefix") or ""
                env |= {prefix + key: value for key, value in (data or {}).items()}
    for entry in container.get("env") or []:
        if entry.get("valueFrom"):
            value = await _value_from(api, pod, container, entry["valueFrom"])
            if value is not None:
                env[entry["name"]] = value
        else:
            env[entry["name"]] = expand(str(entry.get("value") or ""), env)
    return env


def expand(text: str, env: Mapping[str, str]) -> str:
    """Replace ``$(NAME)`` for known names, as in commands, arguments and values of Kubernetes."""
    return _REFERENCE.sub(lambda match: env.get(match[1], match[0]), text)


async def _value_from(api: ApiClient, pod: Manifest, container: Manifest, source: Manifest) -> str | None:
    for word, kind in _SOURCES.items():
        if word not in source:
            continue
        reference = source[word]
        data = await _data(api, kind, namespace_of(pod), reference)
        if data is None:
            return None
        if reference["key"] not in data:
            if reference.get("optional"):
                return None
            noun = "Secret" if kind is SECRETS else "ConfigMap"
            where = f"{namespace_of(pod)}/{reference['name']}"
            raise _config_error(f"couldn't find key {reference['key']} in {noun} {where}")
        return data[reference["key"]]
    if "fieldRef" in source:
        return _field(pod, str(source["fieldRef"]["fieldPath"]))
    if "resourceFieldRef" in source:
        section, _, resource = str(source["resourceFieldRef"]["resource"]).partition(".")
        return str(dig(container, "resources", section, resource, default="0"))
    return None


async def _data(api: ApiClient, kind: Kind, namespace: str, reference: Manifest) -> dict[str, str] | None:
    """The decoded keys; None if the object is optional and absent."""
    try:
        found = await api.get(kind, namespace, reference["name"])
    except ApiError as error:
        if not error.not_found:
            raise
        if reference.get("optional"):
            return None
        raise _config_error(f'{kind.kind.lower()} "{reference["name"]}" not found') from error
    data = {key: str(value) for key, value in (found.get("data") or {}).items()}
    if kind is SECRETS:
        data = {key: base64.b64decode(value).decode(errors="replace") for key, value in data.items()}
    return data


def _field(pod: Manifest, path: str) -> str:
    match = re.fullmatch(r"metadata\.(annotations|labels)\['([^']+)'\]", path)
    if match:
        return str(dig(pod, "metadata", match[1], match[2], default=""))
    known = {
        "metadata.name": name_of(pod),
        "metadata.namespace": namespace_of(pod),
        "metadata.uid": str(pod["metadata"].get("uid", "")),
        "spec.serviceAccountName": str(dig(pod, "spec", "serviceAccountName", default="default")),
        "spec.nodeName": "local",
    }
    return known.get(path, "127.0.0.1")


def _config_error(message: str) -> StartError:
    return StartError(reason="CreateContainerConfigError", message=message)
