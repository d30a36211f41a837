"""Requests through a gateway, as a gateway sees them."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from airflow_provider_seldon.delivery.gateway.ingress import Ingress
from airflow_provider_seldon.exceptions import PredictionError


class Gateway(BaseHTTPRequestHandler):
    """Answers with the credentials that it was given; without any, refuses."""

    def do_POST(self) -> None:
        """Answer one request."""
        kind, _, given = self.headers.get("Authorization", "").partition(" ")
        text = base64.b64decode(given).decode() if kind == "Basic" else given
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200 if given else 401)
        self.end_headers()
        self.wfile.write(json.dumps({"kind": kind, "credentials": text}).encode())

    def log_message(self, *_: object) -> None:
        """Be silent."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Host and port of a gateway."""
    server = HTTPServer(("127.0.0.1", 0), Gateway)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"login": "bob", "password": "b"}, {"kind": "Basic", "credentials": "bob:b"}),
        ({"token": "t"}, {"kind": "Bearer", "credentials": "t"}),
        ({}, {"kind": "Basic", "credentials": "alice:p@ss"}),
    ],
)
def test_credentials_in_the_url_are_used_where_there_are_no_others(
    address: str, given: dict[str, str], told: dict[str, str]
) -> None:
    ingress = Ingress(url=f"http://alice:p%40ss@{address}/", **given)  # type: ignore[arg-type]
    assert ingress.require_url() == f"http://{address}"
    assert ingress.post(f"{ingress.require_url()}/x", {}) == told


def test_no_message_shows_credentials(address: str) -> None:
    ingress = Ingress(url=f"http://alice:p%40ss@{address}", login="", token=None)
    assert "p%40ss" not in repr(ingress)
    with pytest.raises(PredictionError, match="401") as caught:
        Ingress(url=f"http://{address}").post(f"http://{address}/x", {})
    assert str(caught.value).startswith(f"POST http://{address}/x: HTTP 401")
