"""A real Prometheus on a free port for tests, and a small server of hand-written series."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

import pytest
import yaml

T = TypeVar("T")
BINARY = shutil.which("prometheus")
needs_prometheus = pytest.mark.skipif(BINARY is None, reason="Prometheus is not installed")
#: Seconds between two scrapes.
INTERVAL = 0.25


@dataclass(frozen=True, kw_only=True)
class Prometheus:
    """
    A server that runs.

    :param url: its base URL.
    :param at: the time at which queries are evaluated, in seconds since 1970; now when left out.
    """

    url: str
    at: float | None = None

    def ask(self, expression: str) -> list[dict[str, Any]]:
        """Ask it without any of the code under test."""
        at = {} if self.at is None else {"time": str(self.at)}
        query = urllib.parse.urlencode({"query": expression, **at})
        with urllib.request.urlopen(f"{self.url}/api/v1/query?{query}", timeout=10) as answer:
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
            return found

    def number(self, expression: str) -> float | None:
        """One number; None where there is no series."""
        found = self.ask(expression)
        return float(found[0]["value"][1]) if found else None


def until(look: Callable[[], T], *, seconds: float = 30.0) -> T:
    """Wait for a condition; what it looked like last is returned."""
    deadline = time.monotonic() + seconds
    while not (found := look()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


@contextmanager
def prometheus(folder: Path, jobs: Sequence[Mapping[str, Any]]) -> Iterator[Prometheus]:
    """Run it with some scrape configurations."""
    assert BINARY is not None
    config = {
        "global": {
            "scrape_interval": f"{int(INTERVAL * 1000)}ms",
            "scrape_timeout": f"{int(INTERVAL * 1000)}ms",
        },
        "scrape_configs": [dict(job) for job in jobs],
    }
    path = folder / "prometheus.yml"
    path.write_text(yaml.safe_dump(config))
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    log = (folder / "prometheus.log").open("w")
    process = subprocess.Popen(
        [
            BINARY,
            f"--config.file={path}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        stdout=log,
        stderr=log,
    )
    server = Prometheus(url=f"http://127.0.0.1:{port}")

    def answers() -> bool:
        try:
            return bool(server.ask("vector(1)"))
        except OSError:
            return False

    try:
        assert until(answers), (folder / "prometheus.log").read_text()
        yield server
    finally:
        process.terminate()
        process.wait(timeout=20)
        log.close()


class Exposition:
    """Serves what :attr:`text` says below ``/prometheus``. A number in it may be changed at any time."""

    def __init__(self) -> None:
        self.values: dict[str, float] = {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = "".join(f"{name} {value}\n" for name, value in dict(outer.values).items()).encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.target = f"127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Exposition:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
