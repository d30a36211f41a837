"""Where a deployment comes from: what each API says, and that nothing is an orphan that could not be looked up."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_seldon.core.identity.identity import Identity
from airflow_provider_seldon.core.reaping.origin import Origin
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
from airflow_provider_seldon.hooks.origins.lookup import Source, lookup
from airflow_provider_seldon.hooks.origins.rest_api import RestApi
from airflow_provider_seldon.hooks.origins.task_api import TaskApi

FILE = {"bundle_name": "dags-folder", "relative_fileloc": "models.py"}
BROKEN = {"bundle_name": "dags-folder", "relative_fileloc": "broken.py"}
ANSWERS: dict[str, Any] = {
    "/api/v2/version": {"version": "3.3.2"},
    "/api/v2/dags/known": {**FILE, "is_stale": False},
    "/api/v2/dags/known/tasks": {"tasks": [{"task_id": "deploy"}]},
    "/api/v2/dags/stale": {**FILE, "is_stale": True},
    "/api/v2/dags/broken": {**BROKEN, "is_stale": True},
    "/api/v2/dags/never%2Fserialised": {**FILE, "is_stale": False},
    "/api/v2/dags/hidden": 403,
    "/api/v2/dags/failing": 500,
    "/api/v2/importErrors?limit=100&offset=0": {
        "import_errors": [{"bundle_name": "dags-folder", "filename": "other.py"}],
        "total_entries": 2,
    },
    "/api/v2/importErrors?limit=100&offset=1": {
        "import_errors": [{"bundle_name": "dags-folder", "filename": "broken.py"}],
        "total_entries": 2,
    },
}


class Api:
    """The REST API of Airflow, as far as it is asked; its shapes were compared with those of 3.3.2."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers = dict(ANSWERS)
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                good = self.path == "/auth/token" and body == {"username": "reaper", "password": "pass1"}
                self._send({"access_token": "token-1"} if good else 401, 201)

            def do_GET(self) -> None:
                api.asked.append(self.path)
                signed = self.headers.get("Authorization") == "Bearer token-1"
                self._send(api.answers.get(self.path, 404) if signed else 401, 200)

            def _send(self, answer: Any, status: int) -> None:
                failed = isinstance(answer, int)
                body = json.dumps({"detail": "no"} if failed else answer).encode()
                self.send_response(answer if failed else status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def connection(self, **fields: Any) -> str:
        where = {"conn_type": "http", "host": "http://127.0.0.1", "port": self.server.server_port}
        return json.dumps({**where, **fields})


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    api = Api()
    monkeypatch.setenv("AIRFLOW_CONN_AIRFLOW_API", api.connection(login="reaper", password="pass1"))
    yield api
    api.server.shutdown()
    api.server.server_close()


def of(dag_id: str, task_id: str = "deploy") -> SeldonDeployment:
    identity = Identity(dag_id=dag_id, task_id=task_id, model_name="iris")
    metadata = {"name": "iris", "labels": identity.labels(), "annotations": identity.annotations()}
    return SeldonDeployment.from_manifest({"metadata": metadata, "spec": {}})


def origins(source: Source, *dags: str) -> list[Origin]:
    found = lookup(source)
    return [found(of(dag)).origin for dag in dags]


def test_the_rest_api_reports_dags_and_tasks(api: Api) -> None:
    found = lookup(RestApi("airflow_api"))
    assert found(of("known")).origin is Origin.PRESENT
    assert found(of("known", "renamed")).origin is Origin.GONE
    assert "no longer has a task renamed" in found(of("known", "renamed")).reason
    assert (found(of("stale")).origin, found(of("nowhere")).origin) == (Origin.GONE, Origin.UNHEARD_OF)
    # Each DAG once, whatever it has deployed.
    assert len([path for path in api.asked if path == "/api/v2/dags/known"]) == 1


def test_what_cannot_be_looked_up_is_unknown_and_no_orphan(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    strange = ("broken", "never/serialised", "hidden", "failing", "")
    assert origins(RestApi("airflow_api"), *strange) == [Origin.UNKNOWN] * len(strange)
    # A 404 of what is no Airflow 3: a proxy, another site, Airflow 2.
    del api.answers["/api/v2/version"]
    assert origins(RestApi("airflow_api"), "nowhere") == [Origin.UNKNOWN]
    for fields in ({"login": "reaper", "password": "wrong"}, {}, {"extra": {"bearer_token": "other"}}):
        monkeypatch.setenv("AIRFLOW_CONN_AIRFLOW_API", api.connection(**fields))
        assert origins(RestApi("airflow_api"), "known", "nowhere") == [Origin.UNKNOWN] * 2
    api.server.shutdown()
    api.server.server_close()
    assert origins(RestApi("airflow_api"), "known", "nowhere") == [Origin.UNKNOWN] * 2


def test_a_token_of_ones_own_is_used(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_AIRFLOW_API", api.connection(extra={"bearer_token": "token-1"}))
    assert origins(RestApi("airflow_api"), "known") == [Origin.PRESENT]


class RefusedError(Exception):
    """What a task gets for a DAG: from its supervisor, or, in ``dag.test()``, from the client itself."""

    def __init__(self, *, status: int, body: Mapping[str, Any], supervised: bool) -> None:
        super().__init__("Server returned error")
        if supervised:
            self.error = SimpleNamespace(detail={"status_code": status, "message": "", "detail": body})
        else:
            self.response = SimpleNamespace(status_code=status, json=lambda: body)


@pytest.mark.parametrize("supervised", [True, False])
def test_the_task_api_tells_only_that_a_dag_was_deleted(supervised: bool) -> None:
    def get_dag(*, dag_id: str) -> None:
        said = {"nowhere": (404, {"detail": {"reason": "not_found"}}), "old": (404, {"detail": "Not Found"})}
        status, body = said.get(dag_id, (500, {}))
        if dag_id != "known":
            raise RefusedError(status=status, body=body, supervised=supervised)

    asked = TaskApi(SimpleNamespace(get_dag=get_dag))
    expected = [Origin.UNHEARD_OF, Origin.UNKNOWN, Origin.UNKNOWN, Origin.UNKNOWN]
    assert origins(asked, "nowhere", "known", "old", "failing") == expected
    assert origins(TaskApi(SimpleNamespace()), "nowhere") == [Origin.UNKNOWN]
