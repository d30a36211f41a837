"""The storage initializer: copies a model's files to the directory of its server, like ``rclone copy``.

It prints rclone's messages and ends with rclone's exit codes, so that a failure looks as in a cluster.
Sources: directories and files of this machine (paths, ``file://``, mounted claims) and rclone remotes,
configured by ``RCLONE_CONFIG_<REMOTE>_*`` variables as in a Secret: of the types ``local`` and ``alias``, and
of the types of object stores that a directory replaces (``LocalOptions.object_stores``). It uses no network.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote

from airflow_provider_seldon.local.kubelet.containers.logs import ContainerLog
from airflow_provider_seldon.local.options import ObjectStore

_NO_SUCH_DIRECTORY = 3
_FAILED = 1

_IMAGE_ENV = {"RCLONE_CONFIG_GS_TYPE": "google cloud storage", "RCLONE_CONFIG_GS_ANONYMOUS": "true"}
"""Variables of the initializer's image (Seldon Core reference, section 5)."""


class _DeniedError(Exception):
    """The store rejects the credentials."""


def copy_model(
    source: str,
    target: Path,
    *,
    env: Mapping[str, str],
    stores: Mapping[str, ObjectStore],
    log: ContainerLog,
    stopped: threading.Event,
) -> int:
    """Copy a model; returns the exit code.

    :param source: the ``modelUri``, with mount paths replaced
    :param target: the directory to copy into
    :param env: variables of the initializer
    :param stores: directories that replace object stores, by rclone's type
    :param log: receives its output
    :param stopped: set by another thread to stop between two files
    """
    try:
        path = _resolve(source, _IMAGE_ENV | dict(env), stores)
    except _DeniedError as error:
        _print(log, "ERROR", f"error reading source directory: {error}")
        _print(log, "CRITICAL", f"Failed to copy: {error}")
        return _FAILED
    except ValueError as error:
        _print(log, "CRITICAL", f'Failed to create file system for "{source}": {error}')
        return _FAILED
    if not path.exists():
        _print(
            log, "ERROR", f"Local file system at {path}: error reading source directory: directory not found"
        )
        for attempt in range(1, 4):
            _print(log, "ERROR", f"Attempt {attempt}/3 failed with 1 errors and: directory not found")
        _print(log, "CRITICAL", f"Failed to copy: directory not found: {source}")
        return _NO_SUCH_DIRECTORY
    try:
        count = _copy(path, target, stopped)
    except OSError as error:
        _print(log, "ERROR", f"Attempt 1/3 failed with 1 errors and: {error}")
        _print(log, "CRITICAL", f"Failed to copy: {error}")
        return _FAILED
    _print(log, "INFO", f"There was nothing to transfer: {source}" if not count else f"Copied {count} files")
    return 0


def _copy(path: Path, target: Path, stopped: threading.Event) -> int:
    """Copy a file or a directory; return the number of files."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    root = path.parent if path.is_file() else path
    for file in files:
        if stopped.is_set():
            raise InterruptedError("context canceled")
        copied = target / file.relative_to(root)
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, copied)
    return len(files)


def _resolve(source: str, env: Mapping[str, str], stores: Mapping[str, ObjectStore]) -> Path:
    """The path that rclone would read. :raises ValueError: rclone's reason why it cannot"""
    if source.startswith("file://"):
        return Path(unquote(source.removeprefix("file://")))
    remote, colon, rest = source.partition(":")
    if not colon or "/" in remote:
        return Path(source)
    prefix = f"RCLONE_CONFIG_{remote.upper().replace('-', '_')}_"
    kind = env.get(prefix + "TYPE")
    if kind is None:
        raise ValueError(f'didn\'t find section in config file ("{remote}")')
    if kind == "local":
        return Path("/" + rest.lstrip("/"))
    if kind == "alias":
        root = env.get(prefix + "REMOTE", "")
        if not root:
            raise ValueError("alias can't point to an empty path - check the value of the remote setting")
        return Path(root.removeprefix("file://")) / rest.lstrip("/")
    if kind in stores:
        store = stores[kind]
        key, secret = env.get(prefix + "ACCESS_KEY_ID", ""), env.get(prefix + "SECRET_ACCESS_KEY", "")
        if store.credentials is not None and (key, secret) != store.credentials:
            raise _DeniedError("AccessDenied: Access Denied. status code: 403")
        return store.folder / rest.lstrip("/")
    raise ValueError(f"a remote of type {kind} is not reachable from this machine (local and alias are)")


def _print(log: ContainerLog, level: str, text: str) -> None:
    time = datetime.now(UTC).strftime("%Y/%m/%d %H:%M:%S")
    log.write(f"{time} {level:<6}: {text}")
