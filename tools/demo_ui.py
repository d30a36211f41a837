"""The end of ``make demo UI=1``: Airflow continues, with the fleet page, until Ctrl-C."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

#: Seconds that Airflow may take to answer.
PATIENCE = 180.0
DAG_ID = "left_broken"


def show(
    environment: Mapping[str, str], *, dags: Sequence[Path], folder: Path, log: Path, uris: Sequence[str]
) -> None:
    """
    Start Airflow, deploy a model that serves and one over it that does not, say where the page is; wait for Ctrl-C.

    :param environment: with home, database and connection.
    :param dags: files and folders of DAGs; Airflow reads a copy, to which somebody may add files.
    :param folder: an empty folder, or none yet, for that copy.
    :param log: where Airflow writes.
    :param uris: of the two versions.
    """
    for source in dags:
        shutil.copytree(source, folder, dirs_exist_ok=True) if source.is_dir() else shutil.copy(
            source, folder
        )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    settings = {
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(folder),
        # A file that is put there is read soon.
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
        "AIRFLOW__SELDON__FLEET_CONNECTIONS": "seldon_default",
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), environment.get("PATH", "")]),
    }
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "airflow", "standalone"],
            env={**environment, **settings},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            if not answers(url, process):
                print(log.read_text(errors="replace")[-3000:])
                sys.exit("Airflow does not start, or it is older than 3.1 and has no such page")
            for number, uri in enumerate(uris, start=1):
                print(f"  left_broken, run {number}: {deploy(url, number, uri)}", flush=True)
            print(
                f"\nThe fleet page: {url}/plugin/seldon  (Browse > Seldon; `left-broken` does not serve)\n"
                f"A DAG file that you put into {folder} is read within seconds.\nCtrl-C ends it all.",
                flush=True,
            )
            process.wait()
        except KeyboardInterrupt:
            print("\nEnding")
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def deploy(url: str, number: int, uri: str) -> str:
    """Run the DAG ``left_broken``, as soon as Airflow has read its file; how the run ended."""
    token = call(f"{url}/auth/token")["access_token"]
    path = f"{url}/api/v2/dags/{DAG_ID}/dagRuns"
    body = {"dag_run_id": f"run-{number}", "logical_date": None, "conf": {"uri": uri}}
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        try:
            call(path, token, body)
            break
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise
            time.sleep(1)
    state = "not known"
    while time.monotonic() < until and state not in ("success", "failed"):
        time.sleep(1)
        state = call(f"{path}/run-{number}", token)["state"]
    return state


def call(url: str, token: str = "", body: Mapping[str, Any] | None = None) -> Any:
    """Send a request to Airflow's API and return the answer."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers=headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def answers(url: str, process: subprocess.Popen[bytes]) -> bool:
    """Wait until Airflow answers; whether it does."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and process.poll() is None:
        try:
            urllib.request.urlopen(f"{url}/seldon/", timeout=10).close()
        except urllib.error.HTTPError as error:
            if error.code < 500:
                return True
        except OSError:
            pass
        else:
            return True
        time.sleep(1)
    return False
