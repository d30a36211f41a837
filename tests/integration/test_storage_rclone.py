"""What the storage initializer would see: the real rclone, with nothing but the variables of a Secret."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from airflow_provider_seldon.core.storage.rclone_secret import rclone_settings, scheme_of
from airflow_provider_seldon.core.storage.storage_connection import StorageConnection
from tests.integration.object_stores import ObjectStores, object_stores

RCLONE = shutil.which("rclone")

pytestmark = pytest.mark.skipif(RCLONE is None, reason="needs the program rclone")


@pytest.fixture(scope="module")
def stores() -> Iterator[ObjectStores]:
    with object_stores({"models/iris/1/model.joblib": b"x"}) as running:
        yield running


def run_rclone(
    *arguments: str, folder: Path, settings: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    bare = {"PATH": os.environ["PATH"], "HOME": str(folder), **settings}
    command = [str(RCLONE), *arguments, "--retries", "1", "--low-level-retries", "1"]
    return subprocess.run(command, env=bare, capture_output=True, text=True, timeout=60, check=False)


def listed(
    uri: str, connection: StorageConnection, folder: Path, **further: str
) -> subprocess.CompletedProcess[str]:
    """List a model URI as a pod of this connection's Secret would."""
    settings = rclone_settings(connection, {scheme_of(uri)})
    return run_rclone("lsf", uri, folder=folder, settings=settings | further)


def connection(conn_type: str, **parts: Any) -> StorageConnection:
    return StorageConnection(conn_id="store", conn_type=conn_type, **parts)


def test_s3_with_keys_and_an_endpoint(stores: ObjectStores, tmp_path: Path) -> None:
    aws = connection("aws", login="AKIAX", password="shh", extra={"endpoint_url": stores.url})
    stores.credentials.clear()
    run = listed("s3://models/iris/1", aws, tmp_path)
    assert run.stdout.split() == ["model.joblib"], run.stderr
    assert stores.credentials
    assert all("Credential=AKIAX/" in one for one in stores.credentials)


def test_s3_with_a_session_token_and_another_scheme(stores: ObjectStores, tmp_path: Path) -> None:
    extra = {"endpoint_url": stores.url, "aws_session_token": "token", "region_name": "eu-west-1"}
    aws = connection("aws", login="AKIAX", password="shh", extra=extra)
    stores.credentials.clear()
    run = listed("s3a://models/iris/1", aws, tmp_path)
    assert run.stdout.split() == ["model.joblib"], run.stderr
    assert all("/eu-west-1/s3/" in one and "x-amz-security-token" in one for one in stores.credentials)


def test_s3_with_the_role_of_the_pod(stores: ObjectStores, tmp_path: Path) -> None:
    """Without keys, rclone takes what the pod has: here, as with IRSA, from the environment."""
    aws = connection("aws", extra={"endpoint_url": stores.url, "role_arn": "arn:aws:iam::1:role/models"})
    stores.credentials.clear()
    of_the_pod = {"AWS_ACCESS_KEY_ID": "ASIAPOD", "AWS_SECRET_ACCESS_KEY": "pod", "AWS_SESSION_TOKEN": "t"}
    run = listed("s3://models/iris/1", aws, tmp_path, **of_the_pod)
    assert run.stdout.split() == ["model.joblib"], run.stderr
    assert all("Credential=ASIAPOD/" in one for one in stores.credentials)


def test_s3_without_signature(stores: ObjectStores, tmp_path: Path) -> None:
    extra = {"endpoint_url": stores.url, "config_kwargs": {"signature_version": "unsigned"}}
    stores.credentials.clear()
    run = listed("s3://models/iris/1", connection("aws", extra=extra), tmp_path)
    assert run.stdout.split() == ["model.joblib"], run.stderr
    assert set(stores.credentials) == {""}


def test_google_with_a_key(stores: ObjectStores, tmp_path: Path) -> None:
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    key = {
        "type": "service_account",
        "client_email": "models@example.iam.gserviceaccount.com",
        "private_key_id": "1",
        "private_key": pem.decode(),
        "token_uri": f"{stores.url}/token",
    }
    google = connection("google_cloud_platform", extra={"keyfile_dict": key})
    stores.credentials.clear()
    endpoint = {"RCLONE_CONFIG_GS_ENDPOINT": f"{stores.url}/storage/v1/"}
    run = listed("gs://models/iris/1", google, tmp_path, **endpoint)
    assert run.stdout.split() == ["model.joblib"], run.stderr
    assert stores.assertions
    assert set(stores.credentials) == {"Bearer issued"}


def test_google_without_credentials(stores: ObjectStores, tmp_path: Path) -> None:
    google = connection("google_cloud_platform", extra={"is_anonymous": True})
    stores.credentials.clear()
    endpoint = {"RCLONE_CONFIG_GCS_ENDPOINT": f"{stores.url}/storage/v1/"}
    run = listed("gcs://models/iris/1", google, tmp_path, **endpoint)
    assert run.stdout.split() == ["model.joblib"], run.stderr
    assert set(stores.credentials) == {""}


@pytest.mark.parametrize("scheme", ["az", "abfs", "wasb"])
def test_azure_with_a_sas_url_whatever_the_scheme(stores: ObjectStores, tmp_path: Path, scheme: str) -> None:
    azure = connection("wasb", extra={"sas_token": f"{stores.url}/azure/models?sv=2024-01-01&sig=abc"})
    stores.credentials.clear()
    run = listed(f"{scheme}://models/iris/1", azure, tmp_path)
    assert run.stdout.split() == ["model.joblib"], run.stderr
    assert all("sig=abc" in one for one in stores.credentials)


def test_azure_with_a_key_is_a_configuration_that_rclone_accepts(tmp_path: Path) -> None:
    """There is no Azure here, and rclone asks no other host for a key: so only the remote is made."""
    azure = connection("wasb", login="acct", password="a2V5")
    run = run_rclone("backend", "features", "az:", folder=tmp_path, settings=rclone_settings(azure, {"az"}))
    assert '"Name": "az"' in run.stdout, run.stderr


def test_azure_without_a_key_uses_the_pods_identity(tmp_path: Path) -> None:
    run = listed("az://models/iris", connection("wasb", login="acct"), tmp_path)
    assert "MSI" in run.stderr, run.stderr


def test_a_web_server(tmp_path: Path) -> None:
    (tmp_path / "iris").mkdir()
    (tmp_path / "iris" / "model.joblib").write_text("x")
    seen = []

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.headers.get("Authorization"))
            super().do_GET()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(tmp_path)))
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        web = connection("http", login="x", password="y")
        run = listed(f"http://127.0.0.1:{server.server_port}/iris", web, tmp_path)
    finally:
        server.shutdown()
        server.server_close()
    assert run.stdout.split() == ["model.joblib"], run.stderr
    assert set(seen) == {"Basic eDp5"}


def test_a_local_remote_from_plain_extras(tmp_path: Path) -> None:
    (tmp_path / "iris").mkdir()
    (tmp_path / "iris" / "model.joblib").write_text("x")
    plain = connection("generic", extra={"rclone_type": "alias", "rclone_remote": str(tmp_path)})
    run = listed("store://iris", plain, tmp_path)
    assert run.stdout.split() == ["model.joblib"], run.stderr


def test_without_the_variables_rclone_says_what_seldons_users_see(tmp_path: Path) -> None:
    """SeldonIO/seldon-core #4192: the Secret is not wired. So the test above would fail without the settings."""
    run = run_rclone("lsf", "s3://models/iris/1", folder=tmp_path, settings={})
    assert "didn't find section in config file" in run.stderr
