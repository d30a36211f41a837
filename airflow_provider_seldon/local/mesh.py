"""The routes in a VirtualService. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from airflow_provider_seldon.local.client.kinds import Manifest
from airflow_provider_seldon.local.controllers.manifests import dig

Path = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Target:
    """A target of requests: the label ``seldon-app`` of a predictor's pods, and its share."""

    service: str
    weight: int
    shadow: bool


def routes_of(virtual_service: Manifest) -> dict[Path, list[Target]]:
    """
    Return the targets of requests, by the parts of their path after ``/seldon/``.

    Rules without a path prefix are for gRPC, which this ingress does not support. A mirror without a
    percentage receives all requests.
    """
    found: dict[Path, list[Target]] = {}
    for rule in dig(virtual_service, "spec", "http", default=[]):
        for match in rule.get("match") or []:
            prefix = str(dig(match, "uri", "prefix", default="")).strip("/").split("/")
            if prefix[0] == "seldon":
                found[tuple(prefix[1:])] = list(_targets(rule))
    return found


def _targets(rule: Manifest) -> Iterator[Target]:
    routes = rule.get("route") or []
    for route in routes:
        weight = route.get("weight", 100 if len(routes) == 1 else 0)
        yield Target(service=_service(route["destination"]), weight=int(weight), shadow=False)
    if rule.get("mirror"):
        share = dig(rule, "mirrorPercentage", "value", default=0)
        yield Target(service=_service(rule["mirror"]), weight=int(share), shadow=True)


def _service(destination: Manifest) -> str:
    return str(destination["host"]).partition(".")[0]
