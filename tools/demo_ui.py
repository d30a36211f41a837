"""The end of ``make demo UI=1``: Airflow goes on, with the fleet page, until Ctrl-C."""

from __future__ import annotations

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

#: Seconds that Airflow may take to answer.
PATIENCE = 180.0


def show(environment: Mapping[str, str], *, dags: Sequence[Path], folder: Path, log: Path) -> int:
    """
    Start Airflow, say where the page is, and wait for Ctrl-C; 1 where Airflow does not start.

    :param environment: with home, database and connection.
    :param dags: files and folders of DAGs; Airflow reads a copy, to which somebody may add files.
    :param folder: an empty folder, or none yet, for that copy.
    :param log: where Airflow writes.
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
                return 1
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
    return 0


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
