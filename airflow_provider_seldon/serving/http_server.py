"""
A model container's HTTP server for the calls of Seldon's engine; standard library only.

``POST /predict`` takes a Seldon message, as JSON or as the form field ``json``; ``/api/v1.0/predictions`` and
``/api/v0.1/predictions`` are the same. ``GET /live``, ``/ready``, ``/health/ping`` and ``/health/status``
report health, ``/metadata`` returns the variable ``MODEL_METADATA``, and feedback is accepted and ignored.

It listens only once the model is loaded, so that TCP probes, including the engine's own check
(SeldonIO/seldon-core #5150), are correct. No gRPC, no TLS.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from airflow_provider_seldon.serving.body import BadBodyError, read_body
from airflow_provider_seldon.serving.function_model import FunctionModel
from airflow_provider_seldon.serving.message import BadMessageError, answer_of, rows_of, to_json

log = logging.getLogger(__name__)

_PREDICT = frozenset({"/predict", "/api/v1.0/predictions", "/api/v0.1/predictions"})
_FEEDBACK = frozenset({"/send-feedback", "/api/v1.0/feedback", "/api/v0.1/feedback"})
_HEALTH = frozenset({"/live", "/ready", "/ping", "/health/ping", "/health/status"})
_METADATA = frozenset({"/metadata", "/api/v1.0/metadata"})


class ModelServer(ThreadingHTTPServer):
    """
    Serves a loaded model.

    :param model: the model.
    :param host: address to listen on.
    :param port: TCP port; 0 for any free one.
    """

    daemon_threads = False  # requests in progress are answered before the process ends
    request_queue_size = 128

    def __init__(self, *, model: FunctionModel, host: str = "0.0.0.0", port: int = 9000) -> None:
        self.model = model
        self.stopping = False
        self.idle: set[socket.socket] = set()
        super().__init__((host, port), _Handler)

    def serve(self) -> None:
        """Answer requests until SIGTERM or SIGINT."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: threading.Thread(target=self.shutdown).start())
        log.info("Serving on %s:%d", *self.server_address[:2])
        with self:
            self.serve_forever(poll_interval=0.1)

    def server_close(self) -> None:
        """Stop listening, close idle connections, and finish the others."""
        self.stopping = True
        for connection in list(self.idle):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RD)  # a request that has already arrived is still answered
        super().server_close()


class _Handler(BaseHTTPRequestHandler):
    server: ModelServer
    protocol_version = "HTTP/1.1"
    #: Seconds after which an idle connection is closed.
    timeout = 60

    def handle_one_request(self) -> None:
        """Wait for a request and answer it; when the server is stopping, accept no further one."""
        # In this order, at least one of the two threads sees the other's first step.
        self.server.idle.add(self.connection)
        if self.server.stopping:
            self.close_connection = True
        else:
            super().handle_one_request()
        self.server.idle.discard(self.connection)

    def parse_request(self) -> bool:
        """Record that a request has arrived: its connection is not idle."""
        self.server.idle.discard(self.connection)
        return super().parse_request()

    def do_GET(self) -> None:
        """Health and metadata, and predictions with the message in the query."""
        url = urlsplit(self.path)
        if url.path in _HEALTH:
            ready = self.server.model.ready
            self._answer(200 if ready else 503, {"status": "ok" if ready else "loading"})
        elif url.path in _METADATA:
            self._answer(200, _metadata())
        elif url.path in _PREDICT:
            self._predict(_form(url.query))
        else:
            self._fail(404, "MICROSERVICE_NOT_FOUND", f"no such path: {url.path}")

    def do_POST(self) -> None:
        """Predictions and feedback."""
        try:
            body = read_body(self.headers, self.rfile).decode("utf-8", "replace")
        except BadBodyError as error:
            self.close_connection = True  # the start of the next request is unknown
            return self._fail(error.status, "MICROSERVICE_BAD_DATA", str(error))
        path = urlsplit(self.path).path
        is_form = "form-urlencoded" in (self.headers.get("Content-Type") or "")
        if path in _PREDICT:
            return self._predict(_form(body) if is_form else body)
        if path in _FEEDBACK:
            return self._answer(200, {"data": {"names": [], "ndarray": []}, "meta": {}})
        return self._fail(404, "MICROSERVICE_NOT_FOUND", f"no such path: {path}")

    def log_message(self, format: str, *arguments: Any) -> None:
        """Log requests, only at level debug."""
        log.debug(format, *arguments)

    def _predict(self, body: str) -> None:
        try:
            message = json.loads(body, parse_constant=_no_constant)
            rows = rows_of(message)
        except BadMessageError as error:
            return self._fail(400, "MICROSERVICE_BAD_DATA", str(error))
        except (ValueError, RecursionError):
            return self._fail(400, "MICROSERVICE_BAD_DATA", "the request is not JSON")
        try:
            answer = to_json(answer_of(self.server.model.predict(rows), message))
        except Exception as error:
            log.exception("The prediction failed")
            return self._fail(500, "MICROSERVICE_INTERNAL_ERROR", f"{type(error).__name__}: {error}")
        return self._send(200, answer.encode())

    def _fail(self, status: int, reason: str, info: str) -> None:
        self._answer(
            status, {"status": {"status": "FAILURE", "code": status, "reason": reason, "info": info}}
        )

    def _answer(self, status: int, value: Any) -> None:
        self._send(status, json.dumps(value).encode())

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)


def _form(text: str) -> str:
    """Return the field ``json``; a body that is only declared as a form (curl's default) stays as it is."""
    return (parse_qs(text).get("json") or [text])[0]


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is not JSON")


def _metadata() -> Any:
    try:
        return json.loads(os.environ.get("MODEL_METADATA") or "{}")
    except ValueError:
        return {}
