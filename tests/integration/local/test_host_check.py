"""Every port of ``local``: who is let in, and by which way nobody is."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_seldon.hooks.seldon import SeldonHook
from airflow_provider_seldon.local.cluster import LocalOptions, LocalSeldon
from tests.integration.local.cluster_client import seldon_deployment

PATH = "/apis/machinelearning.seldon.io/v1/namespaces/default/seldondeployments"
SECRETS = "/api/v1/namespaces/default/secrets"


@pytest.fixture(scope="module")
def guarded() -> Iterator[LocalSeldon]:
    with LocalSeldon(LocalOptions(kubelet="simulated")) as local:
        yield local


@pytest.fixture(scope="module")
def open_one() -> Iterator[LocalSeldon]:
    with LocalSeldon(LocalOptions(kubelet="simulated", token=None)) as local:
        yield local


def send(url: str, method: str, path: str, body: Any = None, **headers: str) -> int:
    """Send exactly these headers, and return the status."""
    connection = http.client.HTTPConnection(url.partition("//")[2], timeout=10)
    data = None if body is None else json.dumps(body).encode()
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.putrequest(method, path, skip_host="Host" in given)
    for name, value in given.items():
        connection.putheader(name, value)
    if data is not None:
        connection.putheader("Content-Length", str(len(data)))
    connection.endheaders(data)
    try:
        return connection.getresponse().status
    finally:
        connection.close()


def ports_of_this_process() -> set[int]:
    """The loopback ports that this process listens on."""
    inodes = set()
    for entry in Path("/proc/self/fd").iterdir():
        try:
            target = str(entry.readlink())
        except OSError:
            continue
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    lines = Path("/proc/self/net/tcp").read_text().splitlines()[1:]
    fields = [line.split() for line in lines]
    return {int(one[1].split(":")[1], 16) for one in fields if one[3] == "0A" and one[9] in inodes}


@pytest.mark.skipif(
    not hasattr(socket, "AF_UNIX") or not Path("/proc/self/net/tcp").exists(), reason="reads /proc"
)
def test_no_port_gives_secrets_or_takes_objects_without_the_token() -> None:
    before = ports_of_this_process()
    with LocalSeldon(LocalOptions(kubelet="simulated")) as local:
        opened = ports_of_this_process() - before
        assert len(opened) >= 3
        for port in opened:
            url = f"http://127.0.0.1:{port}"
            assert send(url, "GET", SECRETS) in (401, 403, 404)
            made = send(url, "POST", PATH, seldon_deployment("evil"), Content_Type="application/json")
            assert made in (401, 403, 404)
            assert send(url, "GET", "/_requests") in (401, 403, 404)
        bearer = f"Bearer {local.options.token}"
        assert send(local.api_url, "GET", SECRETS, Authorization=bearer) == 200
        assert local.kubeconfig["users"][0]["user"]["token"] == local.options.token


def test_what_the_kubeconfig_carries_is_what_the_provider_comes_in_with(
    guarded: LocalSeldon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SELDON_DEFAULT", guarded.airflow_connection())
    hook = SeldonHook()
    assert hook.test_connection()[0]
    assert hook.client.find() == []


def test_two_clusters_have_two_tokens_and_show_none() -> None:
    one, two = LocalOptions(), LocalOptions()
    assert one.token != two.token
    assert str(one.token) not in repr(one)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content_Type": "application/json"}, 201),
        ({"Content_Type": "application/yaml", "Host": "localhost:1"}, 201),
        ({"Content_Type": "application/json", "Origin": "http://localhost:8080"}, 201),
        ({}, 415),
        ({"Content_Type": "text/plain"}, 415),
        ({"Content_Type": "application/json", "Host": "evil.example"}, 403),
        ({"Content_Type": "application/json", "Host": "127.0.0.1.evil.example"}, 403),
        ({"Content_Type": "application/json", "Origin": "http://evil.example"}, 403),
        ({"Content_Type": "application/json", "Origin": "null"}, 403),
        ({"Origin": "http://evil.example", "Sec_Fetch_Site": "cross-site"}, 403),
    ],
)
def test_a_web_page_can_create_nothing_even_without_a_token(
    open_one: LocalSeldon, headers: dict[str, str], status: int
) -> None:
    name = f"page-{time.monotonic_ns()}"
    assert send(open_one.api_url, "POST", PATH, seldon_deployment(name), **headers) == status


@pytest.mark.parametrize("path", ["/version", SECRETS, "/_requests", "/_faults"])
def test_a_name_that_another_site_gave_to_this_machine_reads_nothing(
    open_one: LocalSeldon, path: str
) -> None:
    assert send(open_one.api_url, "GET", path) == 200
    assert send(open_one.api_url, "GET", path, Host="evil.example:80") == 403


def test_a_client_with_the_token_may_use_a_proxy_with_any_name(guarded: LocalSeldon) -> None:
    known = f"Bearer {guarded.options.token}"
    assert send(guarded.api_url, "GET", PATH, Host="cluster.example:6443", Authorization=known) == 200
    assert send(guarded.api_url, "GET", PATH, Host="cluster.example", Authorization="Bearer no") == 403
    assert send(guarded.api_url, "GET", PATH, Host="cluster.example") == 403


def test_a_web_page_gets_no_prediction_and_a_gateway_may_have_any_name(open_one: LocalSeldon) -> None:
    path = "/seldon/default/none/api/v1.0/predictions"
    assert send(open_one.gateway_url, "POST", path, {}, Host="models.example.com") == 404
    assert send(open_one.gateway_url, "POST", path, {}, Origin="http://evil.example") == 403
