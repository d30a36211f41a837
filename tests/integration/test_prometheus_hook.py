"""The hook for Prometheus: connections of every shape, and servers that answer as they should not."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from airflow.models.connection import Connection

from airflow_provider_seldon.exceptions import (
    ConnectionConfigError,
    ForbiddenError,
    RejectedError,
    SeldonError,
    ServerUnavailableError,
    UnauthorizedError,
    UnexpectedAnswerError,
)
from airflow_provider_seldon.hooks.prometheus import PrometheusHook

GOOD = {
    "status": "success",
    "data": {"resultType": "vector", "result": [{"metric": {"a": "b"}, "value": [1, "2"]}]},
}


class Server:
    """Answers with what it is told to, and notes what it was asked."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, Any]] = []
        self.headers: dict[str, str] = {}
        self.asked: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.headers = dict(self.headers)
                outer.asked.append(self.path)
                status, body = outer.answers.pop(0) if outer.answers else (200, GOOD)
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("Location", "http://127.0.0.1:1/")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def hook(self, extra: dict[str, Any] | None = None, **fields: Any) -> PrometheusHook:
        """A hook whose connection leads here."""
        given = {"conn_id": "p", "conn_type": "http", "host": "127.0.0.1", "port": self.port} | fields
        return PrometheusHook("p", connection=Connection(**given, extra=json.dumps(extra) if extra else None))

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server()
    yield found
    found.close()


def test_a_connection_from_the_environment_answers(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    text = json.dumps({"conn_type": "http", "host": f"http://127.0.0.1:{server.port}/prometheus"})
    monkeypatch.setenv("AIRFLOW_CONN_PROMETHEUS_DEFAULT", text)
    found = PrometheusHook().query("up")
    assert [(one.value, dict(one.labels)) for one in found] == [(2.0, {"a": "b"})]
    assert server.asked == ["/prometheus/api/v1/query?query=up"]
    assert asyncio.run(_asked_in_the_triggerer()) == 2.0


async def _asked_in_the_triggerer() -> float:
    hook = await PrometheusHook.in_triggerer("prometheus_default")
    return (await hook.client.query("up"))[0].value


def test_login_bearer_and_headers_let_us_in(server: Server) -> None:
    server.hook(login="me", password="pa:ss").query("up")
    assert server.headers["Authorization"] == "Basic " + base64.b64encode(b"me:pa:ss").decode()
    server.hook({"bearer_token": " tok \n", "headers": {"X-Scope-OrgID": "team-a"}, "X-Other": "1"}).query(
        "up"
    )
    assert server.headers["Authorization"] == "Bearer tok"
    assert (server.headers["X-Scope-OrgID"], server.headers["X-Other"]) == ("team-a", "1")


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, {"status": "error", "error": "parse error: no"}, RejectedError),
        (422, {"status": "error", "error": "too many samples"}, RejectedError),
        (401, b"who are you, Bearer s3cr3t-token", UnauthorizedError),
        (403, b"", ForbiddenError),
        (302, b"", UnexpectedAnswerError),
        (404, b"<html>", UnexpectedAnswerError),
        (503, b"", ServerUnavailableError),
        (200, b"<html>hello s3cr3t-token</html>", UnexpectedAnswerError),
        (200, {"status": "success", "data": {"resultType": "matrix", "result": []}}, UnexpectedAnswerError),
        (200, {"status": "success", "data": {"resultType": "vector", "result": [7]}}, UnexpectedAnswerError),
        (200, b"[" * 20000, UnexpectedAnswerError),
    ],
)
def test_what_goes_wrong_has_a_type_and_quotes_no_credential(
    server: Server, status: int, body: Any, error: type[SeldonError]
) -> None:
    server.answers = [(status, body)]
    with pytest.raises(error) as caught:
        server.hook({"bearer_token": "s3cr3t-token", "retries": 0}).query("up")
    assert type(caught.value) is error
    assert "s3cr3t" not in str(caught.value)
    assert len(server.asked) == 1


def test_a_credential_of_any_scheme_is_not_quoted(server: Server) -> None:
    server.answers = [(401, b"unknown key s3cr3t-key")]
    with pytest.raises(UnauthorizedError) as caught:
        server.hook({"headers": {"Authorization": "ApiKey s3cr3t-key"}}).query("up")
    assert "s3cr3t" not in str(caught.value)


def test_an_outage_is_outlasted_and_a_wrong_query_is_not_retried(server: Server) -> None:
    server.answers = [(503, b""), (429, b"")]
    assert server.hook().query("up")[0].value == 2.0
    assert len(server.asked) == 3
    server.answers = [(400, {"error": "parse error"})]
    with pytest.raises(RejectedError):
        server.hook().query("(")
    assert len(server.asked) == 4


@pytest.mark.parametrize(
    ("fields", "extra", "named"),
    [
        ({"host": ""}, None, "host"),
        ({"host": "ftp://x"}, None, "host"),
        ({"host": "http://x:port"}, None, "host"),
        ({}, {"bearer_token": "a\nb"}, "bearer_token"),
        ({}, {"headers": ["a"]}, "headers"),
        ({}, {"headers": {"X-A": "a\nb"}}, "X-A"),
        ({}, {"headers": {"a b": "c"}}, "headers"),
        ({}, {"timeout": "soon"}, "timeout"),
        ({}, {"verify": 3}, "verify"),
        ({}, {"X-A": {"b": 1}}, "X-A"),
    ],
)
def test_a_connection_that_cannot_be_used_names_the_field_and_no_value(
    server: Server, fields: dict[str, Any], extra: dict[str, Any] | None, named: str
) -> None:
    with pytest.raises(ConnectionConfigError, match=named) as caught:
        server.hook(extra, **fields).query("up")
    assert "a\nb" not in str(caught.value)


def test_a_bundle_of_certificates_that_is_missing_is_reported(server: Server) -> None:
    with pytest.raises(ConnectionConfigError, match="verify"):
        server.hook({"verify": "/nowhere.pem"}, schema="https").query("up")


def test_neither_hook_nor_access_shows_a_credential(server: Server) -> None:
    hook = server.hook({"bearer_token": "s3cr3t-token", "headers": {"X-Key": "s3cr3t-key"}})
    assert "s3cr3t" not in repr(hook.access) + repr(hook.access.headers) + repr(hook.client)


def test_the_connection_test_queries_a_constant(server: Server) -> None:
    assert server.hook().test_connection() == (True, "Prometheus answers.")
    server.answers = [(401, b"")]
    assert server.hook().test_connection()[0] is False
