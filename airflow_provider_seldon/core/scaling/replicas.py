"""
Numbers of pods: where a spec sets them, where it leaves one open, and whose number counts at the next write.

If a Deployment gets no number from the spec, Seldon's operator updates it for ever after its first change
(measured, 1.17.1 and 1.18.2). So this provider always writes a number unless the spec has an autoscaler:
``spec.replicas`` for what the predictors leave open, because ``kubectl scale`` and an autoscaler of the whole
SeldonDeployment can still change it there, and ``replicas`` of each explainer, for which nothing else counts.
Pure.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from airflow_provider_seldon.core.children.expected import (
    ANNOTATION_NO_ENGINE,
    ANNOTATION_SEPARATE_ENGINE,
    Role,
    expected_children,
    is_autoscaled,
)
from airflow_provider_seldon.core.identity.annotations import ANNOTATION_CONFIG, ANNOTATION_REVISION, MANAGER
from airflow_provider_seldon.core.identity.revision import deployment_revision
from airflow_provider_seldon.core.resource.unstructured import (
    Object,
    items_at,
    mapping_at,
    number_at,
    text_at,
)

#: Path of a number: ``("replicas",)`` is that of the spec; otherwise the predictor's name comes first.
Place = tuple[str | int, ...]
GENERAL: Place = ("replicas",)
DEFAULT = 1


def numbers(spec: Object) -> dict[Place, int]:
    """Return the numbers of pods in a spec."""
    holders = [(GENERAL, spec), *_holders(spec)]
    found = {place: number_at(holder, "replicas") for place, holder in holders}
    return {place: number for place, number in found.items() if number is not None}


def asked_numbers(deployment: Object) -> dict[Place, int]:
    """Return the numbers of pods in a deployment's original request; none for another owner's deployment."""
    try:
        config = json.loads(text_at(deployment, "metadata", "annotations", ANNOTATION_CONFIG) or "{}")
    except (ValueError, RecursionError):
        return {}
    spec = mapping_at(config, "manifest", "spec")
    if not spec:
        # The arguments in their form in the spec, see ``request.spec``.
        extra = {key: mapping_at(config, "extra_args", key) for key in ("explainer", "svcOrchSpec")}
        spec = {"predictors": [{"name": text_at(config, "predictor_name") or "default", **extra}]}
    found = numbers(spec)
    own = number_at(config, "replicas")
    if own is not None:
        found |= {(text_at(one, "name"), "replicas"): own for one in items_at(spec, "predictors")}
    return found


def with_numbers(spec: Object, wanted: Mapping[Place, int]) -> dict[str, Any]:
    """Return a spec with exactly these numbers."""

    def set_one(place: Place, holder: dict[str, Any]) -> None:
        if place in wanted:
            holder["replicas"] = wanted[place]
        elif number_at(holder, "replicas") is not None:
            del holder["replicas"]

    return _changed(spec, set_one)


def completed(
    spec: Object, *, general: int = DEFAULT, explainers: Mapping[Place, int] | None = None
) -> dict[str, Any]:
    """
    Return a spec that leaves no number of pods open, except where an autoscaler decides.

    :param general: number for what the predictors leave open.
    :param explainers: place -> number of pods of explainers that say none; 1 for those that are not in it.
    """

    def fill(place: Place, holder: dict[str, Any]) -> None:
        if holder.get("replicas") is not None:
            return
        if place == GENERAL and _leaves_open(spec):
            holder["replicas"] = general
        elif _is_explainer(place) and text_at(holder, "type"):
            holder["replicas"] = (explainers or {}).get(place, DEFAULT)

    return _changed(spec, fill)


def as_asked(spec: Object, asked: Mapping[Place, int]) -> dict[str, Any]:
    """
    Return a spec without the numbers that ``completed`` may have added; a version is hashed without them.

    :param asked: the numbers in the request itself.
    """

    def added(place: Place) -> bool:
        return place not in asked and (place == GENERAL or _is_explainer(place))

    return with_numbers(spec, {place: one for place, one in numbers(spec).items() if not added(place)})


def revision(manifest: Object, asked: Mapping[Place, int]) -> str:
    """Return the revision of a deployment as requested."""
    return deployment_revision({**manifest, "spec": as_asked(mapping_at(manifest, "spec"), asked)})


def carried(
    wanted: Object,
    current: Object,
    *,
    asked: Mapping[Place, int],
    asked_before: Mapping[Place, int],
    insist: bool = True,
) -> dict[str, Any]:
    """
    Return the spec to apply, with the numbers of pods that stay as they are.

    A number that ``kubectl scale`` or an autoscaler has set stays: the field is left out, and server-side
    apply does not change fields that it does not mention. Exceptions: they have set it to zero, because a
    deploy needs pods; and the request has another number than the previous one.

    :param wanted: the deployment to write, with all its numbers.
    :param current: the existing deployment.
    :param asked: numbers in the request.
    :param asked_before: numbers in the request of the existing deployment.
    :param insist: whether a number that is new in the request takes precedence over one that others have set.
    """
    spec, stored = mapping_at(wanted, "spec"), mapping_at(current, "spec")
    kept = numbers(spec)
    for place in [place for place in kept if _is_explainer(place) and place not in asked]:
        before = None if place in asked_before else numbers(stored).get(place)
        kept[place] = before or standing(current, place) or kept[place]
    if GENERAL not in kept:
        return with_numbers(spec, kept)
    now = number_at(stored, "replicas")
    is_news = insist and GENERAL in asked and asked[GENERAL] != asked_before.get(GENERAL)
    if now and set_by_others(current):
        if not is_news:
            del kept[GENERAL]
    elif GENERAL not in asked:
        settled = now if now and not is_scaled_by_us(current, asked_before) else None
        found = standing(current, left_open=_left_open(wanted)) if now is None else None
        kept[GENERAL] = settled or found or kept[GENERAL]
    return with_numbers(spec, kept)


def awake(
    deployment: Object, asked: Mapping[Place, int], *, sleeps: Callable[[Object], bool]
) -> dict[str, Any]:
    """
    Return the stored spec of a deployment with pods: with the requested numbers instead of zeroes.

    :param asked: numbers in the request of the deployment.
    :param sleeps: returns whether a deployment requests no pods at all.
    """
    spec = mapping_at(deployment, "spec")
    found = numbers(spec)
    if sleeps(deployment):
        found = {place: number or asked.get(place, -1) for place, number in found.items()}
        spec = with_numbers(spec, {place: number for place, number in found.items() if number >= 0})
        if sleeps({"spec": spec}):
            spec = with_numbers(spec, {place: number for place, number in found.items() if number > 0})
    return completed(spec)


def scaled(spec: Object, replicas: int) -> dict[str, Any]:
    """
    Return a spec with ``replicas`` pods of every predictor.

    The number replaces existing ones; if a predictor has no own number, it is set in the spec. A separate
    engine keeps its own number, unless everything scales to zero.
    """
    inherits = any(number_at(one, "replicas") is None for one in items_at(spec, "predictors"))

    def set_one(place: Place, holder: dict[str, Any]) -> None:
        own = number_at(holder, "replicas") is not None or (place == GENERAL and inherits)
        stays = _is_explainer(place) or (place[-1] == "svcOrchSpec" and replicas)
        if own and not stays:
            holder["replicas"] = replicas

    return _changed(spec, set_one)


def set_by_others(deployment: Object) -> bool:
    """Return whether ``spec.replicas`` was set by another client than this provider's last apply."""
    if number_at(deployment, "spec", "replicas") is None:
        return False
    owners = _owners(deployment)
    return not owners or any(not _is_ours(one) for one in owners)


def set_by_hand(deployment: Object) -> bool:
    """
    Return whether the other owners of ``spec.replicas`` do not apply it: ``kubectl scale``, ``edit``, an
    autoscaler.

    A manager that applies its number does so repeatedly, so it is reported instead of overruled.
    """
    return all(_is_ours(one) or one.get("operation") != "Apply" for one in _owners(deployment))


def is_scaled_by_us(deployment: Object, asked: Mapping[Place, int]) -> bool:
    """Return whether the recorded revision includes a number that was not requested, as after scaling."""
    recorded = text_at(deployment, "metadata", "annotations", ANNOTATION_REVISION)
    return revision(deployment, asked) != recorded


def standing(deployment: Object, place: Place = GENERAL, *, left_open: Collection[str] = ()) -> int | None:
    """
    Return how many pods a Deployment has whose number the spec leaves open; None if not known, or zero.

    The operator does not change such a number, so another client has set it on the Deployment itself.

    :param left_open: Deployments that also count if an autoscaler decides now: the next spec has none for them.
    """
    if text_at(deployment, "status", "state").lower() != "available":
        return None
    role = Role.COMPONENT if place == GENERAL else Role.EXPLAINER
    seen = mapping_at(deployment, "status", "deploymentStatus")
    counts = []
    for child in expected_children(deployment):
        of_place = place == GENERAL or text_at(child.predictor, "name") == place[0]
        scaled_still = child.autoscaled and not any(name in left_open for name in child.names)
        if child.role is not role or scaled_still or child.replicas is not None or not of_place:
            continue
        entry = next((mapping_at(seen, name) for name in child.names if name in seen), {})
        count = number_at(entry, "replicas")
        if count and count == number_at(entry, "availableReplicas"):
            counts.append(count)
    return max(counts, default=None)


def _left_open(deployment: Object) -> frozenset[str]:
    """Return the names of the Deployments of components that get the number of the whole spec."""
    spec = {key: value for key, value in mapping_at(deployment, "spec").items() if key != "replicas"}
    return frozenset(
        name
        for child in expected_children({**deployment, "spec": spec})
        if child.role is Role.COMPONENT and child.replicas is None and not child.autoscaled
        for name in child.names
    )


def _holders(spec: Object) -> Iterator[tuple[Place, Object]]:
    for predictor in items_at(spec, "predictors"):
        name = text_at(predictor, "name")
        yield (name, "replicas"), predictor
        for index, component in enumerate(items_at(predictor, "componentSpecs")):
            yield (name, "componentSpecs", index), component
        for key in ("svcOrchSpec", "explainer"):
            yield (name, key), mapping_at(predictor, key)


def _changed(spec: Object, change: Callable[[Place, dict[str, Any]], None]) -> dict[str, Any]:
    new: dict[str, Any] = copy.deepcopy(dict(spec))
    change(GENERAL, new)
    for place, holder in _holders(new):
        if isinstance(holder, dict) and (holder or place[-1] == "replicas"):
            change(place, holder)
    return new


def _leaves_open(spec: Object) -> bool:
    separate = _is_true(spec, ANNOTATION_SEPARATE_ENGINE)
    for predictor in items_at(spec, "predictors"):
        if predictor.get("replicas") is not None:
            continue
        engine = mapping_at(predictor, "svcOrchSpec")
        if separate and not _is_true(predictor, ANNOTATION_NO_ENGINE) and engine.get("replicas") is None:
            return True
        components = items_at(predictor, "componentSpecs") or [{}]
        if any(one.get("replicas") is None and not is_autoscaled(one) for one in components):
            return True
    return False


def _is_true(holder: Object, annotation: str) -> bool:
    return text_at(holder, "annotations", annotation).lower() == "true"


def _is_explainer(place: Place) -> bool:
    return place[-1] == "explainer"


def _owners(deployment: Object) -> list[Object]:
    """Return the entries of ``managedFields`` that own ``spec.replicas``."""
    entries = items_at(deployment, "metadata", "managedFields")
    return [one for one in entries if "f:replicas" in mapping_at(one, "fieldsV1", "f:spec")]


def _is_ours(entry: Object) -> bool:
    return entry.get("manager") == MANAGER and entry.get("operation") == "Apply"
