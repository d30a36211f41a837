"""
Private keys in a kubeconfig's data: TLS needs them in files, but a file survives a killed process.

The official client writes them to a given folder. If the system has files in memory (Linux), they are moved
there at once and disappear with the process, however it ends. Elsewhere, and until then, they are in a folder
that only this user may read. It belongs to this process while that holds its lock; the next process that
starts removes unlocked folders.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import tempfile
import threading
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kubernetes.client import Configuration

_PREFIX = "seldon-keys-"
_LOCK = ".lock"
#: Fields of a configuration that name files.
FILES = ("ssl_ca_cert", "cert_file", "key_file")


class KeyFolder:
    """This process's folder for keys that must be in files; created on first use."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._process = 0
        self._path: Path | None = None
        self._lock: int | None = None
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forked)

    def path(self) -> Path:
        """Return the folder; the first call also removes folders that killed processes left behind."""
        with self._guard:
            if self._path is not None and self._process == os.getpid() and self._path.is_dir():
                return self._path
            remove_abandoned()
            for _ in range(3):  # another process may regard it as abandoned before it is locked
                path = Path(tempfile.mkdtemp(prefix=_PREFIX))
                self._lock = _locked(path / _LOCK, create=True)
                if self._lock is not None:
                    break
            self._path, self._process = path, os.getpid()
            atexit.register(_remove, path, os.getpid())
            return path

    def _forked(self) -> None:
        self._guard = threading.Lock()  # another thread may have held it


#: The folder of this process.
FOLDER = KeyFolder()


def into_memory(configuration: Configuration, kept: dict[str, str]) -> None:
    """
    Move a configuration's files in this process's folder to memory, and set the new paths.

    :param kept: path that the client knows -> path in memory, for the configuration's lifetime.
    """
    if not hasattr(os, "memfd_create"):
        return
    folder = f"{FOLDER.path()}{os.sep}"
    for name in FILES:
        path = getattr(configuration, name, None)
        if not path or not str(path).startswith(folder):
            continue
        with contextlib.suppress(FileNotFoundError):
            kept[path] = _in_memory(Path(path).read_bytes(), configuration)
            os.unlink(path)
        if path in kept:
            setattr(configuration, name, kept[path])


def remove_abandoned(parent: str | None = None) -> None:
    """Remove this user's folders whose process is gone."""
    uid = getattr(os, "getuid", lambda: None)()
    for found in Path(parent or tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            status = found.lstat()
            if found.is_symlink() or not found.is_dir() or (uid is not None and status.st_uid != uid):
                continue
            lock = _locked(found / _LOCK, create=False)
            if lock is not None:
                shutil.rmtree(found, ignore_errors=True)
                os.close(lock)


def _locked(path: Path, *, create: bool) -> int | None:
    """Return the descriptor of a locked file; None if another process holds it, or it does not exist."""
    try:
        import fcntl
    except ImportError:
        return None
    descriptor: int | None = None
    try:
        descriptor = os.open(path, os.O_RDWR | (os.O_CREAT if create else 0), 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        if descriptor is not None:
            os.close(descriptor)
        return None
    return descriptor


def _in_memory(content: bytes, owner: Any) -> str:
    """Return the path of a file in memory that lives as long as its owner does."""
    descriptor = os.memfd_create("seldon-key", os.MFD_CLOEXEC)
    os.write(descriptor, content)
    weakref.finalize(owner, os.close, descriptor)
    return f"/proc/self/fd/{descriptor}"


def _remove(path: Path, process: int) -> None:
    if os.getpid() == process:  # a forked child leaves it to its parent
        shutil.rmtree(path, ignore_errors=True)
