"""
Do the routes have the weights that were written? What the ingress reads is held against a SeldonDeployment. Pure.

Istio (Seldon's operator 1.18.2 with Istio, measured): one VirtualService is called like the deployment; each rule has a
route entry for every predictor, told by ``subset``, and the shadow as ``mirror``. It is rewritten only while every
Deployment is ready. A weight of 0 is left out, and so is the weight of a single predictor: absent means nothing beside
others, and everything when alone.

Ambassador (Seldon's operator 1.18.2, ``operator/controllers/ambassador``, version v2 of its API; read, not measured): a
Mapping for HTTP and one for gRPC for each predictor, told by its Service. The first predictor's has no weight and gets
what is left; the others have theirs, 0 included; a shadow's says so. They too are rewritten only while every Deployment
is ready. With version v1 of the API the same stands in annotations of Services, which are not read.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from airflow_provider_seldon.core.children.expected import Role, expected_children, predictor_services
from airflow_provider_seldon.core.readiness.acknowledgement import divides_in_istio
from airflow_provider_seldon.core.readiness.expectation import Expectation
from airflow_provider_seldon.core.readiness.judge import Verdict
from airflow_provider_seldon.core.readiness.observation import Phase
from airflow_provider_seldon.core.readiness.operator_status import UNACKNOWLEDGED
from airflow_provider_seldon.core.resource.unstructured import Object, items_at, mapping_at, text_at

#: Kind of a list of Ambassador's Mappings.
MAPPINGS = "MappingList"
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
    verdict: Verdict, manifest: Object, routes: Object | None, *, expected: Expectation, now: float
) -> Verdict:
    """
    Return the verdict with what the routes say.

    :param verdict: READY without them.
    :param routes: a VirtualService or a list of Mappings, as stored; None where there is none, or no right to read it.
    :param expected: the write that is waited for: only of routes that it changed something is missing without them.
    :param now: seconds of the clock that the judge is given.
    """
    if routes is None and not expected.routes:
        return verdict
    if routes is None:
        weaker = verdict.weaker or UNREADABLE
        return dataclasses.replace(verdict, weaker=weaker, progress=_with(verdict.progress, weaker))
    mappings = text_at(routes, "kind") == MAPPINGS
    difference = mappings_difference(manifest, routes) if mappings else routes_difference(manifest, routes)
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


def mappings_difference(manifest: Object, mappings: Object) -> str:
    """Return how a deployment's Mappings differ from what it asks for; empty when they do not."""
    services = predictor_services(manifest)
    explained = {
        name for child in expected_children(manifest) if child.role is Role.EXPLAINER for name in child.names
    }
    found: dict[str, list[Object]] = {}
    for one in items_at(mappings, "items"):
        service = text_at(one, "spec", "service").partition(":")[0].partition(".")[0]
        found.setdefault(service, []).append(one)
    if strange := sorted(found.keys() - services.values() - explained):
        return f"a Mapping still leads to {strange[0]}"
    for index, one in enumerate(items_at(manifest, "spec", "predictors")):
        name, shadow = text_at(one, "name"), one.get("shadow") is True
        own = found.get(services[name], [])
        if not own:
            return f"there is no Mapping for {name}"
        wanted = int(one.get("traffic") or 0) if index or shadow else None
        for mapping in own:
            spec = mapping_at(mapping, "spec")
            weight = None if spec.get("weight") is None else _whole(spec["weight"])
            if (spec.get("shadow") is True) != shadow:
                return f"{name} is {'no' if shadow else 'a'} shadow there"
            if weight != wanted:
                return f"{name} has {_percent(weight)} instead of {_percent(wanted)}"
    return ""


def _percent(weight: int | None) -> str:
    return "what is left" if weight is None else f"{weight} %"


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
