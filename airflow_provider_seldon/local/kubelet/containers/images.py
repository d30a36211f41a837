"""Which images this machine can run, and how. Pure.

There is no container engine: an image is the name of a way to run something. Names are validated as in a
kubelet (``InvalidImageName``); an unknown image cannot be pulled (``ErrImagePull``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from airflow_provider_seldon.local.client.kinds import Manifest
from airflow_provider_seldon.local.controllers.children.engine import ENGINE
from airflow_provider_seldon.local.kubelet.containers.interface import StartError

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    rf"(?:(?P<domain>(?:localhost|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+|[A-Za-z0-9-]+(?=:[0-9]))(?::[0-9]+)?)/)?"
    rf"(?P<path>{_COMPONENT}(?:/{_COMPONENT})*)(?::(?P<tag>\w[\w.-]{{0,127}}))?(?:@(?P<digest>sha256:[0-9a-f]{{64}}))?"
)
_MLSERVER_FLAVOURS = {
    "sklearn": "mlserver_sklearn.SKLearnModel",
    "xgboost": "mlserver_xgboost.XGBoostModel",
}
_SELDON_SERVERS = {
    "seldonio/sklearnserver": "mlserver_sklearn.SKLearnModel",
    "seldonio/xgboostserver": "mlserver_xgboost.XGBoostModel",
}


class Role(StrEnum):
    """How an image is run."""

    ENGINE = "engine"
    INITIALIZER = "initializer"
    MLSERVER = "mlserver"
    COMMAND = "command"


@dataclass(frozen=True, kw_only=True)
class Program:
    """The program of a container.

    :param command: for a command: program and arguments, before arguments of the container
    :param implementation: for MLServer: the runtime class
    :param seldon_protocol: MLServer replaces one of Seldon's own servers, which use another protocol
    """

    role: Role
    command: tuple[str, ...] = ()
    implementation: str = ""
    seldon_protocol: bool = False


def program_of(
    container: Manifest, *, images: Mapping[str, Sequence[str]], mlserver_python: str | None
) -> Program:
    """Return the program of a container.

    :param images: commands of further images, by name with or without tag
    :param mlserver_python: the Python that has MLServer, if there is one
    :raises StartError: the name is invalid, or the image is unknown
    """
    image = str(container.get("image") or "")
    match = _REFERENCE.fullmatch(image)
    if match is None:
        message = f'Failed to apply default image tag "{image}": couldn\'t parse image name "{image}": '
        raise StartError(reason="InvalidImageName", message=message + "invalid reference format")
    if container["name"] == ENGINE:
        return Program(role=Role.ENGINE)
    if container.get("command"):
        return Program(role=Role.COMMAND, command=tuple(str(word) for word in container["command"]))
    repository = image.partition("@")[0]
    repository = repository.removesuffix(f":{match['tag']}") if match["tag"] else repository
    for name in (image, repository):
        if name in images:
            return Program(role=Role.COMMAND, command=tuple(images[name]))
    path, tag = match["path"], match["tag"] or "latest"
    if path in ("seldonio/rclone-storage-initializer", "kfserving/storage-initializer"):
        return Program(role=Role.INITIALIZER)
    implementation = _SELDON_SERVERS.get(path, "")
    if path == "seldonio/mlserver":
        flavour = tag.rpartition("-")[2] if "-" in tag else ""
        implementation = _MLSERVER_FLAVOURS.get(flavour, "" if flavour else "any")
    if not implementation:
        raise _unknown(image, "give the container a command, or register the image in LocalOptions.images")
    if not mlserver_python:
        raise _unknown(image, "name a Python with MLServer in SELDON_LOCAL_MLSERVER_PYTHON")
    return Program(
        role=Role.MLSERVER,
        implementation="" if implementation == "any" else implementation,
        seldon_protocol=path in _SELDON_SERVERS,
    )


def _unknown(image: str, fix: str) -> StartError:
    message = (
        f'Failed to pull image "{image}": rpc error: code = NotFound desc = failed to pull and unpack image '
        f'"{image}": failed to resolve reference "{image}": {image}: not found (on this machine: {fix})'
    )
    return StartError(reason="ErrImagePull", message=message)
