"""A tiny model server, run by tests as the command of a custom container.

Usage: ``python model_server.py [--answer NUMBER] [--record FILE] [--ready-after SECONDS] [--ignore-sigterm]``. It
listens on ``PREDICTIVE_UNIT_HTTP_SERVICE_PORT`` and answers Seldon's wrapper paths: predictions add the number to
each value; ``/route`` chooses branch 1; ``/aggregate`` sums.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

_parser = argparse.ArgumentParser()
_parser.add_argument("--answer", type=float, default=0)
_parser.add_argument("--record", type=Path)
_parser.add_argument("--ready-after", type=float, default=0.0)
_parser.add_argument("--ignore-sigterm", action="store_true")
_parser.add_argument("--child", action="store_true", help="start a process that outlives its parent")
arguments = _parser.parse_args()
started = time.monotonic()


class Handler(BaseHTTPRequestHandler):
    """Answers."""

    def do_GET(self) -> None:
        ready = time.monotonic() - started >= arguments.ready_after
        self._answer(200 if ready else 503, {"ready": ready, "env": dict(os.environ), "argv": sys.argv})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if arguments.record:
            with arguments.record.open("a") as file:
                file.write(self.path + "\n")
        if self.path == "/route":
            self._answer(200, {"data": {"ndarray": [[1]]}})
        elif self.path == "/aggregate":
            rows = [one["data"]["ndarray"][0] for one in body["seldonMessages"]]
            self._answer(200, {"data": {"ndarray": [[sum(column) for column in zip(*rows, strict=True)]]}})
        elif "fail" in body:
            self._answer(500, {"status": {"info": "asked to fail"}})
        elif self.path.startswith("/v2"):
            data = [value + arguments.answer for value in body["inputs"][0]["data"]]
            self._answer(200, {"outputs": [body["inputs"][0] | {"data": data}]})
        else:
            rows = [[value + arguments.answer for value in row] for row in body["data"]["ndarray"]]
            tags = {"served-by": arguments.answer}
            self._answer(200, {"data": {"ndarray": rows}, "meta": {"tags": tags}})

    def log_message(self, format: str, *values: Any) -> None:
        print(format % values, flush=True)

    def _answer(self, code: int, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


if arguments.ignore_sigterm:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if arguments.child:
    subprocess.Popen(["sleep", "300"], start_new_session=True)
port = int(os.environ["PREDICTIVE_UNIT_HTTP_SERVICE_PORT"])
print(f"pid {os.getpid()} listens on {port}", flush=True)
ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
