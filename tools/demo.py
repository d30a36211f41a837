"""
The demo: one DAG, run five times with real Airflow against Seldon Core on this machine, then one for a model that is a
Python function, and then the first DAG with a canary, twice: one whose candidate errs, and one whose does not.

Started by ``make demo``. Everything it makes lies in a temporary directory and is gone when it ends.
"""

from __future__ import annotations

import base64
import inspect
import json
import logging
import os
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from tools import demo_traffic  # noqa: E402

NAMESPACE = "models"
#: The argument with which this file runs Airflow's commands, and what it prints after each.
COMMANDS = "airflow-commands"
ENDED = "airflow-command-ended: "
#: A flower of each of two species, and what they are.
FLOWERS = ((5.1, 3.5, 1.4, 0.2), (6.7, 3.0, 5.2, 2.3))
#: Lines of the task log that are shown; the whole log is kept until the end, and shown after an unexpected
#: result.
STORY = re.compile(
    r"Decision: |, \w+ by this run: |: state |Hint: |- pod | \| [\w.]+: |Rolling .* back|by a newer run"
    r"|baking for|The canary is|^(step  metric|\d+ %) "
)


@dataclass
class Run:
    """
    One run of the DAG: its input, and its result.

    :param file: of the DAG, where it is none of the examples.
    :param error_rate: of a canary: which share of its requests fails.
    """

    title: str
    conf: Mapping[str, Any]
    expected: tuple[str, str]
    day: int
    dag: str = "continuous_deployment"
    file: str = ""
    error_rate: float | None = None
    model: str = "iris"
    rows: Sequence[Sequence[float]] = FLOWERS
    seconds: float = 0.0
    states: dict[str, str] = field(default_factory=dict)
    xcoms: dict[tuple[str, str], Any] = field(default_factory=dict)
    prediction: str = ""
    url: str = ""

    @property
    def outcome(self) -> tuple[str, str]:
        """Action, and state of the deploy task."""
        return str(self.xcoms.get(("deploy", "action"), "-")), self.states.get("deploy", "-")


RUNS = (
    Run("a first model", {"max_depth": 2}, ("created", "success"), day=2),
    Run("a better one", {"max_depth": 3}, ("updated", "success"), day=3),
    Run("a worse one", {"max_depth": 1}, ("reused", "success"), day=4),
    Run("a broken one", {"max_depth": 4, "file": "model.bin"}, ("-", "failed"), day=5),
    Run("an old run", {"max_depth": 2}, ("-", "skipped"), day=1),
    Run(
        "a function",
        {"slope": 3},
        ("created", "success"),
        day=6,
        dag="custom_model",
        model="line",
        rows=((1.0,), (2.0,)),
    ),
)
#: The same DAG with a canary, in its own file.
_CANARY = str(ROOT / "tools" / "demo_canary.py")
CANARY_RUNS = (
    Run("a bad canary", {"max_depth": 2}, ("-", "failed"), day=7, file=_CANARY, error_rate=0.4),
    Run("a good canary", {"max_depth": 2}, ("updated", "success"), day=8, file=_CANARY, error_rate=0.0),
)
ALL = (*RUNS, *CANARY_RUNS)


def main() -> int:
    """Run the demo; 0 when every run came out as expected."""
    # Ctrl-C and a kill both end in the clean-up of the context managers.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="seldon-demo-") as folder, local_seldon(Path(folder)) as local:
        say("Preparing Airflow")
        with Airflow(
            Path(folder), connection=local.airflow_connection(), targets=demo_traffic.targets(local)
        ) as airflow:
            for number, run in enumerate(ALL, start=1):
                say(f"Run {number} of {len(ALL)}: {run.title}  {json.dumps(run.conf)}")
                with demo_traffic.users(local, first_url(), error_rate=run.error_rate):
                    airflow.run(run)
                ask(run)
            say(f"Done in {time.monotonic() - started:.0f} s")
            report()
            if os.environ.get("UI"):
                leave_open(airflow, Path(folder))
    surprises = [run for run in ALL if run.outcome != run.expected or run.prediction == "none"]
    for run in surprises:
        print(f"{run.title}: expected {run.expected}, got {run.outcome}, prediction {run.prediction}")
    return 1 if surprises else 0


def leave_open(airflow: Airflow, folder: Path) -> None:
    """Break a model without a rollback, and let Airflow run until Ctrl-C."""
    import demo_ui

    demo_ui.show(
        airflow.environment,
        dags=[ROOT / "example_dags", ROOT / "tools" / "demo_fleet.py"],
        folder=folder / "dags",
        log=airflow.log,
        uris=(RUNS[0].xcoms["train", "model_uri"], f"{airflow.store}/nothing"),
    )


@contextmanager
def local_seldon(folder: Path) -> Iterator[Any]:
    """Run Seldon Core on this machine."""
    from airflow_provider_seldon.local.cluster import LocalOptions, LocalSeldon

    say("Starting Seldon Core on this machine (API server, operator, gateway)")
    options = LocalOptions(namespace=NAMESPACE, workdir=folder / "seldon", tls=True)
    with LocalSeldon(options) as local:
        print(f"  kubectl --kubeconfig {local.kubeconfig_path} -n {NAMESPACE} get sdep")
        yield local


class Airflow:
    """A separate Airflow: home, database and connection."""

    def __init__(self, folder: Path, *, connection: str, targets: str) -> None:
        self.home = folder / "airflow"
        self.log = folder / "airflow.log"
        self.store = (folder / "models").as_uri()
        self.environment = {
            **os.environ,
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "example_dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
            "AIRFLOW_CONN_SELDON_DEFAULT": connection,
            "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(os.urandom(32)).decode(),
            "PYTHONWARNINGS": "ignore",
            "DEMO_TARGETS": targets,
        }
        # This process requests predictions itself, and must not make an Airflow home for that.
        os.environ.update(self.environment)
        self._process = subprocess.Popen(
            [sys.executable, __file__, COMMANDS],
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def __enter__(self) -> Airflow:
        self._command("db", "migrate")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def run(self, run: Run) -> None:
        """Run the DAG once, showing what its tasks tell, and read back what became of it."""
        logical_date = f"2026-01-{run.day:02d}T00:00:00+00:00"
        started = time.monotonic()
        conf = json.dumps({"store": self.store, **run.conf})
        file = run.file or str(ROOT / "example_dags" / f"{run.dag}.py")
        self._command("dags", "test", run.dag, logical_date, "-c", conf, file, check=False, show=True)
        run.seconds = time.monotonic() - started
        with closing(sqlite3.connect(self.home / "airflow.db")) as database:
            (run_id,) = database.execute(
                "SELECT run_id FROM dag_run WHERE dag_id = ? ORDER BY id DESC LIMIT 1", [run.dag]
            ).fetchone()
            run.states = dict(
                database.execute("SELECT task_id, state FROM task_instance WHERE run_id = ?", [run_id])
            )
            tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
            # Airflow 3.4 stores them for each attempt of a task.
            source = (
                "xcom"
                if "xcom" in tables
                else "xcom_v2 JOIN task_instance ON task_instance.id = task_instance_id"
            )
            for task, key, value in database.execute(
                f"SELECT task_id, key, value FROM {source} WHERE run_id = ?", [run_id]
            ):
                run.xcoms[task, key] = decoded(value)

    def _command(self, *arguments: str, check: bool = True, show: bool = False) -> None:
        """Run a command of Airflow's; its output goes to the log, and the story of it to the screen."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(["airflow", *arguments]) + "\n")
        self._process.stdin.flush()
        last = ended = ""
        with self.log.open("a") as log:
            for line in self._process.stdout:
                if line.startswith(ENDED):
                    ended = line.removeprefix(ENDED).strip()
                    break
                log.write(line)
                # Airflow 2 writes each line twice, once for the task's log and once for the console.
                if show and STORY.search(line) and (text := tidy(line)) != last:
                    print(f"  {text}", flush=True)
                    last = text
        if not ended or (check and ended != "0"):
            print(self.log.read_text()[-4000:])
            sys.exit(f"airflow {' '.join(arguments)} ended with {ended or 'its process'}")


def run_airflow_commands() -> None:
    """Run the commands that come in, one JSON list a line, in this process: Airflow takes seconds to start."""
    from airflow.__main__ import main as airflow

    for line in sys.stdin:
        sys.argv = json.loads(line)
        code: object = 0
        try:
            match sys.argv:
                case ["airflow", "dags", "test", dag_id, moment, "-c", conf, file]:
                    run_dag(file, dag_id, datetime.fromisoformat(moment), json.loads(conf))
                case _:
                    airflow()
        except SystemExit as end:
            code = end.code or 0
        print(f"\n{ENDED}{code}", flush=True)


def run_dag(file: str, dag_id: str, moment: datetime, conf: dict[str, Any]) -> None:
    """Run a DAG as ``airflow dags test`` does, which has no option for when the run was meant to run."""
    from airflow.models.dagbag import DagBag

    dag = DagBag(file).dags[dag_id]
    if "run_after" in inspect.signature(dag.test).parameters:
        dag.test(run_after=moment, logical_date=moment, run_conf=conf)
    else:  # Airflow 2 orders runs by their logical dates
        dag.test(execution_date=moment, run_conf=conf)


def ask(run: Run) -> None:
    """Ask the model that serves now, whatever the run has done."""
    logging.disable(logging.INFO)
    warnings.simplefilter("ignore")
    from airflow_provider_seldon.hooks.seldon import SeldonHook

    hook = SeldonHook()
    serving = hook.find_model_servers(model_name=run.model)
    if not serving:
        run.prediction = "none"
        return
    rows = hook.predictions(serving[0].name, run.rows)
    run.url = hook.get_model_server_info(serving[0]).prediction_url
    run.prediction = " ".join("/".join(f"{share:.2f}" for share in row) for row in rows)


def first_url() -> str:
    """Return where the model answers that canaries are of; "" before the first run."""
    return next((run.url for run in RUNS if run.url), "")


def report() -> None:
    """Print the table of runs and what to do next."""
    print(
        f"\n{'run':<16}{'accuracy':<10}{'decision':<10}{'action':<10}{'task':<9}{'seconds':<9}"
        "prediction of the running version"
    )
    for run in ALL:
        accuracy = run.xcoms.get(("train", "accuracy"))
        decision = (
            str(run.xcoms.get(("deploy", "decision"), "-")).partition(":")[0].replace("do not deploy", "keep")
        )
        decision = (run.xcoms.get(("deploy", "canary")) or {}).get("outcome", decision)
        action, state = run.outcome
        shown = f"{accuracy:.3f}" if isinstance(accuracy, float) else "-"
        print(
            f"{run.title:<16}{shown:<10}{decision:<10}{action:<10}{state:<9}{run.seconds:<9.1f}{run.prediction}"
        )
    urls = sorted({run.url for run in ALL if run.url and run.model == "iris"})
    print(f"\nOne URL throughout: {urls[0]}" if len(urls) == 1 else f"\nURLs: {urls}")
    print(
        "\nThe same DAG on a cluster: give Airflow a connection `seldon_default` of type `seldon` whose extra holds\n"
        '  {"kube_config_path": "/path/to/kubeconfig", "namespace": "models", "ingress_url": "https://models.example.com"}\n'
        "and give its runs the parameter `store`, a bucket that Seldon Core can read, such as s3://models."
    )


def decoded(value: Any) -> Any:
    """Decode an XCom as either Airflow stores it: JSON, JSON bytes, or JSON in JSON."""
    for _ in range(2):
        if isinstance(value, bytes | str):
            try:
                value = json.loads(value)
            except ValueError:
                return value
    return value


def tidy(line: str) -> str:
    """Cut time, level and source off a log line of either Airflow version."""
    line = re.sub(r"\x1b\[[0-9;]*m", "", line.rstrip())
    line = re.sub(r"^\[?\d{4}-\d\d-\d\d[T ][^\s\]]+\]?\s*(\[\w+\s*\]|\{[^}]+\}\s*\w+\s*-)?\s*", "", line)
    return re.sub(r"\s+\[[\w.]+\]\s+loc=\S+$", "", line)[:150]


def say(text: str) -> None:
    """Print a heading."""
    print(f"\n== {text}", flush=True)


if __name__ == "__main__":
    sys.exit(run_airflow_commands() if COMMANDS in sys.argv else main())
