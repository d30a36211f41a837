"""Something in front of a Kubernetes API: passes requests on, or answers what a test says."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Answer:
    """What is answered in the API's place."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})


@dataclass
class Seen:
    """A request."""

    method: str
    path: str
    headers: Mapping[str, str]


#: None passes a request on.
Rule = Callable[[Seen], Answer | None]


class FrontServer:
    """Where it is, what it saw, and its rule, which may be changed at any time."""

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.rule: Rule = lambda seen: None
        self.seen: list[Seen] = []
        self.silent = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Take no more requests."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=10)


@contextmanager
def in_front_of(upstream: str) -> Iterator[FrontServer]:
    """Start one, and stop it at the end."""
    server = FrontServer(upstream)
    try:
        yield server
    finally:
        server.stop()


def _handler(front: FrontServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def _handle(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.title(): value for name, value in self.headers.items()}
            seen = Seen(self.command, self.path, headers)
            front.seen.append(seen)
            answer = front.rule(seen)
            self.close_connection = True
            if answer is None:
                self._pass_on(body)
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _handle  # noqa: N815

        def _pass_on(self, body: bytes) -> None:
            """While ``silent`` is set, nothing of what comes is passed on: a connection that is half open."""
            upstream = http.client.HTTPConnection(urlsplit(front.upstream).netloc)
            upstream.request(self.command, self.path, body or None, dict(self.headers.items()))
            answer = upstream.getresponse()
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.getheader("Content-Type") or "")
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.flush()
            try:
                while data := answer.read1(65536):
                    if "watch=true" in self.path and front.silent.is_set():
                        continue
                    self.wfile.write(data)
                    self.wfile.flush()
            except OSError:
                pass
            finally:
                upstream.close()

    return Handler
