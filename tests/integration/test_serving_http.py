"""The HTTP server of custom models as a process, called the way Seldon's engine calls it."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.integration.serving_process import Served, environment, free_port, model_folder, serving

ROWS = {"data": {"ndarray": [[1, 2]]}}


def command(function: str = "scaled", *further: str, load: str = "load", port: int = 0) -> list[str]:
    words = ["--predict", f"user_code:{function}", "--load", f"user_code:{load}", "--model-dir", "models"]
    host = ["--host", "127.0.0.1", "--port", str(port)] if port else []
    return [sys.executable, "-m", "airflow_provider_seldon.serving", *words, *host, *further]


def run(folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words,
        cwd=folder,
        env=environment(folder, **variables),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def start(tmp_path: Path) -> Any:
    model_folder(tmp_path)

    def started(*arguments: str, wait: float = 30.0, load: str = "load") -> Any:
        port = free_port()
        line = command(*arguments, load=load, port=port)
        return serving(line, folder=tmp_path, port=port, env=environment(tmp_path), wait=wait)

    return started


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    model_folder(folder)
    port = free_port()
    env = environment(folder, PREDICTIVE_UNIT_HTTP_SERVICE_PORT=str(port), MODEL_METADATA='{"name": "iris"}')
    with serving(command(), folder=folder, port=port, env=env) as running:
        yield running


@pytest.mark.parametrize(
    "path", ["/predict", "/api/v1.0/predictions", "/api/v0.1/predictions", "/predict?x=1"]
)
def test_a_prediction_is_answered_on_the_port_that_seldon_gives(served: Served, path: str) -> None:
    status, answer = served.request("POST", path, ROWS)
    assert (status, answer) == (200, {"data": {"names": [], "ndarray": [[2.0, 4.0]]}, "meta": {}})


def test_a_message_may_come_as_a_form_or_in_the_query(served: Served) -> None:
    form = f"json={quote(json.dumps(ROWS))}"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert served.request("POST", "/predict", form, **headers)[1]["data"]["ndarray"] == [[2.0, 4.0]]
    assert served.request("GET", f"/predict?{form}")[1]["data"]["ndarray"] == [[2.0, 4.0]]


def test_json_that_says_it_is_a_form_is_taken_for_json(served: Served) -> None:
    """It is what ``curl -d`` sends."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert served.request("POST", "/predict", json.dumps(ROWS), **headers)[0] == 200


def test_a_tensor_is_answered_with_a_tensor(served: Served) -> None:
    body = {"data": {"tensor": {"shape": [2, 1], "values": [1, 2]}}}
    answer = served.request("POST", "/predict", body)[1]
    assert answer["data"]["tensor"] == {"shape": [2, 1], "values": [2.0, 4.0]}


@pytest.mark.parametrize("body", ["{", "[]", "{}", '{"data": {}}'])
def test_a_request_that_is_no_message_is_the_callers_fault(served: Served, body: str) -> None:
    status, answer = served.request("POST", "/predict", body)
    assert (status, answer["status"]["reason"]) == (400, "MICROSERVICE_BAD_DATA")


def test_health_metadata_and_feedback_are_answered(served: Served) -> None:
    for path in ("/live", "/ready", "/health/ping", "/health/status"):
        assert served.request("GET", path) == (200, {"status": "ok"})
    assert served.request("GET", "/metadata") == (200, {"name": "iris"})
    assert served.request("POST", "/send-feedback", {"reward": 1})[0] == 200
    assert served.request("GET", "/nowhere")[0] == 404
    assert served.request("POST", "/nowhere", {})[0] == 404


def test_many_requests_at_once_are_all_answered(served: Served) -> None:
    with ThreadPoolExecutor(16) as pool:
        answers = list(
            pool.map(lambda n: served.request("POST", "/predict", {"data": {"ndarray": [[n]]}}), range(64))
        )
    assert answers == [(200, {"data": {"names": [], "ndarray": [[2.0 * n]]}, "meta": {}}) for n in range(64)]


def test_an_error_of_the_function_is_reported_and_the_server_continues(start: Any, tmp_path: Path) -> None:
    with start("failing") as running:
        for _ in range(2):
            status, answer = running.request("POST", "/predict", ROWS)
            assert (status, answer["status"]["info"]) == (500, "ValueError: a row is missing")
    assert "Traceback" in (tmp_path / "log.txt").read_text()


def test_it_listens_only_once_the_model_is_loaded(start: Any, tmp_path: Path) -> None:
    with start("scaled", wait=0, load="load_slowly") as running:
        time.sleep(1)
        assert not running.listens()
        (tmp_path / "models" / "go").touch()
        deadline = time.monotonic() + 20
        while not running.listens():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert running.request("POST", "/predict", ROWS)[0] == 200


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--predict", "user_code:scaled", "--load", "user_code:broken"], "AttributeError: no such weights"),
        (["--predict", "no_such_package:predict"], "ModuleNotFoundError: No module named 'no_such_package'"),
        (["--predict", "user_code:missing"], "AttributeError"),
        (["--predict", "user_code:scaled", "--load", "user_code:load", "--model-dir", "nowhere"], "modelUri"),
        ([], "predict_function"),
    ],
)
def test_a_model_that_cannot_be_loaded_ends_the_process_with_the_traceback(
    tmp_path: Path, words: list[str], told: str
) -> None:
    """The seed's server swallowed the error and served without a model, or ended with code 0."""
    model_folder(tmp_path)
    done = run(
        tmp_path, sys.executable, "-m", "airflow_provider_seldon.serving", "--model-dir", "models", *words
    )
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert told in done.stderr


def test_sigterm_ends_it_in_good_order(start: Any) -> None:
    with start() as running:
        running.request("GET", "/ready")
        running.process.terminate()
        assert running.process.wait(timeout=30) == 0


def test_a_connection_that_is_kept_open_does_not_hold_up_the_end(start: Any) -> None:
    """Seldon's engine keeps its connections; waiting for them cost the pod its whole grace period, and a SIGKILL."""
    with start() as running:
        kept = http.client.HTTPConnection("127.0.0.1", running.port, timeout=30)
        kept.request("GET", "/ready")
        assert kept.getresponse().read()
        running.process.terminate()
        assert running.process.wait(timeout=20) == 0
        kept.close()


def test_it_imports_neither_airflow_nor_pydantic(start: Any) -> None:
    with start("what_is_imported") as running:
        answer = running.request("POST", "/predict", {"strData": ""})[1]
    assert answer["data"]["ndarray"] == []


def test_seldons_own_wrapper_serves_the_model_class(tmp_path: Path) -> None:
    """With the real ``seldon-core-microservice``, where SELDON_MICROSERVICE names that program."""
    program = os.environ.get("SELDON_MICROSERVICE")
    if not program:
        pytest.skip("SELDON_MICROSERVICE is not set")
    model_folder(tmp_path)
    ports = [free_port() for _ in range(3)]
    names = ("HTTP_SERVICE_PORT", "GRPC_SERVICE_PORT", "METRICS_SERVICE_PORT")
    variables = {f"PREDICTIVE_UNIT_{name}": str(port) for name, port in zip(names, ports, strict=True)}
    variables |= {"SELDON_PREDICT_FUNCTION": "user_code:scaled", "SELDON_MODEL_DIR": "models"}
    line = [program, "airflow_provider_seldon.serving.wrapper.SeldonModel", "--service-type", "MODEL"]
    good = environment(tmp_path, **variables, SELDON_LOAD_FUNCTION="user_code:load")
    with serving(line, folder=tmp_path, port=ports[0], env=good, wait=60, grace=1) as running:
        status, answer = running.request("POST", "/predict", ROWS)
        assert (status, answer["data"]["ndarray"]) == (200, [[2.0, 4.0]])
        assert running.request("GET", "/health/status")[0] == 200
    done = run(tmp_path, *line, **variables, SELDON_LOAD_FUNCTION="user_code:broken")
    assert done.returncode != 0
    assert "no such weights" in done.stdout + done.stderr
