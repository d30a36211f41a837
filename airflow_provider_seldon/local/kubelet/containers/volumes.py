"""The volumes of a pod as directories of this machine, and their mount paths in containers.

A container in a cluster sees its volumes at their mount paths. Processes here share one file system, so mount
paths in commands, arguments and variables are replaced by the directories (``/mnt/models`` becomes the pod's
own copy of the model), and ``SELDON_MODELS_DIR`` is the path of that copy.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from pathlib import Path

from airflow_provider_seldon.local.client.api_client import ApiClient
from airflow_provider_seldon.local.client.errors import ApiError
from airflow_provider_seldon.local.client.kinds import CONFIG_MAPS, SECRETS, Kind, Manifest
from airflow_provider_seldon.local.controllers.children.servers import MODELS_PATH
from airflow_provider_seldon.local.controllers.manifests import dig, namespace_of
from airflow_provider_seldon.local.kubelet.containers.interface import StartError

ENV_MODELS = "SELDON_MODELS_DIR"


class Volumes:
    """The volumes of one pod.

    :param pod: the pod
    :param folder: parent of the directories
    :param claims: directories of persistent volume claims, by name
    """

    def __init__(self, *, pod: Manifest, folder: Path, claims: Mapping[str, Path]) -> None:
        self._pod = pod
        self._folder = folder
        self._claims = claims
        self._paths: dict[str, Path] = {}

    async def mount(self, api: ApiClient) -> None:
        """Create the directories; called again after a failure.

        :raises StartError: a Secret, ConfigMap or claim does not exist
        """
        for volume in dig(self._pod, "spec", "volumes", default=[]):
            name = str(volume["name"])
            if name not in self._paths:
                self._paths[name] = await self._make(api, volume)

    def path_of(self, container: Manifest, mount_path: str) -> Path | None:
        """The directory that a container mounts at ``mount_path``."""
        return dict(self._mounts(container)).get(mount_path)

    def substitute(self, container: Manifest, text: str) -> str:
        """Replace mount paths of a container with directories."""
        for mount_path, folder in sorted(self._mounts(container), key=lambda pair: -len(pair[0])):
            pattern = rf"(?<![\w./-]){re.escape(mount_path.rstrip('/'))}(?![\w.-])"
            text = re.sub(pattern, lambda _, folder=folder: str(folder), text)  # type: ignore[misc]
        return text

    def _mounts(self, container: Manifest) -> list[tuple[str, Path]]:
        found = []
        for mount in container.get("volumeMounts") or []:
            folder = self._paths.get(mount["name"])
            if folder is not None:
                below = folder / mount["subPath"] if mount.get("subPath") else folder
                found.append((str(mount["mountPath"]), below))
        return found

    async def _make(self, api: ApiClient, volume: Manifest) -> Path:
        name = str(volume["name"])
        if "persistentVolumeClaim" in volume:
            claim = volume["persistentVolumeClaim"]["claimName"]
            if claim not in self._claims:
                raise _failed(name, f'persistentvolumeclaim "{claim}" not found')
            return Path(self._claims[claim])
        if "hostPath" in volume:
            return Path(str(volume["hostPath"]["path"]))
        folder = self._folder / name
        folder.mkdir(parents=True, exist_ok=True)
        for file, content in (await self._files(api, volume)).items():
            path = folder / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
            path.write_bytes(content)
        return folder

    async def _files(self, api: ApiClient, volume: Manifest) -> dict[str, bytes]:
        if "secret" in volume:
            source = volume["secret"]
            data = await self._data(api, SECRETS, volume["name"], source, str(source["secretName"]))
            files = {key: base64.b64decode(value) for key, value in data.items()}
        elif "configMap" in volume:
            source = volume["configMap"]
            data = await self._data(api, CONFIG_MAPS, volume["name"], source, str(source["name"]))
            files = {key: value.encode() for key, value in data.items()}
        elif "downwardAPI" in volume:
            return {item["path"]: self._field(item) for item in volume["downwardAPI"].get("items") or []}
        else:
            return {}
        items = {item["key"]: item["path"] for item in source.get("items") or []}
        return {items.get(key, key): value for key, value in files.items() if not items or key in items}

    async def _data(
        self, api: ApiClient, kind: Kind, volume: str, source: Manifest, name: str
    ) -> dict[str, str]:
        try:
            found = await api.get(kind, namespace_of(self._pod), name)
        except ApiError as error:
            if not error.not_found:
                raise
            if source.get("optional"):
                return {}
            raise _failed(volume, f'{kind.kind.lower()} "{name}" not found') from error
        return {key: str(value) for key, value in (found.get("data") or {}).items()}

    def _field(self, item: Manifest) -> bytes:
        path = str(dig(item, "fieldRef", "fieldPath", default=""))
        value = dig(self._pod, *path.split("."), default="")
        if isinstance(value, Mapping):
            return "\n".join(f"{key}={json.dumps(entry)}" for key, entry in sorted(value.items())).encode()
        return str(value).encode()


def models_dir(volumes: Volumes, container: Manifest) -> Path | None:
    """The directory that a container mounts at ``/mnt/models``."""
    return volumes.path_of(container, MODELS_PATH)


def _failed(volume: str, why: str) -> StartError:
    message = f'MountVolume.SetUp failed for volume "{volume}" : {why}'
    return StartError(reason="ContainerCreating", message=message)
