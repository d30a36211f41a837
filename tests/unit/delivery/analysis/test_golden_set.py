"""Golden rows sent to both predictors, over HTTP, to servers that answer whatever they like."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client import Configuration

from airflow_provider_seldon.core.analysis.metrics import GoldenSet
from airflow_provider_seldon.core.analysis.queries import Sides
from airflow_provider_seldon.core.analysis.samples import Sample
from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
from airflow_provider_seldon.delivery.analysis import predictor_ways
from airflow_provider_seldon.delivery.analysis.golden_set import compare, read_rows
from airflow_provider_seldon.kube.access.access import ClusterAccess
from airflow_provider_seldon.kube.requests.service_proxy import ServiceProxy

SIDES = Sides(deployment="iris", candidate="canary", baseline="default", namespace="models")
GRAPH = {"name": "classifier", "implementation": "SKLEARN_SERVER", "modelUri": "s3://models/iris"}
DEPLOYMENT = SeldonDeployment.from_manifest(
    {
        "apiVersion": "machinelearning.seldon.io/v1",
        "kind": "SeldonDeployment",
        "metadata": {"name": "iris"},
        "spec": {"predictors": [{"name": name, "graph": GRAPH} for name in ("default", "canary")]},
    }
)
GOLDEN = GoldenSet("x")
ROWS = [{"data": {"ndarray": [[number]]}} for number in range(4)]
GOOD = (200, {}, json.dumps({"data": {"ndarray": [[1.0]]}}).encode())
TOKEN = "t0ken-of-the-account"


class _Handler(BaseHTTPRequestHandler):
    candidate: tuple[int, Mapping[str, str], bytes] = GOOD
    seen: list[tuple[str, str]]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        self.seen.append((self.command, self.path))
        status, headers, body = self.candidate if "-canary:" in self.path else GOOD
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@contextmanager
def api_server(candidate: tuple[int, Mapping[str, str], bytes]) -> Iterator[tuple[str, list[Any]]]:
    """An API server behind which the candidate answers so; gives its URL and what it is asked."""
    seen: list[Any] = []
    handler = type("Handler", (_Handler,), {"candidate": candidate, "seen": seen})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", seen
        server.shutdown()


def compared(url: str, **more: Any) -> Sample:
    configuration = Configuration(host=url, api_key={"authorization": f"Bearer {TOKEN}"})
    access = ClusterAccess.of_configuration(configuration, key="test")

    async def run() -> Sample:
        async with ServiceProxy(access, namespace="models") as proxy:
            way = predictor_ways._ServiceWay(proxy, DEPLOYMENT, SIDES)
            return await compare(GOLDEN, ROWS, ask=way.ask, **more)

    return asyncio.run(run())


def test_each_row_goes_to_the_service_of_each_predictor() -> None:
    with api_server(GOOD) as (url, seen):
        assert compared(url) == Sample(candidate=0.0)
    path = "/api/v1/namespaces/models/services/iris-{}:http/proxy/api/v1.0/predictions"
    assert sorted(seen) == sorted([("POST", path.format(one)) for one in ("default", "canary")] * len(ROWS))


@pytest.mark.parametrize(
    "answer",
    [
        (500, {}, b'{"status": "FAILURE"}'),
        (200, {}, b"<html>"),
        (200, {}, b"null"),
        (200, {}, b"[" * 100_000),
        (200, {}, b"x" * (5 << 20)),
        (200, {}, b'{"data": {"ndarray": [[NaN]]}}'),
        (200, {}, b'{"data": {"ndarray": [[1.0], [1.0]]}}'),
        (401, {}, b"Bearer " + TOKEN.encode()),
        (403, {}, b"no"),
        (302, {"Location": "/api/v1/namespaces/models/secrets"}, b""),
        (307, {"Location": "http://127.0.0.1:1/"}, b""),
    ],
    ids=["500", "html", "null", "deep", "huge", "nan", "shape", "401", "403", "302", "307"],
)
def test_a_candidate_that_answers_anything_else_disagrees_and_leads_nowhere(
    answer: tuple[int, Mapping[str, str], bytes], caplog: pytest.LogCaptureFixture
) -> None:
    with api_server(answer) as (url, seen):
        assert compared(url) == Sample(candidate=1.0)
    assert len(seen) == 2 * len(ROWS)
    assert all(path.endswith("/api/v1.0/predictions") for _, path in seen)
    assert TOKEN not in caplog.text


def test_a_short_outage_is_retried_and_too_slow_a_set_measures_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(predictor_ways, "PAUSE", 0.01)
    with api_server((503, {}, b"no endpoints")) as (url, seen):
        assert compared(url) == Sample(candidate=1.0)
        assert len(seen) == 4 * len(ROWS), "three tries for each row of the candidate"
        monkeypatch.setattr(predictor_ways, "PAUSE", 30)
        assert compared(url, within=0.2).error == "4 golden rows were not answered within 0.2 s"


def test_rows_are_read_from_a_file_and_one_that_cannot_be_names_field_and_fix(tmp_path: Path) -> None:
    file = tmp_path / "golden.jsonl"
    file.write_text('{"data": 1}\n\n{"data": 2}\n')
    for uri in (str(file), f"file://{file}"):
        assert read_rows(GoldenSet(uri)) == [{"data": 1}, {"data": 2}]
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    for name, told in (("none", "cannot be read (FileNotFoundError)"), ("bytes", "is not text in UTF-8")):
        with pytest.raises(InvalidRequestError) as refused:
            read_rows(GoldenSet(str(tmp_path / name)))
        assert f"GoldenSet.uri: {told}" in str(refused.value)
        assert "conn_id" in str(refused.value)


def test_rows_may_hold_any_character_and_lines_may_end_as_on_windows(tmp_path: Path) -> None:
    row = {"strData": "a\u2028b\x85c"}
    path = tmp_path / "golden.jsonl"
    line = json.dumps(row, ensure_ascii=False).encode()
    path.write_bytes(b"\xef\xbb\xbf" + line + b"\r\n\r\n" + line)
    assert read_rows(GoldenSet(str(path))) == [row, row]
