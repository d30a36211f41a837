"""
Staging: copy a trained model to the storage it is served from, in the layout that its server expects.

The folder is named after its content. So staging the same model again copies nothing, another model never
changes a file in use, and the model URI of a deployment identifies exactly which files it serves.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.resource.canonical_json import canonical_json
from airflow_provider_seldon.core.rollout.history import proven_versions
from airflow_provider_seldon.core.storage.model_files import Arrangement, arrange
from airflow_provider_seldon.delivery.storage.model_store import (
    DIGITS,
    ModelSource,
    ModelStore,
    SourceFile,
    StagedCopy,
)
from airflow_provider_seldon.exceptions import ModelFilesError

if TYPE_CHECKING:
    from airflow_provider_seldon.kube.requests.client import SeldonClient

log = logging.getLogger(__name__)


class HasClient(Protocol):
    """A hook, or another object with a client of a namespace."""

    @property
    def client(self) -> SeldonClient:
        """The client."""


@dataclass(frozen=True, kw_only=True)
class StagedModel:
    """
    A staged model.

    :param model_uri: what to deploy.
    :param digest: hash of its files and their arrangement.
    :param version: number of its version directory, for servers that need one.
    :param action: ``copied``, or ``unchanged`` if the same files already existed.
    :param files: number of its files.
    :param bytes: their total size.
    :param pruned: model URIs of older copies that were deleted.
    """

    model_uri: str
    digest: str
    version: int | None
    action: str
    files: int
    bytes: int
    pruned: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {**asdict(self), "pruned": list(self.pruned)}


def stage_model(
    source: str,
    target: str,
    *,
    implementation: str | None = None,
    protocol: str | None = None,
    model_name: str = "model",
    version: int | None = None,
    served_from: str | None = None,
    source_conn_id: str | None = None,
    target_conn_id: str | None = None,
    keep: int | None = None,
    hook: HasClient | None = None,
) -> StagedModel:
    """
    Copy a trained model to the storage it is served from.

    :param source: file or folder that the training wrote, on any storage that Airflow supports.
    :param target: folder for the copies of this model's versions, such as ``s3://models/iris``.
    :param implementation: prepackaged server that will read it, see ``model_files``; None for your own
        server.
    :param protocol: protocol of the deployment; ``v2`` accepts more file names.
    :param model_name: folder of the model in a Triton repository.
    :param version: number of a TensorFlow version directory; defaults to the next free one.
    :param served_from: URI of the target as the cluster sees it, if that differs: a volume that is mounted at
        ``file:///mnt/models`` here may be ``pvc://models`` there.
    :param source_conn_id: Airflow connection of the source.
    :param target_conn_id: Airflow connection of the target.
    :param keep: number of copies to keep; older ones are deleted, except those that a deployment in the
        hook's namespace serves or could roll back to.
    :param hook: the cluster whose deployments ``keep`` checks.
    :returns: the copy; its ``model_uri`` is what to deploy.
    :raises ModelFilesError: the server cannot read the files; nothing was copied.
    :raises ModelChangedError: they changed during the copy.
    """
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    if keep is not None and (keep < 1 or hook is None):
        raise ModelFilesError("keep must be 1 or more, and needs a hook to find out which copies are in use.")
    if version is not None and version < 1:
        raise ModelFilesError(f"version is {version}; version directories are numbered from 1.")
    trained = ModelSource(ObjectStoragePath(source, conn_id=source_conn_id))
    store = ModelStore(ObjectStoragePath(target, conn_id=target_conn_id))
    try:
        arrangement = arrange(
            trained.files, implementation=implementation, protocol=protocol, model_name=model_name
        )
    except InvalidRequestError as error:
        raise ModelFilesError(f"{source} cannot be served as it is. Nothing was copied.\n{error}") from None
    if version is not None:
        if not arrangement.versioned:
            raise ModelFilesError(
                f"version is {version}, but {source} needs no version directory: only a TensorFlow "
                "SavedModel that is not yet in a numbered directory takes one."
            )
        arrangement = arrangement.numbered(version)
    described = {file: trained.described(file) for file in arrangement.files.values()}
    digest = _digest(arrangement, described)
    copy, action = _ensure(
        store, trained, arrangement, described, digest=digest, version=version, source=source
    )
    served = (served_from or store.uri).rstrip("/")
    pruned = prune_models(store, keep=keep, hook=hook) if keep is not None and hook is not None else []
    log.info("%s %s (%d files) for %s", action.capitalize(), f"{served}/{digest}", len(copy.files), source)
    return StagedModel(
        model_uri=f"{served}/{digest}",
        digest=digest,
        version=copy.version,
        action=action,
        files=len(copy.files),
        bytes=sum(copy.files.values()),
        pruned=tuple(f"{served}/{one}" for one in pruned),
    )


def prune_models(store: ModelStore, *, keep: int, hook: HasClient) -> list[str]:
    """
    Delete all but the last ``keep`` copies, except those in use.

    A copy is in use if a deployment in the hook's namespace, whoever created it, names it in its spec or in a
    version that it can be rolled back to.

    :returns: digests of the deleted copies.
    """
    candidates = store.copies()
    kept = [copy for copy in candidates if copy.complete][:keep]
    old = [copy for copy in candidates if copy not in kept]
    if not old:
        return []
    in_use = "\n".join(_served(hook))
    deleted = []
    for copy in old:
        if f"/{copy.digest}" in in_use:
            log.info("Copy %s of %s is in use; kept", copy.digest, copy.source)
        elif store.delete(copy):
            log.info("Deleted copy %s of %s", copy.digest, copy.source)
            deleted.append(copy.digest)
    return deleted


def _ensure(
    store: ModelStore,
    trained: ModelSource,
    arrangement: Arrangement,
    described: Mapping[str, SourceFile],
    *,
    digest: str,
    version: int | None,
    source: str,
) -> tuple[StagedCopy, str]:
    found = store.find(digest)
    if found is not None:
        return store.touch(found), "unchanged"
    if arrangement.versioned:
        version = store.version_begun(digest) or _next_version(store)
        arrangement = arrangement.numbered(version)
    files = {path: described[file] for path, file in arrangement.files.items()}
    return store.copy(trained, files, StagedCopy(digest=digest, version=version, source=source)), "copied"


def _next_version(store: ModelStore) -> int:
    return max((copy.version or 0 for copy in store.copies()), default=0) + 1


def _digest(arrangement: Arrangement, described: Mapping[str, SourceFile]) -> str:
    lines = sorted(
        f"{path}\0{described[file].size}\0{described[file].sha256}\n"
        for path, file in arrangement.files.items()
    )
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:DIGITS]


def _served(hook: HasClient) -> Iterator[str]:
    """Yield texts with the model URIs of deployments, and of versions that they can be rolled back to."""
    for deployment in hook.client.find():
        yield canonical_json(deployment.to_manifest())
        for version in proven_versions(deployment):
            yield canonical_json(dict(version.config))
