"""An API server, or what is in front of it, that is away, says odd things, or wants other credentials."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from airflow_provider_seldon.exceptions import (
    ServerUnavailableError,
    UnauthorizedError,
    UnexpectedAnswerError,
)
from airflow_provider_seldon.hooks.seldon import SeldonHook
from airflow_provider_seldon.kube import transport
from airflow_provider_seldon.local.faults import Fault
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
def test_answers_that_are_none_are_asked_for_again(
    local_api: Any, front: FrontServer, connect: Any, body: bytes
):
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
