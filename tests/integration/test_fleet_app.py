"""The fleet page as the API server serves it: who may see it, what it shows, what happens when a cluster is away."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tests.airflow_version import AIRFLOW_3

if not AIRFLOW_3:
    pytest.skip("there is no page before Airflow 3.1", allow_module_level=True)

from airflow.api_fastapi.app import create_auth_manager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.utils.db import initdb
from fastapi.testclient import TestClient

from airflow_provider_seldon.core.fleet.reaper_view import ReaperRun
from airflow_provider_seldon.core.fleet.reaping import run_of
from airflow_provider_seldon.core.fleet.snapshot import Snapshot
from airflow_provider_seldon.core.fleet.view import DeploymentView, DetailView, VersionView
from airflow_provider_seldon.core.identity.annotations import ANNOTATION_EXPIRY
from airflow_provider_seldon.core.identity.identity import Identity
from airflow_provider_seldon.core.reaping.origin import Origin
from airflow_provider_seldon.core.request.model_server import ModelServer
from airflow_provider_seldon.exceptions import SeldonError
from airflow_provider_seldon.fleet import app as web
from airflow_provider_seldon.fleet.fleet import Fleet
from airflow_provider_seldon.fleet.runs import RunView
from airflow_provider_seldon.fleet.sources import ClusterSource, SnapshotSource, Source
from airflow_provider_seldon.hooks.origins.known_dag import KnownDag, gone
from airflow_provider_seldon.hooks.seldon import SeldonHook
from airflow_provider_seldon.local.cluster import LocalSeldon
from tests.api_servers import kube_config
from tests.e2e.rest import eventually

HOSTILE = "<script>alert(1)</script>\"'&"
#: Python reads a file name that is no UTF-8 as such a character.
ODD = HOSTILE + "\udcff"


class Owners:
    """What Airflow's database would say: one DAG of one task; the end-to-end tests have a real one."""

    def __init__(self, *reaped: ReaperRun) -> None:
        self._reaped = reaped

    def dags(self, dag_ids: Collection[str]) -> Mapping[str, KnownDag]:
        there = KnownDag(Origin.PRESENT, tasks=frozenset({"deploy"}))
        return {one: there if one in ("train", "secret") else gone(one) for one in dag_ids}

    def failures(self, tasks: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], Sequence[RunView]]:
        failed = RunView(dag_id="train", task_id="deploy", run_id="run/1", ended="2026-01-05", cause=ODD)
        return {key: [failed] for key in tasks}

    def reaper_runs(self) -> Sequence[ReaperRun]:
        return self._reaped

    def runs(self, *, dag_id: str, task_id: str, name: str) -> list[RunView]:
        return [RunView(dag_id=dag_id, task_id=task_id, run_id="run/1", state="failed", cause=HOSTILE)]


class Written:
    """A source of what somebody has written down."""

    def __init__(self, *details: DetailView) -> None:
        self.connection, self.namespace = "written", ""
        self._details = details

    def forget(self, name: str) -> None:
        self._details = tuple(one for one in self._details if one.deployment.name != name)

    def listing(self, *, patience: float) -> Any:
        return Snapshot(connection="written", moment=1.0), [one.deployment for one in self._details]

    def detail(self, name: str) -> DetailView | None:
        return next((one for one in self._details if one.deployment.name == name), None)


class Tags(HTMLParser):
    """The tags of a page, and what they link to."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.addresses: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.addresses += [value or "" for key, value in attrs if key in ("href", "src")]


@pytest.fixture
def login(monkeypatch: pytest.MonkeyPatch) -> Callable[[str | None], dict[str, str]]:
    """Return the headers with which somebody of a role comes, by Airflow's own auth manager."""
    # Airflow asks its database for revoked logins.
    initdb()
    monkeypatch.setenv("AIRFLOW__API_AUTH__JWT_SECRET", "a" * 64)
    manager: Any = create_auth_manager()

    def headers(role: str | None) -> dict[str, str]:
        token = manager.generate_jwt(SimpleAuthManagerUser(username="somebody", role=role))
        return {"Authorization": f"Bearer {token}"}

    return headers


def client(
    *sources: Source, readable: Collection[str] = ("train",), reaped: Sequence[ReaperRun] = ()
) -> TestClient:
    known = {(one.connection, str(index)): one for index, one in enumerate(sources)}
    owners: Any = Owners(*reaped)
    app = web.application(Fleet(known, owners))
    app.dependency_overrides[web.readable_by] = lambda: lambda: readable
    return TestClient(app, raise_server_exceptions=False)


@pytest.fixture
def served(
    local_seldon: LocalSeldon, fresh_namespace: str, monkeypatch: pytest.MonkeyPatch
) -> tuple[SeldonHook, str]:
    """A hook of a namespace with one model server that was deployed and proven; its name."""
    monkeypatch.setenv("AIRFLOW_CONN_SELDON_DEFAULT", local_seldon.airflow_connection())
    hook = SeldonHook(namespace=fresh_namespace)
    return hook, deploy(hook, 1)


def deploy(hook: SeldonHook, version: int, *, dag_id: str = "train") -> str:
    server = ModelServer(
        model_name="iris",
        model_uri=f"s3://models/iris/{version}",
        implementation="SKLEARN_SERVER",
    )
    identity = Identity(dag_id=dag_id, task_id="deploy", model_name="iris", run_id=f"run {version}")
    rollout = hook.deploy_model(server, identity=identity, metrics={"accuracy": 0.9 + version / 100})
    outcome = hook.wait_for(rollout.name, expected=rollout.expected, deadline=time.time() + 60)
    hook.raise_for_outcome(outcome)
    hook.complete(rollout)
    return rollout.name


def test_every_route_wants_a_login_and_the_right_to_see_dags_and_none_writes(
    login: Callable[[str | None], dict[str, str]],
) -> None:
    web_client = client()
    routes: list[Any] = list(web_client.app.routes)  # type: ignore[attr-defined]
    query = "?connection=c&namespace=n&name=m"
    assert {route.path for route in routes} >= {
        *("/", "/deployment", "/reaper", "/page.js", "/api/v1/deployments", "/api/v1/reaper")
    }
    for route in routes:
        assert route.methods <= {"GET", "HEAD"}, route.path
        address = route.path + query
        assert web_client.get(address).status_code == 401, route.path
        assert web_client.get(address, headers=login(None)).status_code == 403, route.path
        assert web_client.get(address, headers=login("viewer")).status_code in (200, 404), route.path
        assert web_client.post(address, headers=login("admin")).status_code == 405, route.path
        # Whatever is answered may be shown in no frame of others, and no other address is named before a login.
        for odd in (route.path, route.path + "/"):
            answer = web_client.get(odd, headers=login("viewer"), follow_redirects=False)
            assert answer.headers.get("Content-Security-Policy") == web.HEADERS["Content-Security-Policy"], (
                odd
            )


def test_the_page_shows_the_running_version_and_its_past(
    served: tuple[SeldonHook, str], local_seldon: LocalSeldon, login: Callable[[str | None], dict[str, str]]
) -> None:
    hook, name = served
    deploy(hook, 2)
    who = login("viewer")
    web_client = client(ClusterSource("seldon_default", hook.namespace))
    local_seldon.requests.clear()
    for _ in range(5):
        listing = web_client.get("/api/v1/deployments", headers=who).json()
    assert local_seldon.requests.count(lambda one: one.verb == "list") == 2, "one look: deployments, children"
    (found,) = listing["deployments"]
    assert (found["name"], found["condition"], found["reason"]) == (name, "serving", "Serving")
    assert found["proven"]
    assert found["proven_at"]
    assert (found["wanted"], found["available"], found["metrics"]) == (1, 1, {"accuracy": 0.92})
    assert found["predictors"] == [{"name": "default", "traffic": 100, "wanted": 1, "available": 1}]
    assert "badges" not in found

    page = web_client.get("/", headers=who).text
    assert "../dags/train/runs/run%202/tasks/deploy" in Tags(page).addresses
    where = {"connection": "seldon_default", "namespace": hook.namespace, "name": name}
    detail = web_client.get("/api/v1/deployment", params=where, headers=who).json()
    first, second = detail["versions"]
    assert (first["metrics"], second["metrics"]) == ({"accuracy": 0.92}, {"accuracy": 0.91})
    assert detail["roll_back_to"] == second["revision"]
    assert detail["nodes"][0]["model_uri"] == "s3://models/iris/2"
    shown = web_client.get("/deployment", params=where, headers=who).text
    assert f"to=&#34;{second['revision']}&#34;" in shown
    assert "<polyline" in shown
    assert (
        client(ClusterSource("seldon_default", hook.namespace), readable=())
        .get("/api/v1/deployments", headers=who)
        .json()["deployments"]
        == []
    ), "their DAG may not be read"


def test_what_a_reaper_would_do_and_has_done_is_shown_to_users_who_may_read_the_dags(
    served: tuple[SeldonHook, str], login: Callable[[str | None], dict[str, str]]
) -> None:
    hook, name = served
    until = '{"v": 1, "ttl": 60, "until": "2026-01-05T10:00:00+00:00"}'
    hook.client.annotate(name, {ANNOTATION_EXPIRY: until})
    uid = hook.client.get(name).uid
    who = {"namespace": hook.namespace, "model_name": "iris", "reason": HOSTILE}
    own = {**who, "name": name, "uid": uid, "dag_id": "train"}
    report = {
        "dry_run": False,
        "deleted": [
            {**who, "name": "preview", "dag_id": "gone"},
            {**who, "name": "hers", "dag_id": "secret"},
        ],
        "aborted": [own],
        "terms": {"namespaces": [hook.namespace]},
    }
    run = run_of(report, dag_id="reaper", task_id="reap", run_id="run/2", at="2026-01-05", state="success")
    source = ClusterSource("seldon_default", hook.namespace)
    web_client = client(source, readable=("train", "reaper"), reaped=[run])
    told = web_client.get("/api/v1/reaper", headers=login("viewer")).json()
    assert [(one["what"], one["name"]) for one in told["done"]] == [("aborted", name), ("deleted", "preview")]
    assert [one["counts"] for one in told["runs"]] == [{"aborted": 1, "deleted": 2}]
    (due,) = told["due"]
    assert (due["name"], due["verdict"], due["run_id"]) == (name, "notice", "run/2")
    assert due["reason"] == "it expired at 2026-01-05T10:00:00+00:00"

    where = {"connection": "seldon_default", "namespace": hook.namespace, "name": name}
    detail = web_client.get("/api/v1/deployment", params=where, headers=login("viewer")).json()
    assert [(one["what"], one["reaper"]["run_id"]) for one in detail["reaped"]] == [("aborted", "run/2")]
    assert detail["deployment"]["reaping"]["verdict"] == "notice"
    for address in ("/reaper", "/", "/deployment"):
        page = web_client.get(address, params=where, headers=login("viewer")).text
        assert "To be marked" in page, address
        assert Tags(page).names.count("script") == 1, address
        assert "hers" not in page, address
    assert "../dags/reaper/runs/run%2F2/tasks/reap" in Tags(page).addresses

    others = client(source, readable=("train",), reaped=[run])
    told = others.get("/api/v1/reaper", headers=login("viewer")).json()
    assert (told["done"], told["runs"]) == ([], []), "the reaper's DAG may not be read"
    assert "run_id" not in told["due"][0]


def test_a_cluster_that_does_not_answer_leaves_the_rest_of_the_page(
    served: tuple[SeldonHook, str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    login: Callable[[str | None], dict[str, str]],
) -> None:
    hook, name = served
    (tmp_path / "config").write_text(kube_config("http://127.0.0.1:1"))
    monkeypatch.setenv(
        "AIRFLOW_CONN_AWAY",
        f'{{"conn_type": "seldon", "extra": {{"kube_config_path": "{tmp_path}/config"}}}}',
    )
    web_client = client(ClusterSource("away", "models"), ClusterSource("seldon_default", hook.namespace))

    def told() -> Any:
        answer = web_client.get("/api/v1/deployments", headers=login("viewer")).json()
        return answer if answer["looks"][0]["error"] else None

    answer = eventually("the error is told", told)
    assert "could not be reached" in answer["looks"][0]["error"]
    assert [one["name"] for one in answer["deployments"]] == [name]
    page = web_client.get("/", headers=login("viewer")).text
    assert "could not be reached" in page
    assert name in page


def test_what_looks_like_html_is_shown_and_not_obeyed(
    served: tuple[SeldonHook, str], login: Callable[[str | None], dict[str, str]]
) -> None:
    hook, name = served
    source = ClusterSource("seldon_default", hook.namespace)
    source.listing()
    detail = source.detail(name)
    assert detail is not None
    texts = {
        key: ODD
        for key, value in vars(detail.deployment).items()
        if isinstance(value, str) and key not in ("condition", "dag_id", "task_id", "name", "namespace")
    }
    view = replace(detail.deployment, **texts, dag_id="train", task_id="gone", badges=())
    web_client = client(Written(replace(detail, deployment=view, diagnosis=HOSTILE)))
    where = {"connection": "written", "namespace": hook.namespace, "name": name}
    for page in (
        web_client.get("/", params={"q": HOSTILE}, headers=login("viewer")).text,
        web_client.get("/", headers=login("viewer")).text,
        web_client.get("/deployment", params=where, headers=login("viewer")).text,
    ):
        assert HOSTILE not in page
        assert "&lt;script&gt;" in page
        assert Tags(page).names.count("script") == 1
    told = web_client.get("/api/v1/deployment", params=where, headers=login("viewer")).json()
    assert HOSTILE in told["deployment"]["model_uri"]
    assert ">orphaned</span>" in web_client.get("/", headers=login("viewer")).text


def test_a_version_names_no_run_of_a_dag_that_the_user_may_not_read(
    login: Callable[[str | None], dict[str, str]],
) -> None:
    view = DeploymentView(connection="written", namespace="models", name="iris", dag_id="train")
    versions = tuple(
        VersionView(revision=dag_id, dag_id=dag_id, task_id="deploy", run_id=f"run of {dag_id}")
        for dag_id in ("train", "secret", "gone")
    )
    web_client = client(Written(DetailView(deployment=view, versions=versions)))
    where = {"connection": "written", "namespace": "models", "name": "iris"}
    told = web_client.get("/api/v1/deployment", params=where, headers=login("viewer")).json()["versions"]
    assert [one.get("run_id") for one in told] == ["run of train", None, "run of gone"]
    page = web_client.get("/deployment", params=where, headers=login("viewer")).text
    assert "run of train" in page
    assert "run of secret" not in page


def test_every_page_says_how_old_its_snapshot_is(login: Callable[[str | None], dict[str, str]]) -> None:
    metrics = {f"metric-{number}": 0.5 for number in range(50)}
    view = DeploymentView(
        connection="written", namespace="models", name="iris", dag_id="train", metrics=metrics
    )
    web_client = client(*[Written(DetailView(deployment=view))] * 2)
    told = web_client.get("/api/v1/deployments", headers=login("viewer")).json()
    assert told["total"] == 1, "a connection that is configured twice shows nothing twice"
    where = {"connection": "written", "namespace": "models", "name": "iris"}
    for address in ("/", "/deployment", "/reaper"):
        page = web_client.get(address, params=where, headers=login("viewer")).text
        assert "the state of 1970-01-01 00:00 UTC" in page, address
        assert "days ago" in page, address
        # The list shows no more than fits into a row.
        assert ("metric-49" in page, "and 44 more" in page) == (address == "/deployment", address == "/"), (
            address
        )


def test_a_page_without_a_usable_connection_names_the_option(
    login: Callable[[str | None], dict[str, str]],
) -> None:
    assert "fleet_connections" in client().get("/", headers=login("viewer")).text


def test_a_connection_that_somebody_corrects_is_used_at_the_next_look(
    served: tuple[SeldonHook, str], local_seldon: LocalSeldon, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook, name = served
    source = ClusterSource("corrected", hook.namespace)
    away = {"conn_type": "seldon", "extra": {"kube_config": kube_config("http://127.0.0.1:1")}}
    monkeypatch.setenv("AIRFLOW_CONN_CORRECTED", json.dumps(away))
    with pytest.raises(SeldonError):
        source._look()
    monkeypatch.setenv("AIRFLOW_CONN_CORRECTED", local_seldon.airflow_connection())
    assert [one.name for one in source._look()] == [name]


def test_a_variable_that_is_no_snapshot_is_named_on_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    source = SnapshotSource("far")
    assert "the Variable seldon_fleet.far does not exist yet" in source.listing()[0].error
    monkeypatch.setenv("AIRFLOW_VAR_SELDON_FLEET.FAR", "my secret")
    assert (
        SnapshotSource("far").listing()[0].error == "the Variable seldon_fleet.far does not hold a snapshot"
    )


def test_a_misspelt_connection_is_named_on_the_page() -> None:
    look, _ = ClusterSource("selden_default").listing()
    assert "selden_default" in look.error


def test_an_error_of_other_code_is_in_the_log_as_the_page_says(caplog: pytest.LogCaptureFixture) -> None:
    source = ClusterSource("seldon_default")
    with caplog.at_level("WARNING"):
        told = source._views._explain(RuntimeError("a secrets backend quotes anything"))
    assert told == "RuntimeError; see the log of the API server."
    assert "a secrets backend quotes anything" in caplog.text
