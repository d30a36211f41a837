"""Custom containers as processes of this machine: start, failure, end."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.local.cluster_client import Cluster, seldon_deployment
from tests.integration.local.process_cluster import box, custom, waiting_of


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z" if Path(f"/proc/{pid}").exists() else True


def pid_of(cluster: Cluster) -> int:
    pod = cluster.list("pods")[0]["metadata"]["name"]
    match = re.search(r"pid (\d+)", cluster.log(pod, "model"))
    assert match is not None
    return int(match[1])


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        ("example/nothing:1", "ErrImagePull"),
        ("Not A Name", "InvalidImageName"),
        ("UPPER/case", "InvalidImageName"),
    ],
)
def test_image_that_this_machine_does_not_know(machine: Cluster, image: str, reason: str) -> None:
    machine.create(custom("mine", {"name": "model", "image": image}))
    seen = machine.wait_for(lambda: waiting_of(machine), lambda one: one.get("reason") == reason)
    assert image in seen["message"]


def test_prepackaged_server_without_mlserver_says_how_to_get_it(machine: Cluster, stores: Path) -> None:
    machine.create(seldon_deployment("iris", uri=str(stores / "bucket")))
    seen = machine.wait_for(
        lambda: waiting_of(machine, "classifier"), lambda one: one.get("reason") == "ErrImagePull"
    )
    assert "SELDON_LOCAL_MLSERVER_PYTHON" in seen["message"]


def test_crash_shows_exit_code_and_previous_log(machine: Cluster) -> None:
    crash = [sys.executable, "-c", "print('no luck'); raise SystemExit(4)"]
    machine.create(custom("mine", {"name": "model", "image": "x", "command": crash}))
    seen = machine.wait_for(lambda: waiting_of(machine), lambda one: one.get("reason") == "CrashLoopBackOff")
    assert seen["last"]["terminated"]["exitCode"] == 4
    pod = machine.list("pods")[0]["metadata"]["name"]
    assert machine.log(pod, "model", previous=True) == "no luck\n"


def test_killed_process_is_reported_with_its_signal(machine: Cluster) -> None:
    machine.create(custom("mine", box()))
    machine.wait_available("mine")
    os.kill(pid_of(machine), signal.SIGKILL)
    pods = machine.wait_for(
        lambda: machine.list("pods"),
        lambda seen: seen[0]["status"]["containerStatuses"][0]["restartCount"] == 1,
    )
    terminated = pods[0]["status"]["containerStatuses"][0]["lastState"]["terminated"]
    assert terminated["exitCode"] == 137
    machine.wait_available("mine")


def test_command_that_does_not_exist_is_a_start_error(machine: Cluster) -> None:
    machine.create(custom("mine", {"name": "model", "image": "x", "command": ["no-such-program"]}))
    seen = machine.wait_for(lambda: waiting_of(machine), lambda one: one.get("reason") == "CrashLoopBackOff")
    terminated = seen["last"]["terminated"]
    assert (terminated["exitCode"], terminated["reason"]) == (128, "StartError")
    assert "executable file not found" in terminated["message"]


def test_http_readiness_probe_is_sent(machine: Cluster) -> None:
    probe = {"httpGet": {"path": "/health", "port": "http"}, "periodSeconds": 1}
    machine.create(custom("mine", box("--ready-after", "1.5", readinessProbe=probe)))
    running = machine.wait_for(
        lambda: [one for pod in machine.list("pods") for one in pod["status"].get("containerStatuses", [])],
        lambda seen: any(one["name"] == "model" and "running" in one["state"] for one in seen),
    )
    assert not next(one for one in running if one["name"] == "model")["ready"]
    machine.wait_available("mine")


def test_process_that_ignores_sigterm_and_its_escaped_child_are_ended(machine: Cluster) -> None:
    machine.create(custom("mine", box("--ignore-sigterm", "--child")))
    machine.wait_available("mine")
    pid = pid_of(machine)
    children = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=True
    )
    pids = [pid, *(int(text) for text in children.stdout.split())]
    assert len(pids) == 2
    assert all(is_alive(one) for one in pids)
    machine.delete("mine", propagation="Foreground")
    machine.wait_for(lambda: machine.list("pods"), lambda seen: not seen)
    assert not any(is_alive(one) for one in pids)


def test_nothing_is_left_of_a_cluster_that_is_killed(tmp_path: Path) -> None:
    script = (
        "import sys, time\n"
        "from airflow_provider_seldon.local.cluster import LocalOptions, LocalSeldon\n"
        "with LocalSeldon(LocalOptions(mlserver_python=None, token=None)) as local:\n"
        "    print(local.api_url, local.gateway_url, local.workdir, flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            api_url, gateway_url, folder = process.stdout.readline().split()
            cluster = Cluster(api_url=api_url, gateway_url=gateway_url)
            cluster.create(custom("mine", box("--child")))
            cluster.wait_available("mine")
            pid = pid_of(cluster)
        finally:
            process.kill()
    cluster.wait_for(lambda: is_alive(pid) or Path(folder).exists(), lambda left: not left)
