"""
The traces of a write on a deployment, to check later whether the write is still in effect.

A new generation is not a new spec: ``kubectl scale`` and autoscalers only change numbers of pods, and
another client may add a label. And the same spec is not the same write: the second try of a task writes what
the first one wrote, and only the second may undo it. So every write has its own mark, and the written content
is compared, except for numbers of pods. Pure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from airflow_provider_seldon.core.identity.annotations import (
    ANNOTATION_ORDER,
    ANNOTATION_REVISION,
    ANNOTATION_RUN_ID,
    ANNOTATION_WRITE,
    is_reserved,
)
from airflow_provider_seldon.core.resource.canonical_json import canonical_json
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
from airflow_provider_seldon.core.resource.unstructured import mapping_at
from airflow_provider_seldon.core.rollout.history import ProvenVersion

#: Parts of a predictor that have their own number of pods.
_SCALED = ("componentSpecs", "explainer", "svcOrchSpec")


@dataclass(frozen=True, kw_only=True)
class Written:
    """
    One write.

    :param mark: distinguishes it from every other write; as in the annotation.
    :param contents: path of a written field -> hash of what the server stored there.
    :param proven: last proven revision at the time of the write; "" for none.
    :param order: ordering token of the run that wrote, see ``fence``.
    """

    mark: str = ""
    contents: Mapping[str, str] = field(default_factory=dict)
    proven: str = ""
    order: str = ""

    @classmethod
    def of(cls, wanted: SeldonDeployment, stored: SeldonDeployment) -> Self:
        """
        Return the traces of a write.

        :param wanted: the deployment that was sent; only its fields count.
        :param stored: the server's response, with its defaults.
        """
        present = _contents(stored)
        return cls(
            mark=stored.annotations.get(ANNOTATION_WRITE, ""),
            contents={place: present[place] for place in _contents(wanted) if place in present},
            proven=_proven(stored),
            order=stored.annotations.get(ANNOTATION_ORDER, ""),
        )

    def is_in(self, current: SeldonDeployment, *, refuted: str = "") -> bool:
        """
        Return whether no written field has changed since, and no version was proven on it.

        :param refuted: revision whose proof does not count.
        """
        present = _contents(current)
        return (
            current.annotations.get(ANNOTATION_WRITE, "") == self.mark
            and all(present.get(place) == content for place, content in self.contents.items())
            and _proven(current) in {self.proven, refuted or self.proven}
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {**vars(self), "contents": dict(self.contents)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_json` returned; unknown keys are ignored, so that versions can differ."""
        return cls(**{key: value for key, value in data.items() if key in cls.__dataclass_fields__})


def fingerprint(deployment: SeldonDeployment) -> str:
    """Return a short text that changes with every deploy to a deployment."""
    keys = (ANNOTATION_REVISION, ANNOTATION_RUN_ID, ANNOTATION_WRITE)
    return _digest([deployment.annotations.get(key) for key in keys])


def _proven(deployment: SeldonDeployment) -> str:
    last = ProvenVersion.last_of(deployment)
    return last.revision if last else ""


def _contents(deployment: SeldonDeployment) -> dict[str, str]:
    return {place: _digest(value) for place, value in _places(deployment.to_manifest())}


def _places(manifest: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the units of field ownership: parts of the spec, labels, and annotations of the user."""
    for key, value in without_numbers(mapping_at(manifest, "spec")).items():
        yield f"spec {key}", value
    for kind in ("labels", "annotations"):
        for key, value in mapping_at(manifest, "metadata", kind).items():
            if kind == "labels" or not is_reserved(key):
                yield f"{kind} {key}", value


def without_numbers(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return a spec without its numbers of pods."""
    return {
        key: _without_numbers(value) if key == "predictors" else value
        for key, value in spec.items()
        if key != "replicas"
    }


def _without_numbers(value: Any) -> Any:
    """Return predictors, or a part of one with its own pods, without the numbers of pods."""
    if isinstance(value, list):
        return [_without_numbers(one) for one in value]
    if not isinstance(value, Mapping):
        return value
    return {
        key: _without_numbers(item) if key in _SCALED else item
        for key, item in value.items()
        if key != "replicas"
    }


def _digest(value: Any) -> str:
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:12]
