"""
The storage for copies of trained models: one folder per content, each with a marker.

    <target>/3f2a9c01d7be/model.joblib     the copy; its name is a hash of its content
    <target>/3f2a9c01d7be.json             the marker; written last, so a copy without one is incomplete

It uses Airflow's ``ObjectStoragePath``, so it works on any storage that Airflow supports, also on object
stores, which cannot rename: there a single object appears as a whole or not at all. Elsewhere each file,
including the marker, is first written under another name, outside of the copy. So a file with its final name
is complete, an interrupted copy is continued instead of restarted, and the next staging of the same content
removes files left under temporary names.

What this does *not* do: decide the layout of a copy (``core.storage.model_files``) or which one may be
deleted (``staging``).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_seldon.core.storage.model_files import leads_out
from airflow_provider_seldon.exceptions import ModelChangedError, ModelFilesError

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

#: Hexadecimal digits of the content's SHA-256 that name a copy.
DIGITS = 12
#: Bytes that are read and written at a time.
CHUNK = 4 * 1024 * 1024

#: Storage in which an object appears as a whole, and which has no folders.
_OBJECT_STORES = frozenset(
    {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "adl", "az", "wasb", "wasbs", "oss", "memory"}
)
_COMPLETE, _DELETING = "complete", "deleting"


@dataclass(frozen=True, kw_only=True)
class SourceFile:
    """A file of a trained model: its path and its content's hash."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class StagedCopy:
    """
    The marker of a copy.

    :param digest: name of the copy.
    :param files: path below the copy -> size in bytes.
    :param version: number of the version directory that was created for it, if any.
    :param source: path from which it was copied.
    :param used_at: epoch seconds of the last staging of this copy.
    :param state: ``complete``, or ``deleting`` while it is being removed.
    """

    digest: str
    files: Mapping[str, int] = field(default_factory=dict)
    version: int | None = None
    source: str = ""
    used_at: float = 0.0
    state: str = _COMPLETE

    @property
    def complete(self) -> bool:
        """Whether everything was copied and nothing is being deleted."""
        return self.state == _COMPLETE


class ModelSource:
    """
    The file or folder that a training wrote.

    :param path: its path.
    :raises ModelFilesError: there is nothing.
    """

    def __init__(self, path: ObjectStoragePath) -> None:
        self._path = path
        self._fs = path.fs
        self._root = str(path.path).rstrip("/")
        if self._fs.isfile(self._root):
            self._root, _, name = self._root.rpartition("/")
            self.files: list[str] = [name]
        else:
            found = self._fs.find(self._root) if self._fs.exists(self._root) else []
            self.files = [file.removeprefix(self._root).lstrip("/") for file in found]
        if not self.files:
            raise ModelFilesError(f"There is no model at {path}: neither a file nor a folder with files.")
        self._local = str(path.protocol or "file") in ("file", "local")
        self._named = len(self.files) == 1 and self._fs.isfile(str(path.path).rstrip("/"))
        for file in self.files:
            self._check(file)

    def _check(self, file: str) -> None:
        """
        Refuse files outside of the model: an object store's key with ``..`` in it, a link that leads out.

        A single file that was given itself may be a link, such as ``latest.joblib``.
        """
        if leads_out(file) or (self._local and not self._named and not self._holds(file)):
            raise ModelFilesError(
                f"{file[:200]!r} leads out of {self._root}: nothing is copied from elsewhere. Copy its "
                "target into the model's folder."
            )

    def _holds(self, file: str) -> bool:
        root, real = os.path.realpath(self._root), os.path.realpath(f"{self._root}/{file}")
        return os.path.commonpath([root, real]) == root

    def read(self, file: str) -> Iterator[bytes]:
        """Yield the content of a file."""
        self._check(file)
        with self._fs.open(f"{self._root}/{file}", "rb") as stream:
            while chunk := stream.read(CHUNK):
                yield chunk

    def described(self, file: str) -> SourceFile:
        """Read a file once and return its size and hash."""
        digest, size = hashlib.sha256(), 0
        for chunk in self.read(file):
            digest.update(chunk)
            size += len(chunk)
        return SourceFile(path=file, size=size, sha256=digest.hexdigest())


class ModelStore:
    """
    The copies below one folder.

    :param path: the folder; it need not exist.
    """

    def __init__(self, path: ObjectStoragePath) -> None:
        self._fs = path.fs
        self._root = str(path.path).rstrip("/")
        self._protocol = str(path.protocol or "file")
        self._whole_objects = self._protocol in _OBJECT_STORES

    @property
    def uri(self) -> str:
        """The folder as a model URI, without the connection id, which rclone would take for a bucket."""
        return f"{self._protocol}://{self._root if self._protocol == 'file' else self._root.lstrip('/')}"

    def find(self, digest: str) -> StagedCopy | None:
        """Return a copy if it is complete and all of its files exist."""
        found = self._marker(digest)
        if found is None or not found.complete:
            return None
        there = self._sizes(digest)
        return found if all(there.get(path) == size for path, size in found.files.items()) else None

    def copies(self) -> list[StagedCopy]:
        """Return the copies that have a marker, the most recently used first."""
        self._fs.invalidate_cache()
        if not self._fs.exists(self._root):
            return []
        names = (str(entry).rstrip("/").rpartition("/")[2] for entry in self._fs.ls(self._root, detail=False))
        digests = [
            match[1] for name in names if (match := re.fullmatch(rf"([0-9a-f]{{{DIGITS}}})\.json", name))
        ]
        found = [copy for digest in digests if (copy := self._marker(digest)) is not None]
        return sorted(found, key=lambda copy: (copy.used_at, copy.digest), reverse=True)

    def version_begun(self, digest: str) -> int | None:
        """Return the version directory that an interrupted copy has already created."""
        numbers = [first for path in self._sizes(digest) if (first := path.partition("/")[0]).isdecimal()]
        return int(numbers[0]) if numbers else None

    def copy(self, source: ModelSource, files: Mapping[str, SourceFile], copy: StagedCopy) -> StagedCopy:
        """
        Copy files to the storage they are served from, and mark the copy as complete.

        A file that already exists was copied by an earlier try.

        :param files: path below the copy -> file of the source.
        :raises ModelChangedError: a file of the source has changed since it was hashed.
        """
        there = self._sizes(copy.digest)
        for path, file in files.items():
            if there.get(path) != file.size:
                self._write(copy.digest, path, source, file)
        return self._mark(replace(copy, files={path: file.size for path, file in files.items()}))

    def touch(self, copy: StagedCopy) -> StagedCopy:
        """Record that a copy was requested again, so that it is not among the oldest."""
        return self._mark(copy)

    def delete(self, copy: StagedCopy) -> bool:
        """
        Delete a copy, unless it was requested again since it was listed.

        The marker is changed first: a copy whose deletion is interrupted is no longer complete.
        """
        current = self._marker(copy.digest)
        if current is None or current.used_at != copy.used_at:
            return False
        self._mark(replace(copy, state=_DELETING), used_at=copy.used_at)
        folder = f"{self._root}/{copy.digest}"
        with contextlib.suppress(FileNotFoundError):
            self._fs.rm(folder, recursive=True)
        self._fs.rm(f"{folder}.json")
        return True

    def _write(self, digest: str, path: str, source: ModelSource, file: SourceFile) -> None:
        if leads_out(path):
            raise ModelFilesError(
                f"{path[:200]!r} is not a path below {self._root}/{digest}; nothing is written there."
            )
        target = f"{self._root}/{digest}/{path}"
        if self._whole_objects:
            # Through a local file: a stream to an object store would create an object even after an error.
            with tempfile.NamedTemporaryFile(prefix="seldon-stage-") as local:
                _fetch(source, file, local)
                self._fs.put_file(local.name, target)
            return
        self._appear(digest, target, lambda stream: _fetch(source, file, stream))

    def _appear(self, digest: str, target: str, write: Callable[[Any], object]) -> None:
        """Write a file so that it appears under its name as a whole or not at all, by renaming it."""
        part = f"{self._root}/.{digest}-{uuid.uuid4().hex[:8]}.part"
        self._fs.makedirs(target.rpartition("/")[0], exist_ok=True)
        try:
            with self._fs.open(part, "wb") as stream:
                write(stream)
            self._move(part, target)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                self._fs.rm_file(part)
            raise

    def _move(self, part: str, target: str) -> None:
        try:
            self._fs.mv(part, target)
        except FileNotFoundError:
            # Another worker staged the same content, and has removed temporary files afterwards.
            self._fs.invalidate_cache()
            if not self._fs.exists(target):
                raise
        except OSError:
            if not self._fs.exists(target):
                raise
            self._fs.rm_file(target)  # some storages do not rename onto an existing file
            self._fs.mv(part, target)

    def _sweep(self, digest: str) -> None:
        """Remove temporary files of interrupted tries."""
        for entry in self._fs.ls(self._root, detail=False):
            name = str(entry).rpartition("/")[2]
            if name.startswith(f".{digest}-") and name.endswith(".part"):
                with contextlib.suppress(FileNotFoundError):
                    self._fs.rm_file(str(entry))

    def _sizes(self, digest: str) -> dict[str, int]:
        folder = f"{self._root}/{digest}"
        self._fs.invalidate_cache()
        found = self._fs.find(folder, detail=True) if self._fs.exists(folder) else {}
        return {
            str(path).partition(f"{digest}/")[2]: int(info.get("size") or 0) for path, info in found.items()
        }

    def _marker(self, digest: str) -> StagedCopy | None:
        try:
            with self._fs.open(f"{self._root}/{digest}.json", "rb") as stream:
                data = json.loads(stream.read())
        except (FileNotFoundError, ValueError):
            return None
        if not isinstance(data, dict) or data.get("digest") != digest:
            return None
        return StagedCopy(
            **{key: value for key, value in data.items() if key in StagedCopy.__dataclass_fields__}
        )

    def _mark(self, copy: StagedCopy, *, used_at: float | None = None) -> StagedCopy:
        marked = replace(copy, used_at=time.time() if used_at is None else used_at)
        target, text = f"{self._root}/{copy.digest}.json", json.dumps(asdict(marked), sort_keys=True).encode()
        if self._whole_objects:
            self._fs.pipe_file(target, text)
        else:
            self._sweep(copy.digest)
            self._appear(copy.digest, target, lambda stream: stream.write(text))
        return marked


def _fetch(source: ModelSource, file: SourceFile, stream: Any) -> None:
    """
    Write a file of the source to a stream.

    :raises ModelChangedError: its hash has changed.
    """
    digest = hashlib.sha256()
    for chunk in source.read(file.path):
        digest.update(chunk)
        stream.write(chunk)
    stream.flush()
    if digest.hexdigest() != file.sha256:
        raise ModelChangedError(
            f"{file.path} changed during the copy; the copy is not used. Let the training write each "
            "model to its own folder, and stage it afterwards."
        )
