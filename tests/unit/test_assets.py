"""The URIs that stand for deployments, on whichever Airflow."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any
from urllib.parse import urlsplit

import pytest
from airflow.providers.common.compat.sdk import Asset
from airflow.providers_manager import ProvidersManager

from airflow_provider_seldon import assets
from airflow_provider_seldon.assets import convert_asset_to_openlineage, sanitize_uri, seldon_asset
from tests.airflow_version import AIRFLOW_3

BAD = [
    ("seldon://", "the namespace is missing"),
    ("seldon:///iris", "the namespace is missing"),
    ("seldon://models", "the deployment's name is missing"),
    ("seldon://models/", "the deployment's name is missing"),
    ("seldon://models/iris/predictions", "'iris/predictions' is not a name"),
    ("seldon://models/Iris", "'Iris' is not a name"),
    ("seldon://models:9000/iris", "'models:9000' is not a Kubernetes namespace"),
    ("seldon://models/iris?revision=1", "text after"),
    ("seldon://{{ var.value.ns }}/iris", "is not a Kubernetes namespace"),
]


@pytest.mark.parametrize("uri", ["seldon://models/iris", "seldon://Models/iris/", "SELDON://models/iris"])
def test_every_spelling_of_a_uri_is_the_same_uri(uri: str) -> None:
    assert Asset(uri=uri).uri == seldon_asset("models", "iris").uri == "seldon://models/iris"


def test_the_factory_makes_what_the_plain_uri_makes() -> None:
    assert seldon_asset("models", "iris") == Asset("seldon://models/iris")
    assert seldon_asset("models", "iris", extra={"team": "flowers"}).extra == {"team": "flowers"}


@pytest.mark.parametrize(("uri", "problem"), BAD)
def test_a_uri_that_names_no_deployment_is_refused_with_what_is_wrong(uri: str, problem: str) -> None:
    with pytest.raises(ValueError, match="seldon://<namespace>/<deployment>") as refused:
        sanitize_uri(urlsplit(uri))
    assert problem in str(refused.value)
    assert "AssetAlias" in str(refused.value)


def test_airflow_tells_the_author_of_a_dag_of_a_bad_uri() -> None:
    if AIRFLOW_3:
        with pytest.raises(ValueError, match="the deployment's name is missing"):
            Asset(uri="seldon://models")
    else:
        with pytest.warns(UserWarning, match="the deployment's name is missing"):
            Asset(uri="seldon://models")


@pytest.mark.parametrize(("namespace", "name"), [("models", "Iris"), ("", "iris"), ("models", "a/b")])
def test_the_factory_refuses_what_kubernetes_would(namespace: str, name: str) -> None:
    with pytest.raises(ValueError, match="is violated by"):
        seldon_asset(namespace, name)


def test_airflow_finds_handler_factory_and_converter() -> None:
    manager: Any = ProvidersManager()
    kind = "asset" if AIRFLOW_3 else "dataset"
    assert getattr(manager, f"{kind}_uri_handlers")["seldon"] is sanitize_uri
    assert getattr(manager, f"{kind}_factories")["seldon"] is seldon_asset
    assert getattr(manager, f"{kind}_to_openlineage_converters")["seldon"] is convert_asset_to_openlineage


def test_openlineage_knows_a_deployment_by_namespace_and_name() -> None:
    found = convert_asset_to_openlineage(seldon_asset("models", "iris"), None)
    assert (found.namespace, found.name) == ("seldon://models", "iris")


def test_what_airflow_loads_for_every_asset_uri_imports_no_airflow() -> None:
    probe = f"import sys, json, {assets.__name__}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert [name for name in json.loads(done.stdout) if name.split(".")[0] in ("airflow", "kubernetes")] == []
