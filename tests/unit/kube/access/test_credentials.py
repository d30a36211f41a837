"""Credentials of a kubeconfig: used as they are meant, or refused, and shown nowhere; keys outlive no process."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from kubernetes.client import ApiClient

from airflow_provider_seldon.exceptions import ConnectionConfigError, SeldonError
from airflow_provider_seldon.kube.access.access import ClusterAccess, RestConfig
from airflow_provider_seldon.kube.access.configuration import ClusterSettings, load
from airflow_provider_seldon.kube.access.key_files import KeyFolder
from airflow_provider_seldon.kube.requests.session import ApiSession
from airflow_provider_seldon.kube.requests.transport import Transport
from airflow_provider_seldon.local.certificates import make_certificates

MARK = "s3cr3t"


class Server(ThreadingHTTPServer):
    """An API server, or a proxy before it, that lets nobody in and quotes what it was given."""

    daemon_threads = True

    def __init__(self) -> None:
        self.given: list[str] = []
        super().__init__(("127.0.0.1", 0), _Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        given = self.headers.get("Authorization", "")
        self.server.given.append(given)
        status = {"kind": "Status", "code": 401, "reason": "Unauthorized", "message": f"no: {given}"}
        body = json.dumps(status).encode()
        self.send_response(401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Be silent."""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.shutdown()
    made.server_close()


def kube_config(url: str, **user: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }


def users(kind: str, secret: str, folder: Path) -> dict[str, Any]:
    """The user entry of a kubeconfig that holds a secret in one of the ways there are."""
    if kind == "tokenFile":
        path = folder / "token"
        path.write_text(secret, newline="")
        return {"tokenFile": str(path)}
    if kind == "exec":
        answer = {
            "apiVersion": "client.authentication.k8s.io/v1",
            "kind": "ExecCredential",
            "status": {"token": secret},
        }
        path = folder / "answer.json"
        path.write_text(json.dumps(answer))
        api = "client.authentication.k8s.io/v1"
        return {
            "exec": {"apiVersion": api, "command": "cat", "args": [str(path)], "interactiveMode": "Never"}
        }
    return {"password": secret, "username": "bob"} if kind == "password" else {"token": secret}


def chain(error: BaseException) -> str:
    """Everything that an error shows, with all that led to it, also what no traceback shows."""
    texts = traceback.format_exception(error)
    one: BaseException | None = error
    while one is not None:
        texts += [str(one), repr(one), repr(vars(one))]
        one = one.__cause__ or one.__context__
    return "\n".join(texts)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@example(odd="\n", kind="token")
@example(odd="\r\nX-Other: 1", kind="tokenFile")
@example(odd="Ключ", kind="exec")
@example(odd="'\"\\", kind="token")
@given(
    odd=st.text(st.characters(codec="utf-8"), max_size=8),
    kind=st.sampled_from(["token", "tokenFile", "exec", "password"]),
)
def test_odd_tokens_are_used_or_refused_and_never_quoted(
    server: Server, tmp_path: Path, odd: str, kind: str
) -> None:
    url = f"http://127.0.0.1:{server.server_port}"
    text = json.dumps(kube_config(url, **users(kind, f"{MARK}{odd}{MARK}", tmp_path)))
    given = ClusterSettings(kube_config=text)
    assert MARK not in repr(given)
    assert MARK not in repr(vars(given))

    async def look() -> None:
        session = ApiSession(ClusterAccess.of(given))
        try:
            await session.get("/version")
        finally:
            await session.close()

    def ask() -> None:
        Transport(ApiClient(configuration=load(given).configuration), attempts=1).request("GET", "/version")

    for use in (ask, lambda: asyncio.run(look())):
        with pytest.raises(SeldonError) as caught:
            use()
        assert MARK not in chain(caught.value)


@pytest.mark.parametrize("kind", ["token", "tokenFile", "exec"])
@pytest.mark.parametrize("around", ["\n", "  ", "\r\n", "\t"])
def test_white_space_around_a_token_is_not_sent(
    server: Server, tmp_path: Path, kind: str, around: str
) -> None:
    url = f"http://127.0.0.1:{server.server_port}"
    settings = ClusterSettings(kube_config=kube_config(url, **users(kind, f"right{around}", tmp_path)))
    configuration = load(settings).configuration
    for _ in range(2):  # the client reads it anew each time
        with pytest.raises(SeldonError):
            Transport(ApiClient(configuration=configuration), attempts=1).request("GET", "/version")
        assert server.given[-1] == "Bearer right"


def test_a_kubeconfig_that_cannot_be_read_is_not_kept_in_the_error() -> None:
    for broken in (f'{{"token": "{MARK}"', f"users: [{MARK}", f"{{{MARK}: @}}"):
        with pytest.raises(ConnectionConfigError) as caught:
            load(ClusterSettings(kube_config=broken))
        assert MARK not in chain(caught.value)


def test_two_kubeconfigs_that_are_both_hidden_are_two_clusters() -> None:
    one, two = (
        ClusterAccess.of(ClusterSettings(kube_config=json.dumps(kube_config("http://x", token=token))))
        for token in ("one", "two")
    )
    assert one.key != two.key
    assert repr(one).count("token") == 0


@pytest.fixture(scope="module")
def client_certificate() -> dict[str, str]:
    """Certificate and key as a kubeconfig holds them."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "jane")])
    authority = make_certificates("127.0.0.1")
    made = x509.load_pem_x509_certificate(authority.authority_pem)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(made.not_valid_before_utc)
        .not_valid_after(made.not_valid_after_utc)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    encoded = {
        "client-certificate-data": certificate.public_bytes(serialization.Encoding.PEM),
        "client-key-data": pem,
    }
    return {name: base64.b64encode(value).decode() for name, value in encoded.items()}


PROCESS = """
import json, os, sys, time
if sys.argv[2] == "files":
    del os.memfd_create
from airflow_provider_seldon.kube.access.access import RestConfig
from airflow_provider_seldon.kube.access.configuration import ClusterSettings, load
configuration = load(ClusterSettings(kube_config=sys.argv[1])).configuration
RestConfig.open(configuration)
from kubernetes.client import ApiClient
ApiClient(configuration=configuration)
print("loaded", flush=True)
time.sleep(60)
"""


def keys_in(folder: Path) -> list[Path]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if b"PRIVATE KEY" in path.read_bytes() or b"key-data" in path.read_bytes()]


@pytest.mark.parametrize("way", ["memory", "files"])
def test_a_private_key_does_not_outlive_a_process_that_is_killed(
    client_certificate: dict[str, str], tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if way == "memory" and not hasattr(os, "memfd_create"):
        pytest.skip("this system has no files in memory")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    text = json.dumps(kube_config("https://127.0.0.1:1", **client_certificate))
    with subprocess.Popen(
        [sys.executable, "-c", PROCESS, text, way],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "loaded\n"
        KeyFolder().path()  # another process starts: what belongs to one that is alive stays
        assert bool(keys_in(tmp_path)) == (way == "files")
        process.kill()
    KeyFolder().path()
    assert keys_in(tmp_path) == []


def test_a_key_in_memory_stays_when_the_token_is_read_again(
    client_certificate: dict[str, str],
) -> None:
    given = kube_config("https://127.0.0.1:1", **client_certificate, token="right")
    configuration = load(ClusterSettings(kube_config=given)).configuration
    for _ in range(2):
        assert RestConfig.open(configuration).credentials() == {"Authorization": "Bearer right"}
