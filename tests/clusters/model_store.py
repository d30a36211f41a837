"""
The store that pods of a real cluster fetch the tests' models from.

``RCLONE_CONFIG_S3_*`` in the environment says what ``s3:`` is, to rclone here and, as a Secret, to Seldon's storage
initializer there. Every model answers like a simulated pod.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.clusters import clusters

#: Name of the Secret in every namespace of the tests.
SECRET = "seldon-tests-models"
_PREFIX = "RCLONE_CONFIG_"
#: What is in the bucket "models"; the numbers are versions that some test serves.
_MODELS = (
    "iris",
    *(f"iris/{version}" for version in (*range(13), "us", "fixed", "by-hand", "broken", "stuck")),
    *(f"{model}/{version}" for model in ("scaler", "classifier") for version in (1, 2)),
    *("champion", "challenger", "theirs"),
)


def settings() -> dict[str, str]:
    """Return rclone's configuration; empty without one for ``s3:``."""
    found = {key: value for key, value in os.environ.items() if key.startswith(_PREFIX)}
    return found if f"{_PREFIX}S3_TYPE" in found else {}


def readable(graph: dict[str, Any]) -> dict[str, Any]:
    """Return a graph of another owner's manifest with the Secret that real pods need."""
    return {**graph, "envSecretRefName": SECRET} if clusters().real_pods else graph


def fill() -> None:
    """Put the models there; what is there already is not written again."""
    with tempfile.TemporaryDirectory(prefix="seldon-tests-") as folder:
        _write_models(Path(folder))
        copied = subprocess.run(
            ["rclone", "copy", "--checksum", "--retries=1", "--low-level-retries=2", folder, "s3:models"],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    if copied.returncode:
        pytest.exit(f"the models cannot be put into the store: {copied.stderr}", 4)


def create_secret(api_url: str, namespace: str) -> None:
    """Let the pods of a namespace read from the store."""
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": SECRET},
        "stringData": settings(),
    }
    url = f"{api_url}/api/v1/namespaces/{namespace}/secrets"
    requests.post(url, json=body, timeout=30).raise_for_status()


def _write_models(folder: Path) -> None:
    import joblib
    from sklearn.dummy import DummyClassifier

    model = DummyClassifier(strategy="prior").fit([[0.0]] * 4, [0, 1, 1, 1])
    for name in _MODELS:
        place = folder / name / "model.joblib"
        place.parent.mkdir(parents=True, exist_ok=True)
        joblib.dump(model, place)
