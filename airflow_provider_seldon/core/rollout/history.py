"""
The versions of a deployment that were seen serving: what a rollback can go back to.

They are kept on the deployment itself, in two annotations: the last one (``last-available``), and the ones before
it (``history``, newest first). Each holds the configuration that made the version, which never contains a
credential, so that it can be built again; a storage Secret by its name only. Annotations of one object may
take 256 KiB in all (Kubernetes API concepts), so large configurations are compressed, and of the history the oldest
versions are dropped first. What cannot be recorded at all is refused before it is deployed: see ``room``.

Nothing here says that a version *will* serve again: a rollback is waited for like any rollout.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from airflow_provider_seldon.core.identity.annotations import (
    ANNOTATION_CONFIG,
    ANNOTATION_DAG_ID,
    ANNOTATION_HISTORY,
    ANNOTATION_LAST_AVAILABLE,
    ANNOTATION_METRICS,
    ANNOTATION_ORDER,
    ANNOTATION_REVISION,
    ANNOTATION_RUN_ID,
    ANNOTATION_TASK_ID,
)
from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.resource.canonical_json import canonical_json
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
from airflow_provider_seldon.core.resource.status import DeploymentState

#: Proven versions that are kept, the last available one included.
KEPT = 10
#: Bytes of all annotations of an object, keys and values (Kubernetes, ``TotalAnnotationSizeLimitB``).
MAX_ANNOTATIONS = 262_144
#: Bytes that are left to what others, or a rollback, may add to them.
SPARE = 8_192
#: Bytes of the history annotation, where there is room for it.
MAX_HISTORY_BYTES = 40_000
#: A configuration longer than this is compressed in the history, and
MAX_PLAIN_BYTES = 1_000
#: one longer than this in ``last-available``, which people may want to read.
MAX_PLAIN_LAST_BYTES = 10_000
_TEXTS = ("secret_name", "run_id", "order", "metrics", "dag_id", "task_id", "managed_by", "proven_at")
#: What a compressed configuration may grow to; more was not written by this provider.
_MAX_UNPACKED = 1_000_000


@dataclass(frozen=True, kw_only=True)
class ProvenVersion:
    """
    A version of a deployment that was seen serving.

    :param revision: of the whole deployment.
    :param config: the ``ModelServer`` that made it, as JSON data; empty when it was not made from one.
    :param secret_name: storage Secret that it used; "" for none.
    :param run_id: DAG run that deployed it.
    :param order: its ordering token, see ``fence``.
    :param metrics: its metrics, as their annotation says them.
    :param withdrawn: a rollback went back from it, so "previous" does not mean it.
    :param dag_id: DAG that deployed it; "" in what an earlier release recorded.
    :param task_id: its task.
    :param adopted: this is not ours: it is what was there before the deployment was taken over.
    :param managed_by: what its managed-by label said then.
    :param proven_at: when it was first seen serving without another in between, in UTC; "" in what an earlier release
        recorded.
    """

    revision: str
    config: Mapping[str, Any] = field(default_factory=dict)
    secret_name: str = ""
    run_id: str = ""
    order: str = ""
    metrics: str = ""
    withdrawn: bool = False
    dag_id: str = ""
    task_id: str = ""
    adopted: bool = False
    managed_by: str = ""
    proven_at: str = ""

    @classmethod
    def of(cls, deployment: SeldonDeployment) -> Self:
        """Return what to record about ``deployment`` once it has been seen serving."""
        annotations = deployment.annotations
        return cls(
            revision=annotations.get(ANNOTATION_REVISION, ""),
            config=json_object(annotations.get(ANNOTATION_CONFIG)),
            secret_name=secret_in_use(deployment) or "",
            run_id=annotations.get(ANNOTATION_RUN_ID, ""),
            order=annotations.get(ANNOTATION_ORDER, ""),
            metrics=annotations.get(ANNOTATION_METRICS, ""),
            dag_id=annotations.get(ANNOTATION_DAG_ID, ""),
            task_id=annotations.get(ANNOTATION_TASK_ID, ""),
        )

    @classmethod
    def last_of(cls, deployment: SeldonDeployment) -> Self | None:
        """Return the version of ``deployment`` that was last seen serving; None when none ever was."""
        last = cls.from_json(deployment.annotations.get(ANNOTATION_LAST_AVAILABLE))
        return last if last.revision else None

    def to_json(self) -> str:
        """Return the annotation's value."""
        return canonical_json(_packed(self, plain=MAX_PLAIN_LAST_BYTES))

    def to_data(self) -> dict[str, Any]:
        """Return plain JSON data; what is empty is left out, but for revision and configuration."""
        rest = {
            key: value for key, value in vars(self).items() if value and key not in ("revision", "config")
        }
        return {"revision": self.revision, "config": dict(self.config), **rest}

    @classmethod
    def from_json(cls, text: str | None) -> Self:
        """Read an annotation's value; what cannot be read counts as never having been recorded."""
        return cls.from_data(json_object(text))

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_data` returned; wrong types count as absent."""

        def text(key: str) -> str:
            value = data.get(key)
            return value if isinstance(value, str) else ""

        config = data.get("config")
        return cls(
            revision=text("revision"),
            config=config if isinstance(config, dict) else _unpacked(config),
            withdrawn=data.get("withdrawn") is True,
            adopted=data.get("adopted") is True,
            **{key: text(key) for key in _TEXTS},
        )


def proven_versions(deployment: SeldonDeployment) -> tuple[ProvenVersion, ...]:
    """Return the versions of ``deployment`` that were seen serving, the last one first."""
    last = ProvenVersion.last_of(deployment)
    earlier = json_object(deployment.annotations.get(ANNOTATION_HISTORY)).get("versions")
    read = [
        ProvenVersion.from_data(one)
        for one in (earlier if isinstance(earlier, list) else ())
        if isinstance(one, dict)
    ]
    return (*((last,) if last else ()), *(one for one in read if one.revision))


def has_served(deployment: SeldonDeployment) -> bool:
    """Return whether a version of a deployment was seen serving, or its status says that one is."""
    return bool(proven_versions(deployment)) or deployment.state is DeploymentState.AVAILABLE


def annotations_after(
    deployment: SeldonDeployment, proven: ProvenVersion, *, withdrawn: str = ""
) -> dict[str, str]:
    """
    Return the annotations that record a version as seen serving, with the ones before it.

    :param deployment: as it is stored now.
    :param withdrawn: revision that a rollback went back from.
    """
    earlier = [
        replace(one, withdrawn=one.withdrawn or one.revision == withdrawn)
        for one in proven_versions(deployment)
        if one.revision != proven.revision
    ]
    last = {ANNOTATION_LAST_AVAILABLE: proven.to_json()}
    rest = {key: value for key, value in deployment.annotations.items() if key != ANNOTATION_HISTORY}
    room = MAX_ANNOTATIONS - size_of({**rest, **last, ANNOTATION_HISTORY: ""})
    return last | {ANNOTATION_HISTORY: history_text(earlier[: KEPT - 1], room=room)}


def version_to_restore(deployment: SeldonDeployment, to: str) -> ProvenVersion:
    """
    Return the version that a rollback goes back to.

    :param to: a revision, or ``previous``: the version that was seen serving before the present one. Where the
        present one was never seen serving, that is the last one that was.
    :raises InvalidRequestError: there is none; the text names those that there are.
    """
    present = deployment.annotations.get(ANNOTATION_REVISION, "")
    versions = proven_versions(deployment)
    if to == "previous":
        found = next((one for one in versions if one.revision != present and not one.withdrawn), None)
    else:
        found = next((one for one in versions if one.revision == to), None)
    if found is None:
        known = ", ".join(one.revision + (" (withdrawn)" if one.withdrawn else "") for one in versions)
        raise InvalidRequestError.of(
            "to",
            f"{deployment.name} has no proven version to go back to; it is at revision {present or 'unknown'}",
            f"choose one that was seen serving: {known}"
            if known
            else "deploy a version and let it serve first",
            value=to,
        )
    return found


def secret_in_use(deployment: SeldonDeployment) -> str | None:
    """Return the name of the storage Secret that a deployment's model initializer reads, if there is one."""
    nodes = (node for predictor in deployment.predictors for node in predictor.nodes)
    return next((node.env_secret_ref_name for node in nodes if node.env_secret_ref_name), None)


def json_object(text: str | None) -> dict[str, Any]:
    """Return the JSON object in a text; an empty one when there is none."""
    try:
        data = json.loads(text or "")
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


def history_text(versions: Sequence[ProvenVersion], *, room: int = MAX_HISTORY_BYTES) -> str:
    """Return the history annotation, with as many versions as there is room for: so many bytes, or fewer."""
    entries = [_packed(one, plain=MAX_PLAIN_BYTES) for one in versions]
    while len(text := canonical_json({"versions": entries})) > min(room, MAX_HISTORY_BYTES) and entries:
        entries.pop()
    return text


def size_of(annotations: Mapping[str, str]) -> int:
    """Return the bytes that annotations take, as the API server counts them."""
    return sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items())


def _packed(version: ProvenVersion, *, plain: int) -> dict[str, Any]:
    data = version.to_data()
    text = canonical_json(data["config"])
    if len(text) > plain:
        packed = base64.b64encode(zlib.compress(text.encode(), 9)).decode()
        data["config"] = packed if len(packed) < len(text) else data["config"]
    return data


def _unpacked(config: Any) -> dict[str, Any]:
    if not isinstance(config, str):
        return {}
    try:
        plain = zlib.decompressobj().decompress(base64.b64decode(config, validate=True), _MAX_UNPACKED)
        return json_object(plain.decode())
    except (binascii.Error, zlib.error, ValueError):
        return {}
