"""An API server, or what is in front of it, that is away, says odd things, or wants other credentials."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from airflow_provider_seldon.exceptions import (
    ServerUnavailableError,
    UnauthorizedError,
    UnexpectedAnswerError,
)
from airflow_provider_seldon.hooks.seldon import SeldonHook
from airflow_provider_seldon.kube.requests import transport
from airflow_provider_seldon.kube.requests.session import ApiSession
from airflow_provider_seldon.local.cluster import LocalSeldon
from airflow_provider_seldon.local.faults import Fault
from airflow_provider_seldon.local.options import LocalOptions
from tests.api_servers import ApiServers, api_servers, kube_config
from tests.front_server import Answer, FrontServer, Seen, in_front_of


@pytest.fixture
def servers() -> Iterator[ApiServers]:
    with api_servers() as found:
        yield found


@pytest.fixture
def front(local_api: Any) -> Iterator[FrontServer]:
    with in_front_of(local_api.url) as server:
        yield server


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Callable[..., SeldonHook]:
    """Return a hook whose connection holds a kubeconfig; the connection may be written again."""
    monkeypatch.setattr(transport, "LONGEST_PAUSE", 0.1)

    def hook(server: str = "", *, token: str = "", patience: float = 0, **extra: Any) -> SeldonHook:
        extra = extra or {"kube_config": kube_config(server, token=token)}
        monkeypatch.setenv("AIRFLOW_CONN_TESTED", json.dumps({"conn_type": "seldon", "extra": extra}))
        monkeypatch.setenv("AIRFLOW__SELDON__OUTAGE_PATIENCE", str(patience))
        return SeldonHook("tested", namespace="default")

    return hook


def annotate(hook: SeldonHook, name: str = "iris") -> str:
    return hook.client.annotate(name, {"seen": "yes"}).annotations["seen"]


def deploy(local_api: Any, hook: SeldonHook, name: str = "iris") -> None:
    graph = {"name": "classifier", "implementation": "SKLEARN_SERVER", "modelUri": "s3://models/iris"}
    hook.client._transport.request(
        "POST",
        "/apis/machinelearning.seldon.io/v1/namespaces/default/seldondeployments",
        body={
            "apiVersion": "machinelearning.seldon.io/v1",
            "kind": "SeldonDeployment",
            "metadata": {"name": name},
            "spec": {"predictors": [{"name": "default", "graph": graph}]},
        },
    )


@pytest.mark.parametrize("fault", [{"status": 503}, {"drop": "before"}, {"webhook": "down"}])
def test_writes_outlast_an_outage_within_the_configured_time(
    local_api: Any, connect: Any, fault: dict[str, Any]
):
    hook = connect(local_api.url, patience=60)
    deploy(local_api, hook)
    deployment = hook.client.get("iris")
    local_api.faults.add(Fault(verb="patch", count=None, **fault))
    threading.Timer(1.5, local_api.faults.clear).start()
    started = time.monotonic()
    assert hook.client.apply(deployment, force=True).uid == deployment.uid
    assert time.monotonic() - started >= 1.0


def test_requests_of_one_outage_share_its_time(local_api: Any, connect: Any):
    hook = connect(local_api.url, patience=2)
    _ = hook.client
    local_api.faults.add(Fault(status=503, count=None))
    seconds = []
    for _ in range(2):
        started = time.monotonic()
        with pytest.raises(ServerUnavailableError):
            hook.client.find()
        seconds.append(time.monotonic() - started)
    assert seconds[0] >= 1.5
    assert seconds[1] < seconds[0]


@pytest.mark.parametrize(
    "body",
    [b"<html>Maintenance</html>", b'{"kind": "SeldonDeployment", "metad', b"", b"[]", b"null", b'{"a": 1}'],
)
def test_invalid_answers_are_retried(local_api: Any, front: FrontServer, connect: Any, body: bytes):
    hook = connect(front.url)
    deploy(local_api, hook)
    left = [Answer(body), Answer(body)]
    front.rule = lambda seen: left.pop() if left and seen.method == "PATCH" else None
    assert annotate(hook) == "yes"
    assert left == []


def test_an_answer_that_stays_none_is_a_documented_error(front: FrontServer, connect: Any):
    hook = connect(front.url)
    front.rule = lambda seen: Answer(b'{"kind": "SeldonDeploymentList", "items": [null, 5]}')
    with pytest.raises(UnexpectedAnswerError):
        hook.client.find()
    front.rule = lambda seen: Answer(
        b'{"kind": "SeldonDeploymentList", "metadata": {"continue": "again"}, "items": []}'
    )
    with pytest.raises(UnexpectedAnswerError, match="the same page"):
        hook.client.find()
    front.rule = lambda seen: Answer(b'{"kind": "Other", "apiVersion": "v1", "metadata": {"name": "x"}}')
    with pytest.raises(UnexpectedAnswerError):
        hook.client.get("x")


class Rotation:
    """Lets in only who has the token of this moment."""

    def __init__(self, front: FrontServer) -> None:
        self.token = "old-token"
        front.rule = self._rule

    def _rule(self, seen: Seen) -> Answer | None:
        if seen.headers.get("Authorization") == f"Bearer {self.token}":
            return None
        return Answer(b'{"kind": "Status", "code": 401, "message": "Unauthorized"}', status=401)


PLUGIN = """#!/bin/sh
printf '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "%s"}}' \
"$(cat TOKEN)"
"""


@pytest.mark.parametrize("kind", ["inline", "file", "tokenFile", "exec"])
def test_credentials_that_rotate_are_read_anew_by_the_synchronous_half(
    local_api: Any, front: FrontServer, connect: Any, tmp_path: Path, kind: str
):
    rotation = Rotation(front)
    path, token_file, plugin = tmp_path / "config", tmp_path / "token", tmp_path / "plugin"
    plugin.write_text(PLUGIN.replace("TOKEN", str(token_file)))
    plugin.chmod(0o755)

    def write(token: str) -> SeldonHook:
        rotation.token = token
        token_file.write_text(token)
        users = {
            "inline": {"token": token},
            "file": {"token": token},
            "tokenFile": {"tokenFile": str(token_file)},
            "exec": {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": str(plugin)}},
        }
        config = json.loads(kube_config(front.url))
        config["users"][0]["user"] = users[kind]
        path.write_text(yaml.safe_dump(config))
        hook: SeldonHook = connect(
            **({"kube_config": json.dumps(config)} if kind == "inline" else {"kube_config_path": str(path)})
        )
        return hook

    hook = write("old-token")
    deploy(local_api, hook)
    write("new-token")
    assert annotate(hook) == "yes"


def test_credentials_that_were_good_before_get_time_for_their_rotation(
    local_api: Any, front: FrontServer, connect: Any
):
    rotation = Rotation(front)
    hook = connect(front.url, token="old-token")
    deploy(local_api, hook)
    rotation.token = "new-token"
    threading.Timer(1.0, lambda: connect(front.url, token="new-token")).start()
    assert annotate(hook) == "yes"


def test_credentials_that_never_were_good_are_refused_at_once(front: FrontServer, connect: Any):
    Rotation(front)
    hook = connect(front.url, token="wrong")
    started = time.monotonic()
    with pytest.raises(UnauthorizedError):
        hook.client.find()
    assert len(front.seen) == 2
    assert time.monotonic() - started < 10


class ConnectProxy:
    """A proxy for TLS, which sends all to one place, whatever host is asked for."""

    def __init__(self, upstream: str) -> None:
        self.asked: list[str] = []
        port = urlsplit(upstream).port

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                pass

            def do_CONNECT(handler) -> None:  # noqa: N805
                self.asked.append(handler.path)
                with socket.create_connection(("127.0.0.1", port)) as there:
                    handler.send_response(200)
                    handler.end_headers()
                    pump = threading.Thread(target=_pump, args=(there, handler.connection), daemon=True)
                    pump.start()
                    _pump(handler.connection, there)
                    pump.join(timeout=10)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for one in (source, target):
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)


def test_both_halves_go_through_the_proxy_of_a_kubeconfig(connect: Any, monkeypatch: pytest.MonkeyPatch):
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    with LocalSeldon(LocalOptions(kubelet="simulated", tls=True)) as local:
        proxy = ConnectProxy(local.api_url)
        config = json.loads(json.dumps(local.kubeconfig))
        config["clusters"][0]["cluster"] |= {
            "server": "https://private-cluster.invalid:6443",
            "tls-server-name": "127.0.0.1",
            "proxy-url": proxy.url,
        }
        hook = connect(kube_config=json.dumps(config))
        assert hook.client.find() == []
        assert proxy.asked == ["private-cluster.invalid:6443"]

        async def triggerer() -> str:
            session = ApiSession(hook.access)
            try:
                return str((await session.get("/api/v1/namespaces/default/pods"))["kind"])
            finally:
                await session.close()

        assert asyncio.run(triggerer()) == "PodList"
        assert len(proxy.asked) == 2
        proxy.server.shutdown()
        proxy.server.server_close()
