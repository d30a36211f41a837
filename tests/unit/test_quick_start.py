"""
What the page about kind says, compared with schemas: nobody runs it where these tests run.

Each check has a test next to it that shows what it finds.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from kubernetes.client import ApiClient
from kubernetes.client import models as kubernetes_models

import airflow_provider_seldon
from airflow_provider_seldon.core.identity.identity import Identity
from airflow_provider_seldon.core.prediction.endpoint import ENGINE_PORT, service_name
from airflow_provider_seldon.core.request.model_server import ModelServer
from airflow_provider_seldon.core.request.validation import validate
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
from airflow_provider_seldon.get_provider_info import connection_fields

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "kind.md").read_text()
RBAC = sorted((ROOT / "docs" / "rbac").glob("*.yaml"))
SELDON_CORE = "1.17.1"

#: Keys that are not in the Python client. None stands for a value that is no mapping.
Keys = Mapping[str, Any]
#: kind: pkg/apis/config/v1alpha4/types.go.
KIND_CLUSTER: Keys = {"kind": None, "apiVersion": None, "name": None, "nodes": [{"role": None}]}
#: Seldon Core 1.17.1: helm-charts/seldon-core-operator/values.yaml.
SELDON_VALUES: Keys = {
    "usageMetrics": {"enabled": None},
    "istio": {"enabled": None, "gateway": None, "tlsMode": None},
    "ambassador": {"enabled": None, "version": None, "singleNamespace": None},
}
#: Airflow's chart: chart/values.yaml, read in a version whose default is Airflow 3.1, and its values.schema.json.
AIRFLOW_VALUES: Keys = {
    "airflowVersion": None,
    "executor": None,
    "images": {"airflow": {"repository": None, "tag": None, "digest": None, "pullPolicy": None}},
    "env": [{"name": None, "value": None}],
    "triggerer": {
        "enabled": None,
        "serviceAccount": {
            "automountServiceAccountToken": None,
            "create": None,
            "name": None,
            "annotations": None,
        },
    },
}
#: Istio: networking/v1beta1/gateway.proto.
GATEWAY: Keys = {
    "apiVersion": None,
    "kind": None,
    "metadata": {"name": None, "namespace": None},
    "spec": {
        "selector": {"istio": None},
        "servers": [{"port": {"number": None, "name": None, "protocol": None}, "hosts": [None]}],
    },
}


def blocks(language: str) -> list[str]:
    """Return the blocks of the page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def documents() -> list[dict[str, Any]]:
    """Return each YAML document of the page."""
    return [one for block in blocks("yaml") for one in yaml.safe_load_all(block)]


def unknown(given: Any, keys: Any, path: str = "") -> Iterator[str]:
    """Yield the path of each key that is not known, and of each mapping where none is expected."""
    if isinstance(given, list) and isinstance(keys, list):
        for at, one in enumerate(given):
            yield from unknown(one, keys[0], f"{path}[{at}]")
    elif isinstance(given, dict) and isinstance(keys, Mapping):
        for key, value in given.items():
            where = f"{path}.{key}" if path else key
            yield from unknown(value, keys[key], where) if key in keys else [where]
    elif isinstance(given, dict | list) or keys is not None:
        yield path


def lost(manifest: dict[str, Any]) -> Any:
    """
    Return what the client's model of a kind does not keep of an object; None when it keeps all.

    A field of a wrong name or type gets lost, or is refused where it makes a needed one absent.
    """
    group, _, version = manifest["apiVersion"].rpartition("/")
    version = version[:1].upper() + version[1:]
    model = f"{version}{manifest['kind']}"
    if not hasattr(kubernetes_models, model):
        return f"the client has no {model} of {group}"
    client = ApiClient()
    try:
        read = client.deserialize(SimpleNamespace(data=json.dumps(manifest)), model)
    except (ValueError, TypeError) as error:
        return str(error)
    kept = client.sanitize_for_serialization(read)
    return None if kept == manifest else kept


def problems(manifest: dict[str, Any]) -> list[str]:
    """Return what is wrong with any of the page's documents."""
    kind = manifest.get("kind")
    if kind == "SeldonDeployment":
        deployment = SeldonDeployment.from_manifest(manifest)
        unnamed = unknown(manifest, _as_keys(made_by_the_dag()))
        return [*map(str, validate(deployment)), *unnamed]
    if kind == "Cluster":
        return list(unknown(manifest, KIND_CLUSTER))
    if kind == "Gateway":
        return list(unknown(manifest, GATEWAY))
    if kind is not None:
        return [str(found)] if (found := lost(manifest)) is not None else []
    charts = [SELDON_VALUES, AIRFLOW_VALUES]
    return min((list(unknown(manifest, chart)) for chart in charts), key=len)


def _as_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _as_keys(one) for key, one in value.items()}
    return [_as_keys(value[0])] if isinstance(value, list) and value else None


def made_by_the_dag() -> dict[str, Any]:
    """Return what the page's DAG applies, without what the page leaves out: labels, annotations and stamps."""
    calls = [
        node
        for block in blocks("python")
        for node in ast.walk(ast.parse(block))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "SeldonDeployModelOperator"
    ]
    (call,) = calls
    given = {str(one.arg): ast.literal_eval(one.value) for one in call.keywords}
    taken = {name: value for name, value in given.items() if name not in {"task_id", "deferrable"}}
    identity = Identity(
        dag_id="iris", task_id=given["task_id"], run_id="r", model_name=taken["model_name"], map_index=-1
    )
    made: dict[str, Any] = (
        ModelServer(**taken).to_deployment(identity=identity, namespace="models").to_manifest()
    )
    made["metadata"] = {name: made["metadata"][name] for name in ("name", "namespace")}
    for predictor in made["spec"]["predictors"]:
        predictor.pop("annotations", None)
        predictor.pop("labels", None)
    return made


def misspelt(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of each key of a document."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield (*path, key)
            yield from misspelt(one, (*path, key))
    elif isinstance(value, list):
        for at, one in enumerate(value):
            yield from misspelt(one, (*path, at))


def with_a_slip(document: dict[str, Any], path: tuple[Any, ...]) -> dict[str, Any]:
    """Return a copy of a document in which one key has a letter too many."""
    copied: dict[str, Any] = json.loads(json.dumps(document))
    holder: Any = copied
    for part in path[:-1]:
        holder = holder[part]
    holder[f"{path[-1]}x"] = holder.pop(path[-1])
    return copied


MANIFESTS = [one for file in RBAC for one in yaml.safe_load_all(file.read_text())]
CHECKED = [*documents(), *MANIFESTS]


def test_every_document_of_the_page_and_of_the_manifests_fits_its_schema() -> None:
    kinds = {one.get("kind", "values") for one in CHECKED}
    assert kinds == {"Cluster", "Gateway", "SeldonDeployment", "values", "Role", "RoleBinding"}
    assert [found for one in CHECKED for found in problems(one)] == []


@pytest.mark.parametrize("document", CHECKED, ids=lambda one: str(one.get("kind", "values")))
def test_a_misspelt_key_is_found_wherever_it_is(document: dict[str, Any]) -> None:
    # Without its kind, a document is another one.
    paths = [path for path in misspelt(document) if path not in {("kind",), ("apiVersion",)}]
    assert paths
    assert [path for path in paths if not problems(with_a_slip(document, path))] == []


def test_the_deployment_on_the_page_is_what_the_dag_on_the_page_applies() -> None:
    (shown,) = [one for one in documents() if one.get("kind") == "SeldonDeployment"]
    assert shown == made_by_the_dag()
    (predictor,) = shown["spec"]["predictors"]
    service = service_name(shown["metadata"]["name"], predictor["name"])
    assert f"svc/{service} {ENGINE_PORT}:{ENGINE_PORT}" in PAGE


def test_the_accounts_of_the_manifests_are_those_of_the_release_on_the_page() -> None:
    release, namespace = re.findall(r"helm install (\S+) apache-airflow/airflow --namespace (\S+)", PAGE)[0]
    bound = {
        (subject["name"], subject["namespace"])
        for one in MANIFESTS
        if one["kind"] == "RoleBinding"
        for subject in one["subjects"]
    }
    assert bound == {(f"{release}-{part}", namespace) for part in ("worker", "triggerer")}
    named = [one["triggerer"]["serviceAccount"]["name"] for one in documents() if "triggerer" in one]
    assert named == [f"{release}-triggerer"]


def test_the_connections_on_the_page_have_fields_that_exist() -> None:
    variables = [one for document in documents() for one in document.get("env", [])]
    given = [json.loads(one["value"]) for one in variables if one["name"] == "AIRFLOW_CONN_SELDON_DEFAULT"]
    assert len(given) == 2
    assert {one["conn_type"] for one in given} == {"seldon"}
    assert set().union(*(one["extra"] for one in given)) - set(connection_fields()) == set()


def broken(script: str) -> str:
    """Return what bash has against a script, without running it."""
    return subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False).stderr


def test_the_commands_on_the_page_can_be_parsed() -> None:
    assert len(blocks("bash")) >= 5
    assert [broken(block) for block in blocks("bash")] == [""] * len(blocks("bash"))
    assert broken('helm install "$ONE')


def pinned(package: str) -> str:
    """Return the version of a package that the tests of Airflow 3.3 use."""
    lines = (ROOT / "constraints" / "airflow-3.3.txt").read_text().splitlines()
    return next(line.partition("==")[2] for line in lines if line.startswith(f"{package}=="))


def test_the_versions_on_the_page_are_those_of_this_project() -> None:
    airflow, own = pinned("apache-airflow"), airflow_provider_seldon.__version__
    told = set(re.findall(r"(?:apache/airflow:|apache-airflow==|airflowVersion: )\"?([\d.]*\d)", PAGE))
    assert told == {airflow}
    told = set(re.findall(r"(?:airflow-provider-seldon==|airflow-seldon:|tag: )\"?([\d.]*\d)", PAGE))
    assert told == {own}
    told = set(re.findall(r"(?:seldon-core-operator --version |Seldon Core |/v)(\d+\.\d+\.\d+)", PAGE))
    assert told == {SELDON_CORE}
    assert set(re.findall(r"\d+\.\d+\.\d+", PAGE)) == {airflow, own, SELDON_CORE}
