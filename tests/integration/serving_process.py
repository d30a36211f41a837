"""A model container's process on this machine, for tests."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import airflow_provider_seldon

CODE = """
import time
from pathlib import Path

def load(folder: Path) -> float:
    return float((folder / "factor.txt").read_text())

def load_slowly(folder: Path) -> float:
    while not (folder / "go").exists():
        time.sleep(0.05)
    return load(folder)

def broken(folder: Path) -> float:
    raise AttributeError("no such weights")

def scaled(factor, rows):
    return [[factor * value for value in row] for row in rows]

def failing(model, rows):
    raise ValueError("a row is missing")

def what_is_imported(model, rows):
    import sys
    return sorted(name for name in ("airflow", "numpy", "pydantic", "kubernetes", "mlserver") if name in sys.modules)
"""


@dataclass(frozen=True, kw_only=True)
class Served:
    """A process that answers on a port."""

    process: subprocess.Popen[str]
    port: int

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Send one request; the answer's status, and its body as JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        data = body if body is None or isinstance(body, str) else json.dumps(body)
        given = {"Content-Type": "application/json", **headers}
        connection.request(method, path, body=data, headers=given)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, json.loads(text) if text else None

    def listens(self) -> bool:
        """Whether something accepts connections."""
        with socket.socket() as client:
            client.settimeout(1)
            return client.connect_ex(("127.0.0.1", self.port)) == 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def model_folder(folder: Path) -> Path:
    """Make a module ``user_code`` and a folder with a model; the latter."""
    (folder / "user_code.py").write_text(CODE)
    models = folder / "models"
    models.mkdir()
    (models / "factor.txt").write_text("2")
    return models


def environment(folder: Path, **variables: str) -> dict[str, str]:
    """What a container has: its own code on the path, and nothing of the test's environment."""
    package = Path(airflow_provider_seldon.__file__).parent.parent
    path = os.pathsep.join([str(package), str(folder)])
    return {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": path, **variables}


@contextmanager
def serving(
    command: Sequence[str],
    *,
    folder: Path,
    port: int,
    env: Mapping[str, str],
    wait: float = 30.0,
    grace: float = 10.0,
) -> Iterator[Served]:
    """Run a command, with all that it starts, until the block is left; begins when it listens."""
    with (folder / "log.txt").open("w") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=dict(env),
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        served = Served(process=process, port=port)
        try:
            deadline = time.monotonic() + wait
            while wait and not served.listens():
                assert process.poll() is None, (folder / "log.txt").read_text()
                assert time.monotonic() < deadline, (folder / "log.txt").read_text()
                time.sleep(0.05)
            yield served
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=grace)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=20)
