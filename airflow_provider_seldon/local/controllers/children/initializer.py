"""The init container that fetches a model, and the volumes that it shares with the model's container. Pure.

Source: Seldon Core reference, section 5; the names were seen on the real operator.
"""

from __future__ import annotations

from airflow_provider_seldon.local.client.kinds import Manifest
from airflow_provider_seldon.local.controllers.children.servers import MODELS_PATH, STORAGE_INITIALIZER_IMAGE
from airflow_provider_seldon.local.controllers.errors import ComponentError

_CLAIM_PATH = "/mnt/pvc"
_CLAIM_VOLUME = "kfserving-pvc-source"
_MAX_NAME = 63


def add_initializer(pod: Manifest, container: Manifest, source: Manifest) -> None:
    """
    Add an init container to the pod that copies ``modelUri`` to the directory of the model server.

    :param pod: the pod's specification
    :param container: the container that reads the model; the init container is named after it
    :param source: the graph unit or explainer with ``modelUri``, ``envSecretRefName``, ...
    :raises ComponentError: the URI of a claim has no name
    """
    uri = source.get("modelUri")
    if not uri:
        return
    name = _fit(f"{container['name']}-model-initializer")
    volume = _fit(f"{container['name']}-provision-location")
    inits = pod["initContainers"] = list(pod.get("initContainers") or [])
    if not any(entry["name"] == name for entry in inits):
        path, claim = _source(uri)
        mounts: list[Manifest] = []
        if claim is not None:
            pod["volumes"].append({"name": _CLAIM_VOLUME, "persistentVolumeClaim": {"claimName": claim}})
            mounts.append({"name": _CLAIM_VOLUME, "mountPath": _CLAIM_PATH, "readOnly": True})
            _mount(container, _CLAIM_VOLUME, _CLAIM_PATH)  # the model may be a link into the claim
        pod["volumes"].append({"name": volume, "emptyDir": {}})
        mounts.append({"name": volume, "mountPath": MODELS_PATH})
        initializer: Manifest = {
            "name": name,
            "image": source.get("storageInitializerImage") or STORAGE_INITIALIZER_IMAGE,
            "imagePullPolicy": "IfNotPresent",
            "args": [path, MODELS_PATH],
            "resources": {
                "requests": {"cpu": "100m", "memory": "100Mi"},
                "limits": {"cpu": "1", "memory": "1Gi"},
            },
            "volumeMounts": mounts,
            "terminationMessagePath": "/dev/termination-log",
            "terminationMessagePolicy": "File",
        }
        if source.get("envSecretRefName"):
            initializer["envFrom"] = [{"secretRef": {"name": source["envSecretRefName"]}}]
        inits.append(initializer)
    _mount(container, volume, MODELS_PATH)


def _source(uri: str) -> tuple[str, str | None]:
    """The source that the initializer copies, and its volume claim, if any."""
    if not uri.startswith("pvc://"):
        return uri, None
    claim, _, path = uri.removeprefix("pvc://").partition("/")
    if not claim:
        raise ComponentError(f"Invalid URI must be pvc://<pvcname>/[path]: {uri}")
    return f"{_CLAIM_PATH}/{path}", claim


def _mount(container: Manifest, volume: str, path: str) -> None:
    mounts = container["volumeMounts"] = list(container.get("volumeMounts") or [])
    if not any(mount.get("name") == volume for mount in mounts):
        mounts.append({"name": volume, "mountPath": path, "readOnly": True})


def _fit(name: str) -> str:
    return name if len(name) <= _MAX_NAME else name[:_MAX_NAME].removesuffix("-")
