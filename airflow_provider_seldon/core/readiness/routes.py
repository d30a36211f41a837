"""
Do the routes have the weights that were written? A VirtualService is held against a SeldonDeployment. Pure.

Facts (Seldon's operator 1.18.2 with Istio, measured): one VirtualService is called like the deployment; each rule has a
route entry for every predictor, told by ``subset``, and the shadow as ``mirror``. It is rewritten only while every
Deployment is ready. A weight of 0 is left out, and so is the weight of a single predictor: absent means nothing beside
others, and everything when alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from airflow_provider_seldon.core.children.expected import expected_children
from airflow_provider_seldon.core.readiness.acknowledgement import divides_in_istio
from airflow_provider_seldon.core.readiness.expectation import Expectation
from airflow_provider_seldon.core.readiness.judge import Verdict
from airflow_provider_seldon.core.readiness.observation import Phase
from airflow_provider_seldon.core.readiness.operator_status import UNACKNOWLEDGED
from airflow_provider_seldon.core.resource.unstructured import Object, items_at, mapping_at, text_at

#: Seconds after which routes that differ are read again.
RECHECK = 0.5
UNREADABLE = (
    "the routes could not be read, so only the operator's own word says that requests are divided anew"
)


def asks_for_routes(manifest: Object | None, expected: Expectation, verdict: Verdict) -> bool:
    """
    Whether the routes have to be read before a verdict counts: where they were changed, or may have been by another.

    Not while a predictor is scaled to zero: the operator rewrites no routes then.
    """
    if manifest is None or verdict.phase is not Phase.READY:
        return False
    if not expected.routes and not divides_in_istio(manifest):
        return False
    return not any(child.scaled_to_zero for child in expected_children(manifest))


def held_against_routes(
    verdict: Verdict, manifest: Object, virtual_service: Object | None, *, expected: Expectation, now: float
) -> Verdict:
    """
    Return the verdict with what the routes say.

    :param verdict: READY without them.
    :param virtual_service: as it is stored; None where there is none, or no right to read it.
    :param expected: the write that is waited for: only of routes that it changed something is missing without them.
    :param now: seconds of the clock that the judge is given.
    """
    if virtual_service is None and not expected.routes:
        return verdict
    if virtual_service is None:
        weaker = verdict.weaker or UNREADABLE
        return dataclasses.replace(verdict, weaker=weaker, progress=_with(verdict.progress, weaker))
    difference = routes_difference(manifest, virtual_service)
    if not difference:
        rest = "; ".join(one for one in verdict.weaker.split("; ") if one != UNACKNOWLEDGED)
        said = f" (weaker: {verdict.weaker})" if verdict.weaker else ""
        progress = verdict.progress.removesuffix(said) + (f" (weaker: {rest})" if rest else "")
        return dataclasses.replace(verdict, weaker=rest, progress=progress)
    return dataclasses.replace(
        verdict,
        phase=Phase.PENDING,
        reason="RoutesDiffer",
        message=f"everything is ready, but the ingress divides requests otherwise: {difference}",
        weaker="",
        recheck_at=now + RECHECK,
    )


def routes_difference(manifest: Object, virtual_service: Object) -> str:
    """Return how a VirtualService differs from what a deployment asks for; empty when it does not."""
    live, mirrored = _wanted(manifest)
    rules = [rule for rule in items_at(virtual_service, "spec", "http") if items_at(rule, "route")]
    if not rules:
        return "the VirtualService has no route"
    for rule in rules:
        if (found := _weights(rule)) != live:
            return f"{_shown(found)} instead of {_shown(live)}"
        if (mirrors := _mirror(rule)) != mirrored:
            return f"it mirrors to {_shown(mirrors)} instead of {_shown(mirrored)}"
    return ""


def _wanted(manifest: Object) -> tuple[dict[str, int], dict[str, int]]:
    live, mirrored = {}, {}
    for one in items_at(manifest, "spec", "predictors"):
        traffic = int(one.get("traffic") or 0)
        if one.get("shadow"):
            mirrored = {text_at(one, "name"): traffic or 100}  # a rule has room for one, the last
        else:
            live[text_at(one, "name")] = traffic
    return ({next(iter(live)): 100} if len(live) == 1 else live), mirrored


def _weights(rule: Object) -> dict[str, int]:
    routes = items_at(rule, "route")
    found = {text_at(one, "destination", "subset"): _whole(one.get("weight")) for one in routes}
    return {next(iter(found)): 100} if len(routes) == 1 else found


def _mirror(rule: Object) -> dict[str, int]:
    subset = text_at(rule, "mirror", "subset")
    share = mapping_at(rule, "mirrorPercentage").get("value")
    return {subset: 100 if share is None else _whole(share)} if subset else {}


def _whole(value: object) -> int:
    return round(value) if isinstance(value, int | float) else 0


def _shown(weights: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {weight} %" for name, weight in weights.items()) or "nothing"


def _with(progress: str, weaker: str) -> str:
    return progress if "(weaker: " in progress else f"{progress} (weaker: {weaker})"
