"""
A real Airflow of whichever version runs the tests, of which each part is a process of its own.

``airflow standalone`` takes all its parts down when one ends; here the triggerer can be killed and started again alone.
Home, database, DAG folder and port are its own, and nothing of it is left after :meth:`Airflow.stop`. It is driven
through its REST API only, of which :class:`Rest` knows both versions. It does not install anything, and there is only
one user, who may do everything.
"""

from __future__ import annotations

import base64
import json
import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import closing, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import requests

AIRFLOW_3 = not version("apache-airflow").startswith("2.")
AIRFLOW_3_3 = AIRFLOW_3 and tuple(map(int, version("apache-airflow").split(".")[:2])) >= (3, 3)
#: Seconds that Airflow may need for anything on a busy machine.
PATIENCE = 150.0
TASK = "deploy"


def eventually(what: str, look: Callable[[], Any], *, timeout: float = PATIENCE, every: float = 0.25) -> Any:
    """Return the first true thing that ``look`` returns."""
    until = time.monotonic() + timeout
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() > until:
            raise AssertionError(f"not within {timeout:.0f} s: {what}")
        time.sleep(every)


class Airflow:
    """
    Scheduler, triggerer, API or web server, and on 3.x DAG processor.

    :param folder: an empty folder for everything that it writes.
    :param dags: source of the one DAG file.
    :param connection: of ``seldon_default``, as JSON.
    """

    def __init__(self, folder: Path, *, dags: str, connection: str) -> None:
        self.folder = folder
        self.port = _free_port()
        self.rest = Rest(f"http://127.0.0.1:{self.port}", guard=self._all_run)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        (folder / "dags").mkdir()
        (folder / "dags" / "deployments.py").write_text(dags)
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW_")},
            **self._settings(connection),
        }

    def _settings(self, connection: str) -> dict[str, str]:
        secret = base64.urlsafe_b64encode(os.urandom(32)).decode()
        common = {
            "AIRFLOW_HOME": str(self.folder),
            # The scheduler of 2.11 starts tasks with the command `airflow`.
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
            "AIRFLOW_CONN_SELDON_DEFAULT": connection,
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.folder / "dags"),
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__FERNET_KEY": secret,
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3",
            # A triggerer that was killed counts as dead after this many seconds; then its triggers move.
            "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "8",
            "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "2",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            "PYTHONWARNINGS": "ignore",
            # A proxy of this machine is none of ours.
            "NO_PROXY": "127.0.0.1,localhost",
        }
        if AIRFLOW_3:
            return common | {
                "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
                "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
                "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{self.port}/execution/",
                "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{self.port}",
                "AIRFLOW__API__SECRET_KEY": secret,
                "AIRFLOW__API_AUTH__JWT_SECRET": secret,
            }
        return common | {
            # The other one that Airflow 2 allows with SQLite runs one task at a time, in twenty seconds each.
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "_AIRFLOW__SKIP_DATABASE_EXECUTOR_COMPATIBILITY_CHECK": "1",
            "AIRFLOW__API__AUTH_BACKENDS": "airflow.api.auth.backend.default",
            "AIRFLOW__WEBSERVER__SECRET_KEY": secret,
        }

    def start(self) -> None:
        """Make the database, start every part, and return when all are healthy and have read the DAGs."""
        self._command("db", "migrate")
        with closing(sqlite3.connect(self.folder / "airflow.db")) as database:
            # Several processes write; without this, readers and writers lock each other out.
            database.execute("PRAGMA journal_mode=WAL")
        if AIRFLOW_3:
            self._spawn("dag-processor")
            self._spawn("api-server", "--host", "127.0.0.1", "--port", str(self.port), "--workers", "1")
        else:
            # Whoever asks is an administrator, as with the one setting that Airflow 3 has for this.
            (self.folder / "webserver_config.py").write_text("AUTH_ROLE_PUBLIC = 'Admin'\n")
            self._spawn("webserver", "--hostname", "127.0.0.1", "--port", str(self.port), "--workers", "1")
        self._spawn("scheduler", "--skip-serve-logs")
        self.start_triggerer()
        eventually("Airflow is healthy", self.rest.healthy, every=0.5)

    def stop(self) -> None:
        """End everything that was started; what does not end by itself is killed."""
        for process in self._processes.values():
            process.terminate()
        until = time.monotonic() + 5
        for name, process in list(self._processes.items()):
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, until - time.monotonic()))
            self._kill(name)

    def start_triggerer(self) -> None:
        """Start a triggerer."""
        self._spawn("triggerer", "--skip-serve-logs")

    def kill_triggerer(self) -> None:
        """Kill the triggerer as the kernel or a failing node would: it can do nothing about it."""
        self._kill("triggerer")

    def output(self) -> str:
        """Return the end of what each part has written."""
        files = sorted(self.folder.glob("*.out"))
        return "\n".join(f"== {file.stem}\n{file.read_text(errors='replace')[-3000:]}" for file in files)

    def _all_run(self) -> None:
        for name, process in self._processes.items():
            if process.poll() is not None:
                raise AssertionError(f"{name} ended with {process.returncode}:\n{self.output()}")

    def _command(self, *arguments: str) -> None:
        done = subprocess.run(
            [*_airflow(), *arguments],
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def _spawn(self, name: str, *arguments: str) -> None:
        with (self.folder / f"{name}.out").open("ab") as output:
            self._processes[name] = subprocess.Popen(
                [*_airflow(), name, *arguments],
                env=self.environment,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _kill(self, name: str) -> None:
        """Kill a part with all its processes, those that have groups of their own too."""
        process = self._processes.pop(name)
        family = _family(process.pid)
        for one in family:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        process.wait(timeout=30)
        psutil.wait_procs(family, timeout=10)


class Rest:
    """
    The REST API, ``/api/v1`` of Airflow 2 or ``/api/v2`` of Airflow 3.

    :param url: of the server.
    :param guard: called before each request; raises when there is no point in going on.
    """

    def __init__(self, url: str, *, guard: Callable[[], None]) -> None:
        self._url = url
        self._guard = guard
        self._base = f"{url}/api/v2" if AIRFLOW_3 else f"{url}/api/v1"
        self._session = requests.Session()
        self._session.trust_env = False

    def healthy(self) -> bool:
        """Whether scheduler, triggerer and the server are there, and the DAGs have been read."""
        try:
            health = self.call("GET", "/monitor/health" if AIRFLOW_3 else "/health")
            parts = {name: part.get("status") for name, part in health.items()}
            up = all(parts.get(name) == "healthy" for name in ("metadatabase", "scheduler", "triggerer"))
            return up and self.call("GET", "/dags")["total_entries"] > 0
        except requests.RequestException:
            return False

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Send a request and return the body of the answer."""
        self._guard()
        if AIRFLOW_3 and "Authorization" not in self._session.headers:
            answer = self._session.get(f"{self._url}/auth/token", timeout=30)
            answer.raise_for_status()
            self._session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        headers = {"Accept": "application/json"}
        answer = self._session.request(method, self._base + path, json=body, headers=headers, timeout=60)
        if not answer.ok:
            raise requests.HTTPError(f"{method} {path}: {answer.status_code} {answer.text}", response=answer)
        return answer.json()

    def run(self, dag_id: str, *, day: int, **conf: Any) -> TaskInstance:
        """Start a run of a DAG and return its one task."""
        body = {"logical_date": f"2026-01-{day:02d}T00:00:00+00:00", "conf": conf, "dag_run_id": f"run-{day}"}
        self.call("POST", f"/dags/{dag_id}/dagRuns", body)
        return TaskInstance(self, dag_id, f"run-{day}")


class TaskInstance:
    """The task ``deploy`` of a run."""

    def __init__(self, rest: Rest, dag_id: str, run_id: str) -> None:
        self._rest = rest
        self._dag = f"/dags/{dag_id}"
        self._run_id = run_id
        self._path = f"{self._dag}/dagRuns/{quote(run_id)}/taskInstances/{TASK}"

    def read(self) -> dict[str, Any]:
        """Return the task instance as the API shows it."""
        found: dict[str, Any] = self._rest.call("GET", self._path)
        return found

    def wait_for(self, *states: str, timeout: float = PATIENCE) -> dict[str, Any]:
        """Return the task instance when it is in one of these states; another final state is an error."""

        def look() -> dict[str, Any] | None:
            found = self.read()
            if found["state"] in states:
                return found
            if found["state"] in {"success", "failed", "skipped", "upstream_failed"}:
                raise AssertionError(f"{self._path} is {found['state']}, not {states}:\n{self.log()}")
            return None

        try:
            return eventually(f"{self._path} is {' or '.join(states)}", look, timeout=timeout)  # type: ignore[no-any-return]
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {self.read()['state']}\n{self.log()}") from None

    def log(self) -> str:
        """Return the log of the last try, as the UI would show it."""
        try:
            number = self.read()["try_number"] or 1
            content = self._rest.call("GET", f"{self._path}/logs/{number}?full_content=true")["content"]
        except requests.RequestException as error:
            return f"no log: {error}"
        if isinstance(content, str):  # Airflow 2: the text of a list of pairs
            return content.replace("\\n", "\n")
        return "\n".join(_line(entry) for entry in content)

    def xcom(self, key: str) -> Any:
        """Return what the task has pushed."""
        value = self._rest.call("GET", f"{self._path}/xcomEntries/{key}")["value"]
        try:
            return json.loads(value)
        except (TypeError, ValueError):
            return value

    def mark_failed(self) -> None:
        """What a user does with the button."""
        body = {"new_state": "failed"} if AIRFLOW_3 else {"new_state": "failed", "dry_run": False}
        self._rest.call("PATCH", self._path, body)

    def clear(self) -> None:
        """What a user does to run a task again."""
        body: dict[str, Any] = {"dry_run": False, "only_failed": False, "reset_dag_runs": True}
        chosen = {"dag_run_id": self._run_id, "task_ids": [TASK]}
        self._rest.call("POST", f"{self._dag}/clearTaskInstances", body | chosen)


def _line(entry: Any) -> str:
    """A line of a structured log."""
    if not isinstance(entry, Mapping):
        return str(entry)
    errors: Collection[Any] = entry.get("error_detail") or ()
    details = [f"{one.get('exc_type')}: {one.get('exc_value')}" for one in errors]
    return "\n".join([str(entry.get("event", "")), *details])


def _airflow() -> list[str]:
    return [sys.executable, "-m", "airflow"]


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _family(leader: int) -> list[psutil.Process]:
    """The processes of a session and whatever descends from its leader."""
    found = {one for one in psutil.process_iter() if _session(one.pid) == leader}
    for one in list(found):
        try:
            found.update(one.children(recursive=True))
        except psutil.NoSuchProcess:
            continue
    return list(found)


def _session(process: int) -> int | None:
    try:
        return os.getsid(process)
    except OSError:
        return None
