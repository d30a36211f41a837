"""Real manifests, where this machine has them: what the server says agrees with what was found out about each."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.local.apiserver.rest import Rest
from tests.unit.core import corpus

INDEX = [entry for path in corpus.files("manifests-index.json") for entry in json.loads(path.read_text())]


def load(entry: dict[str, Any]) -> dict[str, Any]:
    """Return a manifest of the corpus, under a name that the server takes."""
    directory = corpus.directory()
    assert directory is not None
    text = (Path(directory) / "manifests" / entry["file"]).read_text()
    manifest: dict[str, Any] = yaml.safe_load(text)
    metadata = manifest.setdefault("metadata", {})
    metadata.pop("namespace", None)
    metadata["name"] = (
        re.sub(r"[^a-z0-9]+", "-", Path(entry["file"]).stem.lower()).strip("-")[-60:].strip("-")
    )
    return manifest


def path_of(api: Rest, manifest: dict[str, Any]) -> str:
    """Return where to create it."""
    return api.path(f"/apis/{manifest['apiVersion']}", "seldondeployments")


@pytest.mark.skipif(not INDEX, reason="the corpus is not on this machine")
def test_the_schema_agrees_about_every_manifest(api: Rest) -> None:
    wrong = []
    for entry in INDEX:
        manifest = load(entry)
        if "apiVersion" not in manifest:
            continue
        answer = api.post(path_of(api, manifest), manifest, dryRun="All")
        # The server drops null where the index's checker calls it wrong.
        errors = [error for error in entry["crd_schema_errors"] if "None is not of type" not in error]
        if (answer.code >= 400) != bool(errors):
            wrong.append((entry["file"], answer.code, answer.body, errors))
    assert wrong == []


@pytest.mark.skipif(not INDEX, reason="the corpus is not on this machine")
def test_the_same_fields_are_unknown(api: Rest) -> None:
    wrong = []
    for entry in INDEX:
        manifest = load(entry)
        if "apiVersion" not in manifest or entry["crd_schema_errors"]:
            continue
        answer = api.post(path_of(api, manifest), manifest, dryRun="All", fieldValidation="Strict")
        if (answer.code == 400) != bool(entry["fields_pruned"]):
            wrong.append((entry["file"], answer.code, answer.body.get("message"), entry["fields_pruned"]))
    assert wrong == []
