"""
A real Airflow of whichever version runs the tests, of which each part is a process of its own.

``airflow standalone`` takes all its parts down when one ends; here the triggerer can be killed and started again alone.
Home, database, DAG folder and port are its own, and nothing of it is left after :meth:`Airflow.stop`. It is driven
through its REST API only, see ``rest``. It installs nothing, and there is only one user, who may do everything.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Collection, Iterable, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psutil

from tests.airflow_version import AIRFLOW_3
from tests.e2e.rest import PATIENCE, Rest, TaskInstance, eventually


def _home(folder: Path) -> dict[str, str]:
    """
    Where Airflow has its files and its database.

    It waits longer for a lock than the 5 s of SQLite, and less than ``rest.TIMEOUT``.
    """
    return {
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder}/airflow.db?timeout=60",
    }


#: What the command ``airflow`` does, after an import of what most tasks need.
PREPARED_MAIN = """
import airflow.configuration, airflow_provider_seldon.hooks.seldon, sklearn.model_selection
from airflow.__main__ import main
main()
"""


class Airflow:
    """
    Scheduler, triggerer, API or web server, and on 3.x DAG processor.

    :param folder: an empty folder for everything that it writes.
    :param dags: the DAG files.
    :param connection: of ``seldon_default``, as JSON; None when somebody will type it in.
    :param settings: further environment variables.
    :param python: of the environment that Airflow is installed in; that of the tests when left out.
    """

    def __init__(
        self,
        folder: Path,
        *,
        dags: Iterable[Path],
        connection: str | None,
        settings: Mapping[str, str] | None = None,
        python: Path | None = None,
    ) -> None:
        self.folder = folder
        self.python = str(python or sys.executable)
        self._command_line = [self.python, "-m", "airflow"]
        # Tasks are forks of it: what it has imported, each of them has.
        self._scheduler = self._command_line if python else [self.python, "-c", PREPARED_MAIN]
        self.port = _free_port()
        self._execution_port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.rest = Rest(self.url, guard=self._all_run)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._inline = folder / "inline"
        (folder / "dags").mkdir()
        for file in dags:
            shutil.copy(file, folder / "dags")
        self.environment = {
            **{
                key: value
                for key, value in os.environ.items()
                if not key.startswith("AIRFLOW_") and key != "PYTHONPATH"
            },
            **self._settings(),
            **({"AIRFLOW_CONN_SELDON_DEFAULT": connection} if connection else {}),
            **(settings or {}),
        }

    def _settings(self) -> dict[str, str]:
        secret = base64.urlsafe_b64encode(os.urandom(32)).decode()
        common = {
            **_home(self.folder),
            # The scheduler of 2.11 starts tasks with the command `airflow`.
            "PATH": os.pathsep.join([str(Path(self.python).parent), os.environ.get("PATH", "")]),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.folder / "dags"),
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__FERNET_KEY": secret,
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3",
            # A triggerer that was killed counts as dead after this many seconds; then its triggers move.
            "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "8",
            "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "2",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            "PYTHONWARNINGS": "ignore",
            # Tasks are forks of a process that has imported scikit-learn: with threads of OpenMP in it, a fork that
            # trains may stand still for ever.
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            # A proxy of this machine is none of ours.
            "NO_PROXY": "127.0.0.1,localhost",
        }
        if AIRFLOW_3:
            return common | {
                "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
                "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
                "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{self._execution_port}/execution/",
                "AIRFLOW__API__BASE_URL": self.url,
                "AIRFLOW__API__SECRET_KEY": secret,
                "AIRFLOW__API_AUTH__JWT_SECRET": secret,
            }
        return common | {
            # The other one that Airflow 2 allows with SQLite runs one task at a time, in twenty seconds each.
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "_AIRFLOW__SKIP_DATABASE_EXECUTOR_COMPATIBILITY_CHECK": "1",
            # A DAG that waits for an alias is written anew when that gets its first asset, after 30 seconds otherwise.
            "AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "2",
            "AIRFLOW__CORE__MIN_SERIALIZED_DAG_FETCH_INTERVAL": "2",
            "AIRFLOW__API__AUTH_BACKENDS": "airflow.api.auth.backend.default",
            "AIRFLOW__WEBSERVER__SECRET_KEY": secret,
            # How long starting takes is for the tests to judge: gunicorn gives up never.
            "AIRFLOW__WEBSERVER__WEB_SERVER_MASTER_TIMEOUT": "0",
            "AIRFLOW__WEBSERVER__WEB_SERVER_WORKER_TIMEOUT": "0",
        }

    def start(self) -> None:
        """Make the database, start every part, and return when all are healthy and have read the DAGs."""
        self.command(*self._command_line, "db", "migrate")
        with closing(sqlite3.connect(self.folder / "airflow.db")) as database:
            # Several processes write; without this, readers and writers lock each other out.
            database.execute("PRAGMA journal_mode=WAL")
        # Runs of `dag.test()` are kept from the scheduler, who would run their tasks as well.
        self._inline.mkdir()
        shutil.copy(self.folder / "airflow.db", self._inline)
        if AIRFLOW_3:
            self._spawn("dag-processor")
            # Airflow writes its audit log of users' requests in the event loop. SQLite makes that wait for the request
            # of a task, which needs the event loop to commit: a deadlock, if one server answers both.
            self._serve("core", self.port)
            self._serve("execution", self._execution_port)
        else:
            # Whoever asks is an administrator, as with the one setting that Airflow 3 has for this.
            (self.folder / "webserver_config.py").write_text("AUTH_ROLE_PUBLIC = 'Admin'\n")
            self._spawn("webserver", "--hostname", "127.0.0.1", "--port", str(self.port), "--workers", "1")
        self._spawn("scheduler", "--skip-serve-logs", command=self._scheduler)
        self.start_triggerer()
        eventually("Airflow is healthy", self.rest.healthy, every=0.5)

    def stop(self) -> None:
        """End everything that was started, what does not end by itself forcibly, and remove the folder."""
        family = [one for process in self._processes.values() for one in _family(process.pid)]
        for process in self._processes.values():
            process.terminate()
        psutil.wait_procs(family, timeout=5)
        for name in list(self._processes):
            self._kill(name)
        _kill(family)
        shutil.rmtree(self.folder, ignore_errors=True)

    def start_triggerer(self) -> None:
        """Start a triggerer."""
        self._spawn("triggerer", "--skip-serve-logs")

    def replace_triggerer(self, task: TaskInstance) -> tuple[tuple[int, int], tuple[int, int]]:
        """
        Kill the triggerer as the kernel or a failing node would, and let another go on with a task that is deferred.

        :returns: the ids of its trigger and triggerer before, and after.
        """
        before = task.in_triggerer()
        self._kill("triggerer")
        self.start_triggerer()
        after = eventually(
            "another triggerer goes on", lambda: (one := task.in_triggerer())[1] != before[1] and one
        )
        return before, after

    def start_second_server(self, *, path: str, users: Mapping[str, str], settings: Mapping[str, str]) -> str:
        """
        Start another API server on the same database, in which people have to log in; return its base URL. Airflow 3.

        :param path: of its base URL.
        :param users: name -> role; a password is the name.
        :param settings: further environment variables.
        """
        port = _free_port()
        passwords = self.folder / "passwords.json"
        passwords.write_text(json.dumps({name: name for name in users}))
        environment = {
            **self.environment,
            "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}{path}",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(
                f"{name}:{role}" for name, role in users.items()
            ),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
            **settings,
        }
        self._serve("core", port, label="second-api-server", environment=environment)
        return f"http://127.0.0.1:{port}{path}"

    def dag_test(self, dag_id: str, *confs: Mapping[str, Any], pause: float) -> str:
        """
        Run a DAG as its author does, once for each: in one process, triggers included; return what it printed.

        :param pause: seconds between two runs.
        """
        runs = [
            ["airflow", "dags", "test", dag_id, f"2026-01-{day:02d}T00:00:00+00:00", "-c", json.dumps(conf)]
            for day, conf in enumerate(confs, start=1)
        ]
        script = (
            "import sys, time; from airflow.__main__ import main\n"
            f"for sys.argv in {runs}: main(); time.sleep({pause})"
        )
        environment = self.environment | _home(self._inline)
        return self.command(self.python, "-c", script, environment=environment)

    def wait_until_deferred(self, task: TaskInstance) -> None:
        """
        Wait until a trigger runs for a task, and the scheduler has heard that its worker has ended.

        Airflow 3.3 may fail a task that goes on before that (apache/airflow #71580); nothing but the log tells of it.
        """
        task.in_triggerer()
        # Airflow 3.4 names the attempt as well, before the key.
        heard = re.compile(
            "Received executor event with state success for task instance .*"
            + re.escape(f"TaskInstanceKey({task.key}")
        )
        log = self.folder / "scheduler.out"
        eventually(
            "the scheduler has heard of the deferral",
            lambda: heard.search(log.read_text(errors="replace")),
        )

    def command(self, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
        """Run a command as Airflow's own parts run; what it printed."""
        done = subprocess.run(
            arguments,
            env=environment or self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def output(self) -> str:
        """Return the end of what each part has written."""
        files = sorted(self.folder.glob("*.out"))
        return "\n".join(f"== {file.stem}\n{file.read_text(errors='replace')[-3000:]}" for file in files)

    def _all_run(self) -> None:
        for name, process in self._processes.items():
            if process.poll() is not None:
                raise AssertionError(f"{name} ended with {process.returncode}:\n{self.output()}")

    def _serve(
        self, apps: str, port: int, *, label: str = "", environment: Mapping[str, str] | None = None
    ) -> None:
        where = ("--apps", apps, "--host", "127.0.0.1", "--port", str(port), "--workers", "1")
        self._spawn("api-server", *where, label=label or f"api-server-{apps}", environment=environment)

    def _spawn(
        self,
        name: str,
        *arguments: str,
        command: Collection[str] = (),
        label: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        with (self.folder / f"{label or name}.out").open("ab") as output:
            self._processes[label or name] = subprocess.Popen(
                [*(command or self._command_line), name, *arguments],
                env=environment or self.environment,
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
        process.kill()
        process.wait(timeout=30)
        _kill(family)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _kill(processes: Collection[psutil.Process]) -> None:
    for one in processes:
        with suppress(psutil.NoSuchProcess):
            one.kill()
    _, alive = psutil.wait_procs(processes, timeout=15)
    assert not alive, f"cannot be killed: {alive}"


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
