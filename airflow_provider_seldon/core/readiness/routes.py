"""
Do the routes have the written weights? Compares the ingress' objects with a SeldonDeployment. Pure.

Istio (Seldon's operator 1.18.2 with Istio, measured): one VirtualService has the name of the deployment; each
rule has a route entry for every predictor, identified by ``subset``, and the shadow as ``mirror``. The
operator rewrites it only while every Deployment is ready. It omits a weight of 0, and the weight of a single
predictor: a missing weight means 0 next to others, and all traffic without others.

Ambassador (Seldon's operator 1.18.2, ``operator/controllers/ambassador``, version v2 of its API; read, not
measured): a Mapping for HTTP and one for gRPC for each predictor, identified by its Service. The first
predictor's has no weight and gets the remaining traffic; the others have their weights, including 0; a
shadow's is marked as one. The operator rewrites them, too, only while every Deployment is ready. With version
v1 of the API the same is in annotations of Services, which are not read.
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
#: Seconds after which differing routes are read again.
RECHECK = 0.5
UNREADABLE = "the routes could not be read, so only the operator's status confirms the new traffic split"


def asks_for_routes(manifest: Object | None, expected: Expectation, verdict: Verdict) -> bool:
    """
    Return whether the routes must be read before a verdict counts: they were changed, or another writer may
    have.

    Not while a predictor is scaled to zero, because the operator then rewrites no routes.
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
    Return the verdict after the comparison with the routes.

    :param verdict: READY without them.
    :param routes: a VirtualService or a list of Mappings, as stored; None if there is none, or no permission
        to read it.
    :param expected: the write to wait for: missing routes weaken the verdict only if it changed them.
    :param now: seconds of the clock that ``judge`` gets.
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
        message=f"everything is ready, but the ingress splits requests differently: {difference}",
        weaker="",
        recheck_at=now + RECHECK,
    )


def routes_difference(manifest: Object, virtual_service: Object) -> str:
    """Return how a VirtualService differs from a deployment's weights; empty when it does not."""
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
    """Return how a deployment's Mappings differ from its weights; empty when they do not."""
    services = predictor_services(manifest)
    explained = {
        name for child in expected_children(manifest) if child.role is Role.EXPLAINER for name in child.names
    }
    found: dict[str, list[Object]] = {}
    for one in items_at(mappings, "items"):
        service = text_at(one, "spec", "service").partition(":")[0].partition(".")[0]
        found.setdefault(service, []).append(one)
    if strange := sorted(found.keys() - services.values() - explained):
        return f"a Mapping still routes to {strange[0]}"
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
    return "the remainder" if weight is None else f"{weight} %"


def _wanted(manifest: Object) -> tuple[dict[str, int], dict[str, int]]:
    live, mirrored = {}, {}
    for one in items_at(manifest, "spec", "predictors"):
        traffic = int(one.get("traffic") or 0)
        if one.get("shadow"):
            mirrored = {text_at(one, "name"): traffic or 100}  # a rule can have only one mirror, the last
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
