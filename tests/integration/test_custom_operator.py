"""A user's function, from the DAG's task to a prediction through the gateway, as a process of this machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import airflow_provider_seldon
from airflow_provider_seldon.exceptions import InvalidModelServerError, RolloutFailedError
from airflow_provider_seldon.hooks.seldon import SeldonHook
from airflow_provider_seldon.local.cluster import LocalSeldon
from airflow_provider_seldon.local.options import ENV_MLSERVER_PYTHON, LocalOptions
from airflow_provider_seldon.operators.custom import SeldonDeployCustomModelOperator
from tests.integration.conftest import context
from tests.integration.serving_process import model_folder

PACKAGE = str(Path(airflow_provider_seldon.__file__).parent.parent)


@pytest.fixture(scope="module")
def processes() -> Iterator[LocalSeldon]:
    with LocalSeldon(LocalOptions()) as local:
        yield local


@pytest.fixture
def cluster(processes: LocalSeldon, monkeypatch: pytest.MonkeyPatch) -> Iterator[SeldonHook]:
    monkeypatch.setenv("AIRFLOW_CONN_SELDON_DEFAULT", processes.airflow_connection())
    hook = SeldonHook()
    yield hook
    for deployment in hook.client.find():
        hook.delete_model_server(deployment.name, timeout=60)


def operator(folder: Path, **arguments: Any) -> SeldonDeployCustomModelOperator:
    defaults: dict[str, Any] = {
        "task_id": "deploy",
        "model_name": "factor",
        "image": "models/factor:1",
        "predict_function": "user_code:scaled",
        "load_function": "user_code:load",
        "model_uri": f"file://{folder}/models",
        "env": {"PYTHONPATH": f"{PACKAGE}{os.pathsep}{folder}"},
        "timeout": 90,
        "deferrable": False,
        "failure_policy": {"suspect_after": 0.5, "crash_loop_count": 1},
    }
    return SeldonDeployCustomModelOperator(**{**defaults, **arguments})


def test_a_function_answers_predictions_through_the_gateway(cluster: SeldonHook, tmp_path: Path) -> None:
    model_folder(tmp_path)
    result = operator(tmp_path, python=sys.executable).execute(context())
    assert (result["action"], result["state"]) == ("created", "Available")
    assert cluster.predictions(result["name"], [[1.0, 2.0]]) == [[2.0, 4.0]]


def test_a_function_that_cannot_load_is_explained_with_its_traceback(
    cluster: SeldonHook, tmp_path: Path
) -> None:
    model_folder(tmp_path)
    with pytest.raises(RolloutFailedError) as caught:
        operator(tmp_path, python=sys.executable, load_function="user_code:broken").execute(context())
    assert "no such weights" in str(caught.value)


@pytest.mark.mlserver
def test_a_function_answers_in_the_open_inference_protocol(cluster: SeldonHook, tmp_path: Path) -> None:
    python = os.environ.get(ENV_MLSERVER_PYTHON)
    if not python:
        pytest.skip(f"{ENV_MLSERVER_PYTHON} is not set")
    model_folder(tmp_path)
    result = operator(tmp_path, python=python, protocol="v2").execute(context())
    assert cluster.predictions(result["name"], [[1.0, 2.0]]) == [[2.0, 4.0]]


def built(folder: Path, **arguments: Any) -> dict[str, Any]:
    """The pod spec that would be sent."""
    from airflow_provider_seldon.core.identity.identity import Identity

    server = operator(folder, **arguments)._server()
    manifest = server.to_deployment(identity=Identity(dag_id="d", task_id="t")).to_manifest()
    return dict(manifest["spec"]["predictors"][0]["componentSpecs"][0]["spec"])


def test_pull_secrets_env_resources_ports_and_probes_reach_the_pod(tmp_path: Path) -> None:
    token = {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "tokens", "key": "hub"}}}
    ports = [{"name": "http", "containerPort": 8080}]
    pod = built(
        tmp_path,
        env=[token],
        container_resources={"limits": {"nvidia.com/gpu": "1"}},
        image_pull_secrets=["registry"],
        ports=ports,
        probes={"livenessProbe": {"exec": {"command": ["true"]}}},
        model_server={"service_account": "models", "extra_args": {"container": {"workingDir": "/app"}}},
    )
    (container,) = pod["containers"]
    assert pod["imagePullSecrets"] == [{"name": "registry"}]
    assert pod["serviceAccountName"] == "models"
    assert (container["env"], container["ports"], container["workingDir"]) == ([token], ports, "/app")
    assert container["resources"] == {"limits": {"nvidia.com/gpu": "1"}}
    assert container["livenessProbe"] == {"exec": {"command": ["true"]}}


def test_without_pull_secrets_none_are_sent(tmp_path: Path) -> None:
    """The seed sent an empty one, and an ``envFrom`` without a name, with which no pod is admitted."""
    pod = built(tmp_path)
    assert "imagePullSecrets" not in pod
    assert "envFrom" not in pod["containers"][0]


def test_a_function_that_is_here_is_checked_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model_folder(tmp_path)
    (tmp_path / "checked_code.py").write_text(
        "def predict(model, rows): ...\ndef one(rows): ...\nTEXT = ''\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    built(tmp_path, predict_function="checked_code:predict", load_function="checked_code:one")
    for path, told in (
        ("checked_code:missing", "has no missing"),
        ("checked_code:TEXT", "not a function"),
        ("checked_code:one", r"\(model, rows\)"),
        ("checked_code", "package.module:function"),
    ):
        with pytest.raises(InvalidModelServerError, match=told):
            built(tmp_path, predict_function=path)


def test_a_function_that_is_only_in_the_image_is_only_warned_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "needs_more.py").write_text("import no_such_library\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    task = operator(tmp_path, predict_function="only_in_image:predict", load_function="needs_more:load")
    told: list[str] = []
    monkeypatch.setattr(task.log, "warning", lambda text, *parts: told.append(text % parts))
    assert task._server().command
    assert ["only_in_image" in told[0], "no_such_library" in told[1]] == [True, True]


@pytest.mark.parametrize("argument", ["implementation", "manifest"])
def test_what_contradicts_an_image_of_ones_own_is_refused_in_the_dag(tmp_path: Path, argument: str) -> None:
    with pytest.raises(TypeError, match=argument):
        operator(tmp_path, **{argument: "SKLEARN_SERVER"})
