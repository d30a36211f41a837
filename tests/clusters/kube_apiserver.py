"""A kube-apiserver that nobody here wrote, started from ``KUBEBUILDER_ASSETS`` (the envtest convention).

The directory holds the executables ``etcd`` and ``kube-apiserver``. No controllers run: nothing is collected.
``SELDON_TEST_CRD`` names a file with another SeldonDeployment definition than the project's own, such as the vendor's.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import requests
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from airflow_provider_seldon.local.apiserver.objects import crd
from airflow_provider_seldon.local.kubelet.containers import supervisor

CRD = "SELDON_TEST_CRD"
TOKEN = "real-server-token"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class KubeApiserver:
    """etcd and kube-apiserver with the SeldonDeployment definition installed."""

    def __init__(self, assets: str) -> None:
        self._assets = Path(assets)
        self._folder = Path(tempfile.mkdtemp(prefix="real-apiserver-"))
        self._processes: list[subprocess.Popen[bytes]] = []
        self.url = ""
        self.token = TOKEN

    @property
    def kubeconfig(self) -> Path:
        """The way in, for an administrator."""
        return self._folder / "kubeconfig"

    @property
    def authority(self) -> Path:
        """What vouches for the server: its own certificate."""
        return self._folder / "certificates" / "apiserver.crt"

    def start(self) -> None:
        """Start both and wait until the definition is served."""
        etcd, peer, port = _free_port(), _free_port(), _free_port()
        self._write_files()
        self._run(
            "etcd",
            f"--data-dir={self._folder / 'etcd'}",
            f"--listen-client-urls=http://127.0.0.1:{etcd}",
            f"--advertise-client-urls=http://127.0.0.1:{etcd}",
            f"--listen-peer-urls=http://127.0.0.1:{peer}",
            "--unsafe-no-fsync",
        )
        self._run(
            "kube-apiserver",
            f"--etcd-servers=http://127.0.0.1:{etcd}",
            f"--cert-dir={self._folder / 'certificates'}",
            f"--secure-port={port}",
            "--bind-address=127.0.0.1",
            "--service-cluster-ip-range=10.0.0.0/16",
            "--service-account-issuer=https://localhost",
            f"--service-account-key-file={self._folder / 'key.pub'}",
            f"--service-account-signing-key-file={self._folder / 'key.pem'}",
            "--disable-admission-plugins=ServiceAccount",
            "--authorization-mode=RBAC",
            f"--token-auth-file={self._folder / 'tokens.csv'}",
        )
        self.url = f"https://127.0.0.1:{port}"
        self._wait("/readyz")
        definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        self._request("POST", definitions, _definition())
        self._wait("/apis/machinelearning.seldon.io/v1/seldondeployments")
        self._wait("/api/v1/namespaces/default")
        self._write_kubeconfig()

    def stop(self) -> None:
        """Stop both and remove what they wrote."""
        for process in reversed(self._processes):
            process.kill()  # nothing of it is needed any more, and an orderly end takes many seconds
            process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _write_files(self) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = serialization.Encoding.PEM
        (self._folder / "key.pem").write_bytes(
            key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )
        (self._folder / "key.pub").write_bytes(
            key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
        )
        (self._folder / "tokens.csv").write_text(f'{TOKEN},admin,admin,"system:masters"\n')

    def _write_kubeconfig(self) -> None:
        cluster = {"server": self.url, "certificate-authority": str(self.authority)}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "real", "cluster": cluster}],
            "users": [{"name": "admin", "user": {"token": TOKEN}}],
            "contexts": [{"name": "real", "context": {"cluster": "real", "user": "admin"}}],
            "current-context": "real",
        }
        self.kubeconfig.write_text(yaml.safe_dump(config))

    def _run(self, name: str, *arguments: str) -> None:
        with (self._folder / f"{name}.log").open("wb") as log:
            # Both end with this process, however it ends.
            command = [sys.executable, "-I", "-S", supervisor.__file__, "1", self._assets / name, *arguments]
            self._processes.append(
                subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=self._folder)
            )

    def _request(self, method: str, path: str, body: object = None) -> int:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        answer = requests.request(
            method, self.url + path, json=body, headers=headers, verify=str(self.authority), timeout=10
        )
        return answer.status_code

    def _wait(self, path: str) -> None:
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            with suppress(requests.RequestException, OSError):
                if self._request("GET", path) == 200:
                    return
            time.sleep(0.2)
        raise TimeoutError(f"{self.url}{path} is not served; see the logs in {self._folder}")


def _definition() -> Any:
    path = os.environ.get(CRD)
    return yaml.safe_load(Path(path).read_text()) if path else crd.definition()
