"""The kubeconfig for Seldon Core on this machine."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

import yaml

_NAME = "seldon-local"


def kubeconfig(*, server: str, namespace: str, token: str | None, authority: bytes | None) -> dict[str, Any]:
    """
    Return a kubeconfig as data.

    :param server: base URL of the API server
    :param namespace: default namespace of the context
    :param token: bearer token; None or empty for none
    :param authority: certificate of the authority that has signed the server's, in PEM; None for plain HTTP
    """
    cluster: dict[str, Any] = {"server": server}
    if authority is not None:
        cluster["certificate-authority-data"] = base64.b64encode(authority).decode()
    context = {"cluster": _NAME, "user": _NAME, "namespace": namespace}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": _NAME, "cluster": cluster}],
        "users": [{"name": _NAME, "user": {"token": token} if token else {}}],
        "contexts": [{"name": _NAME, "context": context}],
        "current-context": _NAME,
    }


def write_kubeconfig(path: Path, config: dict[str, Any]) -> None:
    """Write a file that only its owner can read; an existing file is replaced."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        yaml.safe_dump(config, file, sort_keys=False)
