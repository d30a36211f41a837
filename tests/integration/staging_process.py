"""
One try of staging in its own process, which dies at its k-th change of the storage.

Two storages: files, which can be renamed and are written bit by bit, and an object store, where an object appears as a
whole when it has been sent. Both keep what they have in a folder of this machine, so it outlives the process.
"""

from __future__ import annotations

import io
import multiprocessing
import os
import shutil
import signal
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from fsspec import AbstractFileSystem
from fsspec.implementations.dirfs import DirFileSystem
from fsspec.implementations.local import LocalFileSystem

from airflow_provider_seldon.delivery.storage import model_store
from airflow_provider_seldon.operators.stage import SeldonStageModelOperator
from tests.integration.conftest import context

#: Bytes that are copied at once, so that a file takes several writes.
CHUNK = 8


@dataclass
class CrashPoint:
    """Counts the changes of the storage, and ends the process before the k-th, or amidst the k-th gradual one."""

    k: int = 0
    amidst: bool = False
    count: int = 0

    def whole(self) -> None:
        """A change that is made or not."""
        if not self.amidst:
            self.count += 1
            if self.count == self.k:
                self.die()

    def gradual(self) -> bool:
        """Return whether only half of this change is to be made; then call :meth:`die`."""
        self.count += 1
        if self.count == self.k and not self.amidst:
            self.die()
        return self.count == self.k

    def die(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


class CrashingFile(io.FileIO):
    """A file whose every write is a change."""

    def __init__(self, path: str, crash: CrashPoint) -> None:
        self._crash = crash
        super().__init__(path, "wb")

    def write(self, data: Any) -> int:
        if self._crash.gradual():
            super().write(bytes(data)[: len(data) // 2])
            self._crash.die()
        return int(super().write(data) or 0)


class CrashingFiles(LocalFileSystem):
    """The files of this machine, with a crash point before every change."""

    cachable = False

    def __init__(self, crash: CrashPoint) -> None:
        super().__init__()
        self.crash = crash

    def open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        if "w" not in mode:
            return super().open(path, mode, **options)
        self.crash.whole()
        return CrashingFile(self._strip_protocol(path), self.crash)

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        if not self.exists(path):
            self.crash.whole()
        super().makedirs(path, exist_ok=exist_ok)

    def mv(self, path1: str, path2: str, **options: Any) -> None:
        self.crash.whole()
        super().mv(path1, path2, **options)

    def rm_file(self, path: str) -> None:
        self.crash.whole()
        super().rm_file(path)

    def rm(self, path: str, recursive: bool = False, maxdepth: int | None = None) -> None:
        if self.isdir(path):
            for one in self.find(path):
                self.rm_file(one)
        self.crash.whole()
        super().rm(path, recursive=recursive, maxdepth=maxdepth)


class ObjectStore(DirFileSystem):
    """Objects that appear as a whole, below a folder of this machine."""

    def __init__(self, folder: Path, crash: CrashPoint) -> None:
        super().__init__(path=str(folder / "objects"), fs=LocalFileSystem(auto_mkdir=True))
        self.crash = crash
        self._sent = folder / "sent"
        self._sent.mkdir(exist_ok=True)
        Path(self.path).mkdir(exist_ok=True)

    def put_file(self, lpath: str, rpath: str, **options: Any) -> None:
        self._send(Path(lpath).read_bytes(), rpath)

    def pipe_file(self, path: str, value: bytes, **options: Any) -> None:
        self._send(value, path)

    def rm_file(self, path: str) -> None:
        self.crash.whole()
        super().rm_file(path)

    def rm(self, path: str, *arguments: Any, **options: Any) -> None:
        """An object store deletes a folder object by object."""
        for one in self.find(path):
            self.rm_file(one)
        folder = Path(self._join(path))
        if folder.is_dir():
            shutil.rmtree(folder)

    def _send(self, content: bytes, path: str) -> None:
        half = self.crash.gradual()
        part = self._sent / f"{os.getpid()}-{self.crash.count}"
        part.write_bytes(content[: len(content) // 2] if half else content)
        if half:
            self.crash.die()
        target = Path(self._join(path))
        target.parent.mkdir(parents=True, exist_ok=True)
        part.replace(target)


def storage(kind: str, folder: Path, crash: CrashPoint) -> tuple[Any, AbstractFileSystem]:
    """Return what Airflow knows under ``file://`` or ``memory://``, and the storage that it is to find there."""
    try:
        from airflow.sdk.io import attach
    except ImportError:
        from airflow.io.store import attach
    store = CrashingFiles(crash) if kind == "file" else ObjectStore(folder, crash)
    return attach(protocol=kind, conn_id=None, fs=store), store


def start(kind: str, folder: Path, crash: CrashPoint, arguments: dict[str, Any]) -> BaseProcess:
    """Start one try of the operator in a new process."""
    forks = multiprocessing.get_context("forkserver")
    forks.set_forkserver_preload(["pytest", f"{__package__}.task_process", __name__])
    environment = {key: value for key, value in os.environ.items() if key.startswith("AIRFLOW_CONN_")}
    process = forks.Process(target=_run, args=(environment, kind, folder, crash, arguments), daemon=True)
    process.start()
    return process


def run(arguments: dict[str, Any]) -> dict[str, Any]:
    """Run one try here."""
    return SeldonStageModelOperator(task_id="stage", **arguments).execute(context(task_id="stage"))


def _run(
    environment: dict[str, str], kind: str, folder: Path, crash: CrashPoint, arguments: dict[str, Any]
) -> None:
    os.environ.update(environment)
    model_store.CHUNK = CHUNK
    known, known.fs = storage(kind, folder, crash)
    run(arguments)
