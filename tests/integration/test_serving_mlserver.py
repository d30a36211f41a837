"""The MLServer runtime in a real MLServer, whose environment has no Airflow."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_seldon.local.options import ENV_MLSERVER_PYTHON
from tests.integration.serving_process import Served, environment, free_port, model_folder, serving

pytestmark = pytest.mark.mlserver

REQUEST = {"inputs": [{"name": "rows", "shape": [1, 2], "datatype": "FP64", "data": [1.0, 2.0]}]}


@pytest.fixture(scope="module")
def python() -> str:
    python = os.environ.get(ENV_MLSERVER_PYTHON)
    if not python:
        pytest.skip(f"{ENV_MLSERVER_PYTHON} is not set")
    return python


def variables(port: int) -> dict[str, str]:
    return {
        "MLSERVER_HTTP_PORT": str(port),
        "MLSERVER_GRPC_PORT": str(free_port()),
        "MLSERVER_MODEL_NAME": "iris",
        "MLSERVER_HOST": "127.0.0.1",
    }


def command(python: str, load: str = "load") -> list[str]:
    words = ["--predict", "user_code:scaled", "--load", f"user_code:{load}", "--model-dir", "models"]
    return [
        python,
        "-m",
        "airflow_provider_seldon.serving",
        "--protocol",
        "v2",
        "--host",
        "127.0.0.1",
        *words,
    ]


@pytest.fixture(scope="module")
def served(python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    model_folder(folder)
    port = free_port()
    env = environment(folder, **variables(port))
    with serving(command(python), folder=folder, port=port, env=env, wait=60) as running:
        yield running


def test_a_prediction_in_the_open_inference_protocol(served: Served) -> None:
    status, answer = served.request("POST", "/v2/models/iris/infer", REQUEST)
    assert status == 200
    assert answer["model_name"] == "iris"
    assert (answer["outputs"][0]["shape"], answer["outputs"][0]["data"]) == ([1, 2], [2.0, 4.0])


def test_it_is_ready_when_loaded(served: Served) -> None:
    assert served.request("GET", "/v2/models/iris/ready")[0] == 200
    assert served.request("GET", "/v2/health/ready")[0] == 200


def test_it_is_not_ready_before(python: str, tmp_path: Path) -> None:
    models = model_folder(tmp_path)
    port = free_port()
    env = environment(tmp_path, **variables(port))
    with serving(command(python, "load_slowly"), folder=tmp_path, port=port, env=env, wait=60) as running:
        assert running.request("GET", "/v2/health/live")[0] == 200
        assert running.request("GET", "/v2/health/ready")[0] != 200
        (models / "go").touch()


def fails_to_load(line: list[str], folder: Path, **further: str) -> subprocess.CompletedProcess[str]:
    env = environment(folder, **variables(free_port()), **further)
    return subprocess.run(line, cwd=folder, env=env, capture_output=True, text=True, timeout=90, check=False)


def test_a_model_that_cannot_be_loaded_ends_the_process(python: str, tmp_path: Path) -> None:
    """MLServer itself would end with code 0, which Kubernetes calls Completed."""
    model_folder(tmp_path)
    done = fails_to_load(command(python, "broken"), tmp_path)
    assert done.returncode == 1
    assert "Traceback" in done.stdout + done.stderr
    assert "AttributeError: no such weights" in done.stdout + done.stderr


@pytest.mark.parametrize("load", ["load", "broken"])
def test_mlservers_own_command_serves_the_runtime(python: str, tmp_path: Path, load: str) -> None:
    models = model_folder(tmp_path)
    extra = {"predict_function": "user_code:scaled", "load_function": f"user_code:{load}"}
    settings = {
        "name": "iris",
        "implementation": "airflow_provider_seldon.serving.runtime.FunctionRuntime",
        "parameters": {"uri": str(models), "extra": extra},
    }
    (models / "model-settings.json").write_text(json.dumps(settings))
    line = [python, "-c", "from mlserver.cli import main; main()", "start", "models"]
    further = {"MLSERVER_PARALLEL_WORKERS": "0", "MLSERVER_METRICS_PORT": str(free_port())}
    if load == "broken":
        assert fails_to_load(line, tmp_path, **further).returncode == 1
        return
    port = free_port()
    env = environment(tmp_path, **variables(port), **further)
    with serving(line, folder=tmp_path, port=port, env=env, wait=60) as running:
        assert running.request("POST", "/v2/models/iris/infer", REQUEST)[0] == 200


def test_the_environment_has_no_airflow(python: str, tmp_path: Path) -> None:
    """So what this file shows holds for an image without it; the seldon protocol needs not even MLServer."""
    model_folder(tmp_path)
    code = (
        "import importlib.util as u, airflow_provider_seldon.serving.http_server as s, sys; "
        "print(u.find_spec('airflow'), [m for m in sys.modules if m.split('.')[0] in ('numpy', 'pydantic')])"
    )
    env = environment(tmp_path)
    done = subprocess.run(
        [python, "-c", code], env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.strip() == "None []", done.stderr
