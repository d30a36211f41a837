"""
A SeldonDeployment with a candidate and the main predictor: the manifests of every stage. Pure.

Facts that decide the shape (Seldon's operator 1.18.2, measured): a candidate at the end of the list restarts
no other predictor, because metrics ports are numbered in the order of the list. Removing it takes one write,
and the routes follow at once, while a weight of 0 is not written as long as a Deployment is not ready, and by
some ingresses not at all.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from airflow_provider_seldon.core.canary.steps import Step
from airflow_provider_seldon.core.children.expected import ANNOTATION_SERVICE_NAME
from airflow_provider_seldon.core.identity.revision import stamped, unstamped
from airflow_provider_seldon.core.invalid_request import InvalidRequestError

#: Name of the candidate's predictor. It is reserved: a deployment with its own predictor of this name is
#: refused.
CANDIDATE = "canary"


def main_of(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """
    Return the main predictor: the only one besides our candidate.

    :raises InvalidRequestError: the traffic is already split, or the deployment has a shadow: its canary
        would have no single version to compare with.
    """
    others = [one for one in spec.get("predictors") or [] if one.get("name") != CANDIDATE]
    if len(others) != 1:
        names = ", ".join(str(one.get("name")) for one in others) or "none"
        raise InvalidRequestError.of(
            "spec.predictors",
            f"a canary needs one predictor to be compared with, and there are: {names}",
            "split the traffic by hand with SeldonApplyOperator, or deploy one predictor",
        )
    found: Mapping[str, Any] = others[0]
    return found


def candidate_of(spec: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the candidate's predictor; None when there is none."""
    return next((one for one in spec.get("predictors") or [] if one.get("name") == CANDIDATE), None)


def with_candidate(spec: Mapping[str, Any], candidate: Mapping[str, Any], step: Step) -> dict[str, Any]:
    """
    Return the spec in which the candidate has the step's share of the traffic.

    :param spec: the stored spec, with or without a candidate. Everything else in it stays.
    :param candidate: a predictor with any name; its explainer is left out until it is promoted.
    :param step: the step.
    :raises InvalidRequestError: see :func:`main_of`.
    """
    main = copy.deepcopy(dict(main_of(spec)))
    beside = copy.deepcopy(dict(candidate))
    beside.pop("explainer", None)
    beside.pop("shadow", None)
    # A Service name in the spec belongs to the main predictor; two predictors with it would share one
    # Service.
    if ANNOTATION_SERVICE_NAME in (beside.get("annotations") or {}):
        beside["annotations"] = {
            key: value for key, value in beside["annotations"].items() if key != ANNOTATION_SERVICE_NAME
        }
    # The stamp identifies the version of its pods, whatever share of the traffic they get.
    beside = stamped(unstamped(beside | {"name": CANDIDATE})) | {"traffic": step.weight}
    if step.shadow:
        beside["shadow"] = True
    main["traffic"] = 100 if step.shadow else 100 - step.weight
    return {**copy.deepcopy(dict(spec)), "predictors": [main, beside]}


def with_promoted(spec: Mapping[str, Any], promoted: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return the spec in which the main predictor has the candidate's content, and the weights are unchanged.

    The candidate continues to serve its share while the main predictor rolls out.

    :param promoted: the final predictor, including its explainer.
    """
    main, beside = main_of(spec), candidate_of(spec)
    new = copy.deepcopy(dict(promoted)) | {"name": main.get("name")}
    new.pop("traffic", None)
    if beside is None:
        return {**copy.deepcopy(dict(spec)), "predictors": [new]}
    new["traffic"] = main.get("traffic", 100)
    return {**copy.deepcopy(dict(spec)), "predictors": [new, copy.deepcopy(dict(beside))]}


def without_candidate(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the spec without the candidate: the last write of a promotion, and the only one of an abort."""
    main = copy.deepcopy(dict(main_of(spec)))
    # A single predictor without a weight gets all traffic; a weight of 75 would be refused.
    main.pop("traffic", None)
    return {**copy.deepcopy(dict(spec)), "predictors": [main]}


def weights_of(spec: Mapping[str, Any]) -> dict[str, int]:
    """Return the desired weight of each answering predictor, by name; a single one has 100."""
    answering = [one for one in spec.get("predictors") or [] if one.get("shadow") is not True]
    if len(answering) == 1:
        return {str(answering[0].get("name")): 100}
    return {str(one.get("name")): _percent(one.get("traffic")) for one in answering}


def _percent(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def refuse_unlike(baseline: Mapping[str, Any], candidate: Mapping[str, Any]) -> None:
    """
    Refuse a candidate that cannot run together with the baseline in one SeldonDeployment.

    :param baseline: spec of the running version.
    :param candidate: spec of the requested version.
    :raises InvalidRequestError: they differ in fields that apply to all predictors, or in the predictor's
        name; or one of them does not have exactly one predictor.
    """
    old, new = main_of(baseline), main_of(candidate)
    if candidate_of(candidate) is not None or candidate_of(baseline) is not None:
        raise InvalidRequestError.of(
            "spec.predictors", f"has one of the name {CANDIDATE!r}", "that is the candidate's; use another"
        )
    if old.get("name") != new.get("name"):
        raise InvalidRequestError.of(
            "spec.predictors",
            f"is called {new.get('name')!r} and not {old.get('name')!r}, like the running version's",
            "keep the predictor's name, or deploy without a canary",
        )
    shared = [sorted(set(spec) - {"predictors", "replicas", "name"}) for spec in (baseline, candidate)]
    for key in sorted({*shared[0], *shared[1]}):
        if baseline.get(key) != candidate.get(key):
            raise InvalidRequestError.of(
                f"spec.{key}",
                "differs from the running version's, and applies to all predictors",
                "deploy without a canary",
            )
