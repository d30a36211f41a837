"""
The proven versions of a deployment: the targets of rollbacks.

They are kept on the deployment itself, in two annotations: the last one (``last-available``), and the ones
before it (``history``, newest first). Each holds the configuration of the version, which never contains a
credential, so that it can be rebuilt; a storage Secret only by its name. Annotations of one object may take
256 KiB in all (Kubernetes API concepts), so large configurations are compressed, and the oldest versions of
the history are dropped first. A version that cannot be recorded at all is refused before the deploy: see
``annotation_space``.

A proven version *may* fail later: the wait for a rollback is that of any rollout.
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

#: Proven versions that are kept, including the last available one.
KEPT = 10
#: Maximum bytes of all annotations of an object, keys and values (Kubernetes, ``TotalAnnotationSizeLimitB``).
MAX_ANNOTATIONS = 262_144
#: Bytes that are reserved for additions by others, or by a rollback.
SPARE = 8_192
#: Maximum bytes of the history annotation.
MAX_HISTORY_BYTES = 40_000
#: A configuration longer than this is compressed in the history, and
MAX_PLAIN_BYTES = 1_000
#: one longer than this in ``last-available``, which users may want to read.
MAX_PLAIN_LAST_BYTES = 10_000
_TEXTS = ("secret_name", "run_id", "order", "metrics", "dag_id", "task_id", "managed_by", "proven_at")
#: Maximum of an unpacked configuration; this provider writes none that is larger.
_MAX_UNPACKED = 1_000_000


@dataclass(frozen=True, kw_only=True)
class ProvenVersion:
    """
    A proven version of a deployment: it has served.

    :param revision: revision of the whole deployment.
    :param config: its ``ModelServer`` as JSON data; empty when it was not built from one.
    :param secret_name: storage Secret that it used; "" for none.
    :param run_id: DAG run that deployed it.
    :param order: its ordering token, see ``fence``.
    :param metrics: its metrics, in the form of their annotation.
    :param withdrawn: it was rolled back, so "previous" skips it.
    :param dag_id: DAG that deployed it; "" in a record of an earlier release.
    :param task_id: its task.
    :param adopted: it is not ours, but the content before the deployment was taken over.
    :param managed_by: its managed-by label at that time.
    :param proven_at: when it was first seen ready without another version in between, in UTC; "" in a record
        of an earlier release.
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
        """Return the record of ``deployment`` for when it is proven."""
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
        """Return the version of ``deployment`` that last served; None when none ever has."""
        last = cls.from_json(deployment.annotations.get(ANNOTATION_LAST_AVAILABLE))
        return last if last.revision else None

    def to_json(self) -> str:
        """Return the annotation's value."""
        return canonical_json(_packed(self, plain=MAX_PLAIN_LAST_BYTES))

    def to_data(self) -> dict[str, Any]:
        """Return plain JSON data; empty values are left out, except revision and configuration."""
        rest = {
            key: value for key, value in vars(self).items() if value and key not in ("revision", "config")
        }
        return {"revision": self.revision, "config": dict(self.config), **rest}

    @classmethod
    def from_json(cls, text: str | None) -> Self:
        """Parse an annotation's value; an unreadable one counts as not recorded."""
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
    """Return the proven versions of ``deployment``, the last one first."""
    last = ProvenVersion.last_of(deployment)
    earlier = json_object(deployment.annotations.get(ANNOTATION_HISTORY)).get("versions")
    read = [
        ProvenVersion.from_data(one)
        for one in (earlier if isinstance(earlier, list) else ())
        if isinstance(one, dict)
    ]
    return (*((last,) if last else ()), *(one for one in read if one.revision))


def has_served(deployment: SeldonDeployment) -> bool:
    """Return whether a version of a deployment is proven, or its status is ``Available``."""
    return bool(proven_versions(deployment)) or deployment.state is DeploymentState.AVAILABLE


def annotations_after(
    deployment: SeldonDeployment, proven: ProvenVersion, *, withdrawn: str = ""
) -> dict[str, str]:
    """
    Return the annotations that record a version as proven, with the previous ones.

    :param deployment: the deployment as stored now.
    :param withdrawn: revision that a rollback replaced.
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
    Return the target version of a rollback.

    :param to: a revision, or ``previous``: the proven version before the current one. If the current one is
        not proven, that is the last proven version.
    :raises InvalidRequestError: there is none; the message lists the existing ones.
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
            f"{deployment.name} has no proven version to go back to; it is at revision "
            f"{present or 'unknown'}",
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
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def history_text(versions: Sequence[ProvenVersion], *, room: int = MAX_HISTORY_BYTES) -> str:
    """Return the history annotation, with as many versions as fit into ``room`` bytes."""
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
