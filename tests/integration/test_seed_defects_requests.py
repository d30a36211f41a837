"""
One request each, where ZenML's Seldon integration went wrong: logs, time limits, credentials.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_seldon.exceptions import PredictionError, ServerUnavailableError
from airflow_provider_seldon.hooks.seldon import SeldonHook
from airflow_provider_seldon.kube.requests.client import SeldonClient
from airflow_provider_seldon.kube.requests.transport import Transport
from airflow_provider_seldon.local.faults import Fault
from tests.integration.test_deploy_operator import deploy


class Lines:
    """A log source whose second line is empty."""

    async def stream(self, namespace: str, pod: str, container: str, *, options: Any) -> AsyncIterator[bytes]:
        """Yield a traceback as Python writes it."""
        for line in (b"Traceback\n", b"\n", b"ValueError: no model\n"):
            yield line


def plain_client(url: str) -> Any:
    """A client of an API server that requires no credentials."""
    from kubernetes.client import ApiClient, Configuration

    configuration = Configuration(host=url)
    configuration.retries = False
    return ApiClient(configuration)


def test_an_empty_line_does_not_end_a_log(local_api: Any) -> None:
    local_api.log_source = Lines()
    client = SeldonClient(plain_client(local_api.url), namespace="default")
    spec = {"containers": [{"name": "main", "image": "main:1"}], "nodeName": "node"}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}
    client._transport.request("POST", "/api/v1/namespaces/default/pods", body=pod)
    for follow in (False, True):
        lines = list(client.pods.logs("p", container="main", follow=follow))
        assert lines == ["Traceback", "", "ValueError: no model"]


@pytest.mark.parametrize("fault", [{"delay": 3.0}, {"stall": 3.0}], ids=["no-answer", "half-an-answer"])
def test_a_request_that_is_not_answered_ends_by_itself(local_api: Any, fault: dict[str, float]) -> None:
    """The seed's wait had the same number as time limit for its requests, and none when it was 0."""
    local_api.faults.add(Fault(verb="list", count=None, **fault))  # type: ignore[arg-type]
    transport = Transport(plain_client(local_api.url), attempts=2, timeout=0.3)
    with pytest.raises(ServerUnavailableError):
        transport.request("GET", "/apis/machinelearning.seldon.io/v1/namespaces/default/seldondeployments")
    assert len(local_api.requests.entries()) == 2


class Gateway(BaseHTTPRequestHandler):
    """An ingress gateway that keeps the headers that it got; below ``/hang`` it never answers."""

    got: list[dict[str, str]]

    def do_POST(self) -> None:
        """Answer a prediction."""
        self.got.append(dict(self.headers))
        self.rfile.read(int(self.headers["Content-Length"]))
        if "/hang" in self.path:
            time.sleep(1.5)
            return
        body = b'{"data": {"ndarray": [[1.0]]}}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def gateway() -> Iterator[str]:
    """The URL of a gateway."""
    Gateway.got = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Gateway)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"extra": {"ingress_token": "abc"}}, "Bearer abc"),
        ({"login": "me", "password": "pw"}, f"Basic {base64.b64encode(b'me:pw').decode()}"),
    ],
)
def test_predictions_carry_host_and_credentials_and_do_not_hang(
    hook: SeldonHook, gateway: str, monkeypatch: pytest.MonkeyPatch, given: dict[str, Any], sent: str
) -> None:
    known = hook.client.get(deploy()["name"])
    extra = {**hook.conn_extras, "ingress_url": gateway, "ingress_host_header": "models.example.com"}
    connection = {"conn_type": "seldon", **given, "extra": {**extra, **given.get("extra", {})}}
    monkeypatch.setenv("AIRFLOW_CONN_BEHIND_ISTIO", json.dumps(connection))
    behind = SeldonHook("behind_istio")
    assert behind.predictions(known.name, [[1.0]], deployment=known) == [[1.0]]
    assert (Gateway.got[0]["Host"], Gateway.got[0]["Authorization"]) == ("models.example.com", sent)
    with pytest.raises(PredictionError, match="no answer"):
        behind.predict(known.name, [[1.0]], deployment=known, path="hang", timeout=0.2, retry_for=0)


def test_a_token_that_has_expired_is_replaced_in_a_hook_that_lives_on(
    local_api: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The seed kept its client past the end of its token."""
    token, plugin = tmp_path / "token", tmp_path / "plugin"
    kind = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential"}
    status = {"token": "$(cat TOKEN)", "expirationTimestamp": "2020-01-01T00:00:00Z"}
    answer = json.dumps({**kind, "status": status}).replace('"', '\\"').replace("TOKEN", str(token))
    plugin.write_text(f'#!/bin/sh\necho "{answer}"\n')
    plugin.chmod(0o755)
    call = {"apiVersion": kind["apiVersion"], "command": str(plugin), "interactiveMode": "Never"}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": local_api.url}}],
        "users": [{"name": "u", "user": {"exec": call}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    }
    connection = {"conn_type": "seldon", "extra": {"kube_config": config}}
    monkeypatch.setenv("AIRFLOW_CONN_PLUGIN", json.dumps(connection))
    hook = SeldonHook("plugin")
    for current in ("first", "second"):
        token.write_text(current)
        local_api.authorizer.tokens = {current: "me"}
        assert hook.client.find() == []
    assert {entry.status for entry in local_api.requests.entries()} == {200}
