"""
Model servers that misbehave: simulated pods do as an annotation says, real ones by what real pods fail of.

A real pod is never fast, so ``slow`` is one that is left as it is.
"""

from __future__ import annotations

import copy
from typing import Any

from tests.clusters import clusters

ANNOTATION = "local.seldon/behaviour"
_CRASH = ["sh", "-c", "echo exit code 1; exit 1"]
_REAL: dict[str, dict[str, Any]] = {
    "crash": {"command": _CRASH},
    "image-pull": {"image": "registry.invalid/there-is-no/such-image:1"},
    "invalid-image": {"image": "Not::An/Image"},
    "never-ready": {"extra_args": {"container": {"readinessProbe": {"exec": {"command": ["false"]}}}}},
    "unschedulable": {"resources": {"requests": {"cpu": "1000000"}}},
    # Whoever asks for it names a model that is not there.
    "init-crash": {},
    "slow": {},
}


def behaving(behaviour: str) -> dict[str, Any]:
    """Return arguments of a model server whose pods behave in some way."""
    if not clusters().real_pods:
        return {"extra_args": {"annotations": {ANNOTATION: behaviour}}}
    # A test that orders anything else is marked with simulated_pods.
    return {"extra_args": {}, **copy.deepcopy(_REAL.get(behaviour.partition(":")[0], {}))}


def crashing(predictor: dict[str, Any]) -> dict[str, Any]:
    """Return a predictor of a manifest, whose graph's first container ends at once."""
    if not clusters().real_pods:
        return {**predictor, "annotations": {ANNOTATION: "crash"}}
    container = {"name": predictor["graph"]["name"], "command": _CRASH}
    return {**predictor, "componentSpecs": [{"spec": {"containers": [container]}}]}
