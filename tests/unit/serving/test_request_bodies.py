"""Bodies as clients and proxies send them, and answers that are JSON, on a server in this process."""

from __future__ import annotations

import io
import json
import socket
import threading
from collections.abc import Iterator
from email.message import Message
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_seldon.serving.body import BadBodyError, read_body
from airflow_provider_seldon.serving.function_model import FunctionModel
from airflow_provider_seldon.serving.http_server import ModelServer

BODY = b'{"data": {"ndarray": [[1]]}}'
HEAD = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


def predict(model: Any, rows: Any) -> Any:
    """Return what the row requests."""
    value = rows[0][0]
    return [[{2: float("nan"), 3: float("inf")}.get(int(value), 7.0)]]


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    model = FunctionModel(predict=f"{__name__}:predict")
    model.load()
    server = ModelServer(model=model, host="127.0.0.1", port=0)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def talk(port: int, data: bytes) -> tuple[int, Any]:
    """Send exactly this, read until the server closes, and return status and body of the first answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(data)
        got = b""
        while chunk := connection.recv(65536):
            got += chunk
    head, _, body = got.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


def chunked(*chunks: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(one), one) for one in chunks) + b"0\r\n\r\n"


def test_a_chunked_body_is_read_and_the_connection_stays_open(port: int) -> None:
    request = HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(BODY[:5], BODY[5:])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        for _ in range(2):
            connection.sendall(request)
            got = connection.recv(65536)
            while not got.endswith(b"}"):
                got += connection.recv(65536)
            assert b"200 OK" in got
            assert b"7.0" in got


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (b"Content-Length: abc", 400),
        (b"Content-Length: -1", 400),
        (b"Content-Length: +28", 400),
        (b"Content-Length: 28\r\nContent-Length: 27", 400),
        (b"Content-Length: 28\r\nTransfer-Encoding: chunked", 400),
        (b"Content-Length: 99999999999999999999999999", 413),
        (b"Transfer-Encoding: gzip, chunked", 501),
    ],
)
def test_a_body_whose_end_is_not_told_is_refused_and_the_connection_closed(
    port: int, header: bytes, status: int
) -> None:
    told, answer = talk(port, HEAD + header + b"\r\n\r\n" + BODY)
    assert told == status
    assert answer["status"]["status"] == "FAILURE"


def test_no_answer_holds_what_is_no_json(port: int) -> None:
    for value in (b"2", b"3"):
        body = BODY.replace(b"1", value)
        length = b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body)
        status, answer = talk(port, HEAD + length + body)
        assert status == 500
        assert "NaN" in answer["status"]["info"]


@pytest.mark.parametrize("body", [b'{"data": {"ndarray": [[NaN]]}}', b"[" * 50_000, b""])
def test_a_request_that_is_no_json_is_a_bad_request(port: int, body: bytes) -> None:
    length = b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body)
    assert talk(port, HEAD + length + body)[0] == 400


def headers(**given: str) -> Message:
    made = Message()
    for name, value in given.items():
        made[name.replace("_", "-")] = value
    return made


@given(parts=st.lists(st.binary(min_size=1, max_size=50), max_size=5))
def test_chunks_are_put_together(parts: list[bytes]) -> None:
    stream = io.BytesIO(chunked(*parts) + b"next request")
    assert read_body(headers(Transfer_Encoding="chunked"), stream) == b"".join(parts)
    assert stream.read() == b"next request"


@given(data=st.binary(max_size=60), coding=st.booleans(), length=st.text(max_size=6))
def test_whatever_comes_is_a_body_or_refused(data: bytes, coding: bool, length: str) -> None:
    given = headers(Transfer_Encoding="chunked") if coding else headers(Content_Length=length)
    try:
        body = read_body(given, io.BytesIO(data))
    except BadBodyError:
        return
    assert len(body) <= len(data)
