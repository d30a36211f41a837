"""
What a wait waits for: a small value that can be stored as JSON, and whether the stored deployment still
matches.

An ``Expectation`` is built once from the server's response to the write. The state of a wait is in
``stabilization``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from airflow_provider_seldon.core.children.expected import SPOKEN
from airflow_provider_seldon.core.identity.annotations import ANNOTATION_REVISION
from airflow_provider_seldon.core.identity.revision import revision
from airflow_provider_seldon.core.readiness.acknowledgement import Mark, routes_of
from airflow_provider_seldon.core.readiness.observation import Observation, Phase
from airflow_provider_seldon.core.resource.unstructured import (
    HasManifest,
    Object,
    as_manifest,
    items_at,
    mapping_at,
    name_of,
    number_at,
    text_at,
)
from airflow_provider_seldon.core.scaling.replicas import completed
from airflow_provider_seldon.core.scaling.sleeping import asking_for_pods, is_scaled_to_zero

#: Fields of an explainer in a predictor for which the operator has its own default.
_DEFAULTED = (
    ("explainer", "envSecretRefName"),
    ("explainer", "storageInitializerImage"),
    ("explainer", "containerSpec", "image"),
)


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """
    The write to wait for. Everything is optional: an empty one waits for the deployment as it is now.

    :param uid: ``metadata.uid`` of the deployment; a different one means that it was deleted and re-created.
    :param generation: ``metadata.generation`` after the write; an older one is a stale read.
    :param revisions: predictor name -> revision that this provider stamped. Empty for a foreign deployment.
    :param contents: predictor name -> hash of its stored content, to detect a change that leaves the stamp as
        it is, e.g. by ``kubectl edit``.
    :param status: fingerprint of the status in the write's response. The operator's own writes are
        conditional on the resource version that it read, so a different status was computed from this write,
        or from a newer one (Seldon Core reference, fact 6). None: not known.
    :param settle: the write changed something that no Deployment shows, e.g. only the traffic weights; or it
        scaled up from zero, or no longer sets the number of pods, and the previous pods may be mistaken for
        the new ones.
    :param routes: the write changed how requests are split between predictors.
    :param awake: predictors that the write runs with pods; one that another client then scales to zero was
        never seen ready.
    :param withdrawn: annotations of the spec that the write removed.
    :param mark: identifies the operator's next write of the status; None: not known.
    :param speaks: protocol, transport and server type of the whole deployment; None: not known.
    """

    uid: str | None = None
    generation: int | None = None
    revisions: Mapping[str, str] = field(default_factory=dict)
    contents: Mapping[str, str] = field(default_factory=dict)
    status: str | None = None
    settle: bool = False
    routes: bool = False
    awake: Sequence[str] = ()
    withdrawn: Sequence[str] = ()
    mark: Mark | None = None
    speaks: str | None = None

    @classmethod
    def of(
        cls, deployment: HasManifest | Object, *, before: HasManifest | Object | None = None
    ) -> Expectation:
        """
        Return what to expect after a write.

        :param deployment: the server's response to the write.
        :param before: the deployment before the write; None when it is new, or not known.
        """
        manifest = as_manifest(deployment)
        former = None if before is None else as_manifest(before)
        return cls(
            uid=text_at(manifest, "metadata", "uid") or None,
            generation=number_at(manifest, "metadata", "generation"),
            revisions=stamped_revisions(manifest),
            contents=predictor_contents(manifest),
            status=status_fingerprint(manifest),
            settle=former is not None and _may_look_done_already(former, manifest),
            routes=former is not None and routes_of(former) != routes_of(manifest),
            awake=asking_for_pods(manifest),
            withdrawn=_withdrawn(former or {}, manifest),
            mark=Mark.of(manifest),
            speaks=spoken_by(manifest),
        )

    @classmethod
    def of_retry(
        cls, deployment: HasManifest | Object, *, before: HasManifest | Object | None = None
    ) -> Expectation:
        """
        Return what to expect after a write that an earlier try may have made already.

        Where it changed nothing, the other's change of traffic may be on its way, see :meth:`of_found`.

        :param deployment: what the server answered to the write.
        :param before: the deployment as it was before the write; None when it is new.
        """
        manifest = as_manifest(deployment)
        if (
            before is None
            or as_manifest(before).get("spec") != manifest.get("spec")
            or not routes_of(manifest)
        ):
            return cls.of(deployment, before=before)
        return cls.of_found(deployment)

    @classmethod
    def of_found(cls, deployment: HasManifest | Object) -> Expectation:
        """
        Return what to wait for after another client's write, or after an earlier try's.

        What was there before it is not known any more, so pods and routes are waited for as if both had changed.
        Neither is known whether the operator has written its status since: one that has does not do so again.
        """
        return replace(cls.of(deployment), settle=True, routes=True, status=None, mark=None)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON data, without None and defaults."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__}
        plain |= {"revisions": dict(self.revisions), "contents": dict(self.contents)}
        plain |= {"awake": list(self.awake), "withdrawn": list(self.withdrawn)}
        plain |= {"mark": self.mark and self.mark.to_json()}
        return {key: value for key, value in plain.items() if value not in (None, {}, False, [])}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Expectation:
        """Return the value that ``to_json`` wrote. Unknown keys are ignored, so that versions can differ."""
        known = {key: value for key, value in data.items() if key in cls.__dataclass_fields__}
        if known.get("mark") is not None:
            known["mark"] = Mark.from_json(known["mark"])
        return cls(**known | {name: tuple(known.get(name) or ()) for name in ("awake", "withdrawn")})


def stamped_revisions(deployment: Object) -> dict[str, str]:
    """Return predictor name -> revision for the predictors that carry this provider's stamp."""
    stamps = {
        text_at(predictor, "name"): text_at(predictor, "annotations", ANNOTATION_REVISION)
        for predictor in items_at(deployment, "spec", "predictors")
    }
    return {name: stamp for name, stamp in stamps.items() if stamp}


def predictor_contents(deployment: Object) -> dict[str, str]:
    """Return predictor name -> hash of its content, whoever wrote it."""
    return {text_at(one, "name"): revision(one) for one in items_at(deployment, "spec", "predictors")}


def spoken_by(deployment: Object) -> str:
    """Return how clients talk to a deployment, with the operator's defaults."""
    return ", ".join(text_at(deployment, "spec", key) or default for key, default in SPOKEN.items())


def status_fingerprint(deployment: Object) -> str:
    """
    Return a short text that changes whenever the operator's report changes.

    It leaves out the times of conditions: the operator ignores them when it compares, so they prove nothing.
    """
    status = mapping_at(deployment, "status")
    conditions = sorted(
        f"{text_at(one, 'type')}={text_at(one, 'status')}" for one in items_at(status, "conditions")
    )
    counts = sorted(
        f"{name}={number_at(one, 'availableReplicas') or 0}/{number_at(one, 'replicas') or 0}"
        for name, one in mapping_at(status, "deploymentStatus").items()
    )
    parts = [text_at(status, "state").lower(), text_at(status, "description"), *conditions, *counts]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def overtaken(manifest: Object | None, expected: Expectation) -> Observation | None:
    """Return an observation if the stored deployment is no longer the one that was written, else None."""
    if manifest is None:
        return Observation(
            phase=Phase.DELETED, reason="NotFound", message="the SeldonDeployment does not exist"
        )
    name, uid = name_of(manifest), text_at(manifest, "metadata", "uid")
    if expected.uid and uid != expected.uid:
        message = f"{name} was deleted and re-created by someone else (uid {uid}, expected {expected.uid})"
        return Observation(phase=Phase.REPLACED, reason="AnotherUid", message=message)
    if text_at(manifest, "metadata", "deletionTimestamp"):
        return Observation(phase=Phase.DELETED, reason="BeingDeleted", message=f"{name} is being deleted")
    generation = number_at(manifest, "metadata", "generation") or 0
    if generation < (expected.generation or 0):
        message = f"generation {expected.generation} has not been seen yet, only {generation}"
        return Observation(phase=Phase.PENDING, reason="NotSeenYet", message=message)
    changed = _changed_predictor(manifest, expected, newer=generation > (expected.generation or generation))
    if changed:
        message = f"another writer changed {name}: {changed}"
        return Observation(phase=Phase.REPLACED, reason="ChangedByAnotherWriter", message=message)
    return None


def unless_stopped(observation: Observation, manifest: Object, expected: Expectation) -> Observation:
    """
    Return an observation or, instead of a ready one, that another client scaled a write with pods to zero.

    Then it is no longer known whether it would have become ready. Until its pods are gone it may, and it may
    scale up again.
    """
    asking = asking_for_pods(manifest)
    stopped = [name for name in expected.awake if name not in asking]
    if observation.phase is not Phase.READY or not stopped:
        return observation
    message = f"another writer scaled {name_of(manifest)} to zero before it was ready: {', '.join(stopped)}"
    return Observation(phase=Phase.REPLACED, reason="ScaledToZeroByAnother", message=message)


def _may_look_done_already(before: Object, after: Object) -> bool:
    woken = is_scaled_to_zero(before) and not is_scaled_to_zero(after)
    return woken or _leaves_replicas_open(before, after) or _changes_nothing_visible(before, after)


def _withdrawn(before: Object, after: Object) -> tuple[str, ...]:
    """Return the annotations that are no longer in the spec."""
    former = set(mapping_at(before, "spec", "annotations"))
    return tuple(sorted(former - set(mapping_at(after, "spec", "annotations"))))


def _leaves_replicas_open(before: Object, after: Object) -> bool:
    """Return whether a predictor had a number of pods that the spec no longer sets."""
    fixed = {text_at(one, "name") for one in items_at(before, "spec", "predictors") if "replicas" in one}
    predictors = items_at(after, "spec", "predictors")
    is_open = number_at(after, "spec", "replicas") is None
    return is_open and any(text_at(one, "name") in fixed and "replicas" not in one for one in predictors)


def _changes_nothing_visible(before: Object, after: Object) -> bool:
    """
    Return whether the specs differ although every predictor, with replicas and explainer, stayed the same.

    Removed predictors take their Deployments with them, which the status may not list.
    """
    if before.get("spec") == after.get("spec"):
        return False
    names = {text_at(one, "name") for one in items_at(after, "spec", "predictors")}
    kept = [one for one in _visible(before) if not isinstance(one, Mapping) or one.get("name") in names]
    return kept == _visible(after) or _explainer_is_back_to_a_default(before, after)


def _explainer_is_back_to_a_default(before: Object, after: Object) -> bool:
    """Return whether an explainer lost its own Secret or image: only the operator knows the default."""
    now = {text_at(one, "name"): one for one in items_at(after, "spec", "predictors")}
    return any(
        text_at(one, *path) and mapping_at(found, "explainer") and not text_at(found, *path)
        for one in items_at(before, "spec", "predictors")
        for found in [now.get(text_at(one, "name"), {})]
        for path in _DEFAULTED
    )


def _visible(deployment: Object) -> list[Any]:
    hidden = {"traffic"}
    # A number of pods that is now set, but was not before, is not visible in a Deployment either.
    spec = completed(mapping_at(deployment, "spec"))
    predictors = items_at(spec, "predictors")
    return [
        spec.get("replicas"),
        *({key: value for key, value in one.items() if key not in hidden} for one in predictors),
    ]


def _changed_predictor(manifest: Object, expected: Expectation, *, newer: bool) -> str:
    """Return which predictor differs from the one that was written; others may have been added."""
    stamps = stamped_revisions(manifest)
    for predictor, stamp in expected.revisions.items():
        if stamps.get(predictor) != stamp:
            found = f"has revision {stamps[predictor]}" if predictor in stamps else "has no revision"
            return f"predictor {predictor} {found}, expected {stamp}"
    contents = predictor_contents(manifest) if newer else {}
    for predictor, content in expected.contents.items() if newer else ():
        if contents.get(predictor) != content:
            return f"predictor {predictor} has other content than was written"
    if newer and expected.speaks not in (None, spoken_by(manifest)):
        return f"it speaks {spoken_by(manifest)}, not {expected.speaks}"
    return ""
