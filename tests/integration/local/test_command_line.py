"""``python -m airflow_provider_seldon.local up``: what it prints, and that nothing is left of it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from airflow_provider_seldon.local.cluster import LocalOptions, LocalSeldon


@contextmanager
def up(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The running command and what it printed at the start."""
    command = [sys.executable, "-m", "airflow_provider_seldon.local", "up", "--simulated", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            assert process.stdout is not None
            lines: list[str] = []
            for line in process.stdout:
                lines.append(line)
                if line.startswith("export "):
                    break
            yield process, "".join(lines)
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_stops_it_and_leaves_nothing_behind(number: signal.Signals) -> None:
    with up() as (process, screen):
        kubeconfig = Path(re.search(r"kubeconfig +(\S+)", screen)[1])  # type: ignore[index]
        assert kubeconfig.exists()
        process.send_signal(number)
        assert process.wait(timeout=20) == 0
        assert not kubeconfig.parent.exists()


def test_screen_names_what_a_user_needs(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "config" / "kube"
    with up("--namespace", "models", "--kubeconfig", str(kubeconfig)) as (_, screen):
        assert len(screen.splitlines()) < 25
        connection = json.loads(re.search(r"export AIRFLOW_CONN_SELDON_DEFAULT='(.*)'", screen)[1])  # type: ignore[index]
        assert connection["conn_type"] == "seldon"
        assert connection["extra"]["kube_config_path"] == str(kubeconfig)
        assert connection["extra"]["namespace"] == "models"
        assert stat.S_IMODE(os.stat(kubeconfig).st_mode) == 0o600
        config = yaml.safe_load(kubeconfig.read_text())
        assert config["contexts"][0]["context"]["namespace"] == "models"


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
def test_kubectl_reads_through_tls_and_token(tmp_path: Path) -> None:
    with LocalSeldon(LocalOptions(kubelet="simulated", tls=True, token="secret-word")) as local:
        assert local.api_url.startswith("https://")
        command = ["kubectl", "--kubeconfig", str(local.kubeconfig_path)]
        done = subprocess.run(
            [*command, "get", "seldondeployments"], capture_output=True, text=True, check=False, cwd=tmp_path
        )
        assert done.returncode == 0, done.stderr
        refused = subprocess.run(
            [*command, "--token", "wrong", "get", "pods"], capture_output=True, text=True, check=False
        )
        assert refused.returncode != 0
        assert "Unauthorized" in refused.stderr


def test_port_that_is_taken_is_said_in_one_line() -> None:
    with LocalSeldon(LocalOptions(kubelet="simulated")) as local:
        port = local.api_url.rpartition(":")[2]
        command = [sys.executable, "-m", "airflow_provider_seldon.local", "up", "--simulated", "--port", port]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 1
    assert "cannot start" in done.stderr
    assert "Traceback" not in done.stderr
