"""
Names, labels, annotations and hashes: who owns a deployment, what is equivalent to it, which version it is.

Labels select, annotations hold the full values. A label value that had to be changed to be legal ends in a
hash of the original, and equivalence is always confirmed on the annotations, so that two DAG ids that look
alike once cut to 63 characters never take over each other's model. All of it is a pure function of its
arguments: the same in every process and Python version.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from airflow_provider_seldon.core.resource.manifest import canonical_json
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment

#: Field manager of all writes, and the value of the managed-by label.
MANAGER = "airflow-provider-seldon"
PREFIX = f"{MANAGER}/"

LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"
LABEL_DAG_ID = f"{PREFIX}dag-id"
LABEL_TASK_ID = f"{PREFIX}task-id"
LABEL_MODEL_NAME = f"{PREFIX}model-name"

ANNOTATION_DAG_ID = LABEL_DAG_ID
ANNOTATION_TASK_ID = LABEL_TASK_ID
ANNOTATION_MODEL_NAME = LABEL_MODEL_NAME
ANNOTATION_RUN_ID = f"{PREFIX}run-id"
ANNOTATION_MAP_INDEX = f"{PREFIX}map-index"
ANNOTATION_CONFIG = f"{PREFIX}config"
ANNOTATION_REVISION = f"{PREFIX}revision"
ANNOTATION_METRICS = f"{PREFIX}metrics"
ANNOTATION_LAST_AVAILABLE = f"{PREFIX}last-available"
ANNOTATION_HISTORY = f"{PREFIX}history"
ANNOTATION_ACTION = f"{PREFIX}action"
ANNOTATION_ROLLED_BACK = f"{PREFIX}rolled-back"
ANNOTATION_ORDER = f"{PREFIX}order"
ANNOTATION_CONFIRMED = f"{PREFIX}confirmed"
ANNOTATION_WRITE = f"{PREFIX}write"
ANNOTATION_SECRETS = f"{PREFIX}secrets"
ANNOTATION_MODEL_URI = f"{PREFIX}model-uri"
ANNOTATION_IMPLEMENTATION = f"{PREFIX}implementation"

#: Leaves 27 of the 63 characters of a name for what Seldon appends, e.g. ``-default-0-classifier``.
MAX_NAME_LENGTH = 36

#: What Kubernetes allows as the value of a label.
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?\Z")
_NAME_HASH_LENGTH = 10


@dataclass(frozen=True, kw_only=True)
class Identity:
    """
    Who deploys what: the part of a request that says which deployments are versions of the same model.

    :param dag_id: id of the DAG; empty outside of one.
    :param task_id: id of the task; empty outside of one.
    :param model_name: name of the model.
    :param run_id: id of the DAG run. Tells deployments apart only when they do not replace each other.
    :param map_index: index of a mapped task instance, -1 when it is not mapped; counts where ``run_id`` does.
    """

    dag_id: str = ""
    task_id: str = ""
    model_name: str = ""
    run_id: str = ""
    map_index: int = -1

    @classmethod
    def of(cls, deployment: SeldonDeployment) -> Self:
        """Read back the identity that a deployment of ours was made with."""
        present = deployment.annotations
        index = present.get(ANNOTATION_MAP_INDEX, "")
        return cls(
            dag_id=present.get(ANNOTATION_DAG_ID, ""),
            task_id=present.get(ANNOTATION_TASK_ID, ""),
            model_name=present.get(ANNOTATION_MODEL_NAME, ""),
            run_id=present.get(ANNOTATION_RUN_ID, ""),
            map_index=int(index) if index.isascii() and index.isdecimal() else -1,
        )

    def labels(self) -> dict[str, str]:
        """Return the labels that find deployments of this identity: legal values, empty ones left out."""
        values = {LABEL_DAG_ID: self.dag_id, LABEL_TASK_ID: self.task_id, LABEL_MODEL_NAME: self.model_name}
        return {LABEL_MANAGED_BY: MANAGER} | {key: label_value(text) for key, text in values.items() if text}

    def annotations(self) -> dict[str, str]:
        """Return the full, unshortened values; empty ones left out."""
        index = str(self.map_index) if self.map_index >= 0 else ""
        values = self._equivalence() | {ANNOTATION_RUN_ID: self.run_id, ANNOTATION_MAP_INDEX: index}
        return {key: text for key, text in values.items() if text}

    def selector(self) -> str:
        """Return the label selector that finds all equivalents, and rarely others (see ``matches``)."""
        return ",".join(f"{key}={value}" for key, value in self.labels().items())

    def matches(self, deployment: SeldonDeployment) -> bool:
        """
        Return whether ``deployment`` is an equivalent: ours, and of the same DAG, task and model.

        Compares the annotations. A value that this identity leaves empty must be absent there too.
        """
        present = deployment.annotations
        return is_managed(deployment) and all(
            present.get(key, "") == text for key, text in self._equivalence().items()
        )

    def deployment_name(self, *, replace: bool) -> str:
        """
        Return the name of this identity's deployment: a DNS-1035 label of at most 36 characters.

        :param replace: True gives one name per DAG, task and model, so that the URL stays; False one per run
            and map index as well. In both cases a retry finds what the first try made.
        """
        parts: list[str | int] = [self.dag_id, self.task_id, self.model_name]
        if not replace:
            parts += [self.run_id, self.map_index]
        digest = _digest(parts, _NAME_HASH_LENGTH)
        readable = re.sub(r"[^a-z0-9]+", "-", self.model_name.lower()).strip("-") or "model"
        if not readable[0].isalpha():
            readable = f"m-{readable}"
        return f"{readable[: MAX_NAME_LENGTH - _NAME_HASH_LENGTH - 1].strip('-')}-{digest}"

    def _equivalence(self) -> dict[str, str]:
        return {
            ANNOTATION_DAG_ID: self.dag_id,
            ANNOTATION_TASK_ID: self.task_id,
            ANNOTATION_MODEL_NAME: self.model_name,
        }


def label_value(text: str) -> str:
    """
    Return a legal Kubernetes label value for ``text``.

    Legal text is returned unchanged. Anything else keeps its legal characters, cut to leave room, and ends in
    ``-`` and eight hexadecimal digits of its SHA-256.
    """
    if LABEL_VALUE.match(text):
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    legal = re.sub(r"[^-A-Za-z0-9_.]+", "_", text).strip("-_.")
    return "-".join(part for part in (legal[: 63 - 9].strip("-_."), digest) if part)


def is_managed(deployment: SeldonDeployment) -> bool:
    """Return whether this provider made ``deployment``."""
    return deployment.labels.get(LABEL_MANAGED_BY) == MANAGER


def revision(predictor_manifest: Mapping[str, Any]) -> str:
    """
    Return the revision of a predictor: ten hexadecimal digits of a hash of its content.

    Left out is what changes without a new version of the model: traffic, replicas, explainer, and the stamp
    that carries the revision itself. The order of keys does not matter.
    """
    content = {key: value for key, value in unstamped(predictor_manifest).items() if key not in _NOT_CONTENT}
    return _digest(content, 10)


_NOT_CONTENT = frozenset({"traffic", "replicas", "explainer"})


def unstamped(predictor_manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return a predictor without its stamp, as it was before ``stamped``."""
    predictor = dict(predictor_manifest)
    annotations = predictor.get("annotations")
    if isinstance(annotations, Mapping) and ANNOTATION_REVISION in annotations:
        kept = {key: value for key, value in annotations.items() if key != ANNOTATION_REVISION}
        predictor.pop("annotations")
        if kept:
            predictor["annotations"] = kept
    return predictor


def stamped(predictor_manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return a predictor that carries its own revision as an annotation, by which its pods are recognised."""
    annotations = predictor_manifest.get("annotations")
    if annotations is not None and not isinstance(annotations, Mapping):
        return dict(predictor_manifest)  # nothing to write on; ``validation`` says so
    stamp = {**(annotations or {}), ANNOTATION_REVISION: revision(predictor_manifest)}
    return {**predictor_manifest, "annotations": stamp}


def deployment_revision(manifest: Mapping[str, Any]) -> str:
    """
    Return the revision of a whole SeldonDeployment: equal when applying it again would change nothing.

    Covers the spec (traffic, replicas and explainers included) and the user's own labels and annotations; not
    this provider's, which differ from run to run.
    """
    spec = dict(manifest.get("spec") or {})
    predictors = spec.get("predictors")
    if isinstance(predictors, list):
        spec["predictors"] = [unstamped(one) if isinstance(one, Mapping) else one for one in predictors]
    metadata = manifest.get("metadata") or {}
    own = {
        kind: {key: value for key, value in (metadata.get(kind) or {}).items() if not is_reserved(key)}
        for kind in ("labels", "annotations")
    }
    return _digest({"spec": spec, **own}, 10)


def is_reserved(key: str) -> bool:
    """Return whether a label or annotation belongs to this provider."""
    return key.startswith(PREFIX) or key == LABEL_MANAGED_BY


def _digest(value: Any, length: int) -> str:
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:length]
