"""Gateways that are broken, misled or hostile: no rows and no credentials go elsewhere, and nothing is endless."""

from __future__ import annotations

import contextlib
import gzip
import json
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_seldon.delivery.gateway import gateway_request
from airflow_provider_seldon.delivery.gateway.ingress import Ingress
from airflow_provider_seldon.exceptions import ConnectionConfigError, PredictionError, SeldonError

GOOD = b'{"data": {"ndarray": [[1.0]]}}'
TOKEN = "token-0123456789"


class Gateway(ThreadingHTTPServer):
    """Answers as it is told, and remembers who came."""

    daemon_threads = True

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []
        self.respond: Callable[[Any], None] = lambda request: request.answer(200, GOOD)
        super().__init__(("127.0.0.1", 0), _Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Gateway

    def do_GET(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.seen.append((self.command, self.headers.get("Authorization", "")))
        self.server.respond(self)

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Be silent."""


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    server = Gateway()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def other() -> Iterator[Gateway]:
    server = Gateway()
    yield server
    server.shutdown()
    server.server_close()


def ask(gateway: Gateway, *, timeout: float = 10.0, **credentials: str) -> Any:
    ingress = Ingress(url=gateway.url, **credentials)  # type: ignore[arg-type]
    return ingress.post(f"{gateway.url}/x", {"data": {"ndarray": [[1]]}}, timeout=timeout, retry_for=0)


@pytest.mark.parametrize("text", ["machine 127.0.0.1 login me password x", "default login me password x"])
@pytest.mark.parametrize("credentials", [{"token": TOKEN}, {"login": "bob", "password": "pw"}, {}])
def test_netrc_neither_replaces_nor_adds_credentials(
    gateway: Gateway,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    credentials: dict[str, str],
) -> None:
    ask(gateway, **credentials)
    (tmp_path / "netrc").write_text(text)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    ask(gateway, **credentials)
    assert gateway.seen[0] == gateway.seen[1]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_another_host_is_reported_and_not_followed(
    gateway: Gateway, other: Gateway, status: int
) -> None:
    place = f"http://user:pass-word@localhost:{other.server_port}/steal?key=hidden"
    gateway.respond = lambda request: request.answer(status, Location=place)
    with pytest.raises(
        PredictionError, match=f"redirects to http://localhost:{other.server_port}/steal,"
    ) as caught:
        ask(gateway, token=TOKEN)
    assert caught.value.status == status
    assert other.seen == []
    assert len(gateway.seen) == 1
    assert "pass-word" not in str(caught.value)
    assert "hidden" not in str(caught.value)


def test_a_redirect_on_the_same_host_keeps_method_body_and_credentials(gateway: Gateway) -> None:
    def respond(request: Any) -> None:
        if request.path == "/x":
            request.answer(308, Location="/y")
        else:
            request.answer(200, GOOD)

    gateway.respond = respond
    assert ask(gateway, token=TOKEN) == json.loads(GOOD)
    assert gateway.seen == [("POST", f"Bearer {TOKEN}")] * 2


def test_a_redirect_in_a_circle_ends(gateway: Gateway) -> None:
    gateway.respond = lambda request: request.answer(307, Location="/x")
    with pytest.raises(PredictionError, match="in a circle"):
        ask(gateway)
    assert len(gateway.seen) <= 3


@pytest.mark.parametrize("start", [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"])
def test_an_answer_that_never_ends_is_aborted_in_time(gateway: Gateway, start: bytes) -> None:
    def drip(request: Any) -> None:
        request.wfile.write(start)
        for number in range(100):
            request.wfile.write(f"X-{number}: y\r\n".encode())
            time.sleep(0.2)

    gateway.respond = drip
    began = time.monotonic()
    with pytest.raises(PredictionError, match="within 1 s"):
        ask(gateway, timeout=1.0)
    assert time.monotonic() - began < 8


def test_a_small_answer_that_unpacks_to_a_huge_one_is_refused(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway_request, "MAX_ANSWER", 1 << 20)
    bomb = gzip.compress(b'["' + b"A" * (8 << 20) + b'"]')
    gateway.respond = lambda request: request.answer(200, bomb, Content_Encoding="gzip")
    with pytest.raises(PredictionError, match="larger than 1 MiB"):
        ask(gateway)
    gateway.respond = lambda request: request.answer(200, gzip.compress(GOOD), Content_Encoding="gzip")
    assert ask(gateway) == json.loads(GOOD)


def test_an_encoding_that_was_not_requested_is_refused(gateway: Gateway) -> None:
    twice = gzip.compress(gzip.compress(GOOD))
    gateway.respond = lambda request: request.answer(200, twice, Content_Encoding="gzip, gzip")
    with pytest.raises(PredictionError, match="encoded as"):
        ask(gateway)


@pytest.mark.parametrize(
    "credentials", [{"token": TOKEN}, {"login": "bob", "password": "pass-'word\""}, {"token": f"{TOKEN}\n"}]
)
@pytest.mark.parametrize("status", [200, 401, 500])
def test_a_gateway_that_echoes_credentials_does_not_bring_them_into_the_error(
    gateway: Gateway, credentials: dict[str, str], status: int
) -> None:
    def echo(request: Any) -> None:
        told = f"no: {request.headers['Authorization']} {json.dumps(credentials)} {credentials!r}"
        request.answer(status, told.encode())

    gateway.respond = echo
    with pytest.raises(PredictionError) as caught:
        ask(gateway, **credentials)
    whole = "".join(traceback.format_exception(caught.value))
    for secret in (TOKEN, "pass-'word", "pass-\\'word", gateway.seen[0][1].split()[1]):
        assert secret not in whole


ODD = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(odd=ODD, place=st.sampled_from(["token", "password", "login", "url"]))
def test_odd_credentials_are_used_or_refused_and_never_quoted(gateway: Gateway, odd: str, place: str) -> None:
    secret = f"s3cr3t{odd}s3cr3t"
    given = {place: secret} if place != "password" else {"login": "bob", "password": secret}
    if place == "url":
        given = {"url": f"http://bob:{secret}@127.0.0.1:{gateway.server_port}"}
    try:
        ingress = Ingress(**{"url": gateway.url, **given})  # type: ignore[arg-type]
        assert "s3cr3t" not in repr(ingress)
        assert "s3cr3t" not in repr(vars(ingress))
        ingress.post(f"{gateway.url}/x", {}, retry_for=0)
    except SeldonError as error:
        chain: BaseException | None = error
        while chain is not None:
            assert "s3cr3t" not in repr(chain) + str(chain)
            chain = chain.__context__


@pytest.mark.parametrize("token", ["a\nb", "a b", "Ünïcode", "\x00abc", "   "])
def test_a_token_that_no_header_carries_is_refused_without_quoting_it(token: str) -> None:
    with pytest.raises(ConnectionConfigError, match="ingress_token") as caught:
        Ingress(url="http://127.0.0.1:1", token=token)
    assert repr(token)[1:-1].strip() == "" or repr(token)[1:-1] not in str(caught.value)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.one_of(st.binary(max_size=60), st.sampled_from([b"[" * 100_000, b"null", b"", b"\xff\xfe<<<"]))
)
def test_whatever_a_gateway_answers_is_a_value_or_an_error_of_the_tree(gateway: Gateway, body: bytes) -> None:
    gateway.respond = lambda request: request.answer(200, body)
    with contextlib.suppress(SeldonError):
        ask(gateway)
