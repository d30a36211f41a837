"""What the operator makes of manifests, compared field by field with what Seldon's real operator made of them.

The recordings are data of their own beside a checkout (``SELDON_CORPUS``); without them nothing is compared here and
the expectations of ``test_shapes.py`` remain.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_seldon.local.apiserver.objects import defaults
from airflow_provider_seldon.local.apiserver.protocol.resources import BY_PLURAL
from airflow_provider_seldon.local.controllers.children.components import build
from airflow_provider_seldon.local.controllers.children.servers import STORAGE_INITIALIZER_IMAGE, VERSION
from tests.unit.core import corpus

Manifest = dict[str, Any]

RECORDED = corpus.files("children/recorded-1.18.2-istio.json")
NAMESPACE = "recorded"
RECORDED_VERSION = "1.18.2"

#: What is deliberately not compared, and why.
NOT_COMPARED = {
    "ipFamilies": "the API server gives a Service its addresses, and the operator nothing",
    "ipFamilyPolicy": "likewise",
    "image tags": "the recording is of 1.18.2, local/ stands for 1.17.1; what else is in a version is the same",
    "last-applied annotation": "the recording leaves it out",
    "DestinationRule": "local/ makes none, and the recording has none",
    "status.conditions": "they depend on the pods; see the tests of the status",
}


def recorded() -> list[Manifest]:
    """The recorded manifests with their children; none where they are not on this machine."""
    if not RECORDED:
        return []
    found: list[Manifest] = json.loads(RECORDED[0].read_text())["children"]
    return found


def name_of(manifest: Manifest) -> str:
    return str(manifest["metadata"]["name"])


def differences(ours: Any, theirs: Any, path: str = "") -> Iterator[str]:
    """Each field that only one side has, or that differs; lists of named things are in order too."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in sorted(ours.keys() | theirs.keys()):
            if key not in ours or key not in theirs:
                yield f"{path}.{key}: only {'the real one' if key in theirs else 'ours'} has it"
            else:
                yield from differences(ours[key], theirs[key], f"{path}.{key}")
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for number, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from differences(one, other, f"{path}[{number}]")
    elif ours != theirs:
        yield f"{path}: {ours!r} is not {theirs!r}"


def comparable(manifest: Manifest, plural: str) -> Manifest:
    """An object as the API server stores it, without what is not compared, the engine's predictor in clear."""
    manifest = json.loads(json.dumps(manifest))
    pod = manifest["spec"].get("template", {}).get("spec", {})
    for container in pod.get("containers", []):
        for entry in container.get("env", []):
            if entry["name"] == "ENGINE_PREDICTOR":
                shown = entry.pop("value (decoded)", None) or json.loads(base64.b64decode(entry["value"]))
                entry["value"] = json.dumps(shown, sort_keys=True)
    text = json.dumps(manifest)
    text = text.replace(STORAGE_INITIALIZER_IMAGE, "seldonio/rclone-storage-initializer:" + VERSION)
    stored: Manifest = defaults.without_empty(json.loads(text.replace(RECORDED_VERSION, VERSION)))
    defaults.set_defaults(BY_PLURAL[plural], stored)
    if not stored["metadata"].get("annotations"):
        stored["metadata"].pop("annotations", None)
    for part, keys in ((stored, ("apiVersion", "kind")), (stored["spec"], ("ipFamilies", "ipFamilyPolicy"))):
        for key in keys:
            part.pop(key, None)
    return stored


@pytest.mark.skipif(not recorded(), reason="no recordings of a real operator on this machine")
@pytest.mark.parametrize("case", recorded(), ids=lambda case: name_of(case["manifest"]))
def test_children_are_those_that_a_real_operator_made(case: Manifest) -> None:
    manifest = json.loads(json.dumps(case["manifest"]))
    manifest["metadata"]["namespace"] = NAMESPACE
    components = build(manifest)
    made = {"deployments": components.deployments, "services": components.services}
    for plural, children in made.items():
        ours = {name_of(one): comparable(one, plural) for one in children}
        theirs = {name_of(one): comparable(one, plural) for one in case[plural]}
        assert list(differences(ours, theirs)) == []
    status = case["status"]
    if status["state"] == "Available":  # routes are made when all children are ready, and not at zero pods
        ours = {name_of(one): one for one in components.virtual_services}
        assert list(differences(ours, {name_of(one): one for one in case["virtualServices"]})) == []
    else:
        assert case["virtualServices"] == []
    assert components.service_details == status["serviceStatus"]
    assert {"url": components.address} == status["address"]
