"""
Read the body of an HTTP/1.1 request according to RFC 9112: by its length, or chunk by chunk.

A body with an ambiguous end is refused, and its connection closed: the rest could be taken for another
request.
"""

from __future__ import annotations

from email.message import Message
from io import BufferedIOBase

#: Maximum bytes of a body.
MAX_BODY = 64 * 1024 * 1024
_MAX_LINE = 8192


class BadBodyError(ValueError):
    """
    The body is unreadable; its connection can no longer be used.

    :param status: the HTTP status to answer with.
    """

    def __init__(self, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def read_body(headers: Message, stream: BufferedIOBase) -> bytes:
    """
    Return the whole body.

    :raises BadBodyError: its length is missing, ambiguous, too large, or wrong.
    """
    coding = headers.get("Transfer-Encoding")
    lengths = {
        value.strip() for entry in headers.get_all("Content-Length") or () for value in entry.split(",")
    }
    if coding is not None:
        if coding.strip().lower() != "chunked":
            raise BadBodyError("only the transfer coding 'chunked' is supported", status=501)
        if lengths:
            raise BadBodyError("the request has both Transfer-Encoding and Content-Length")
        return _chunks(stream)
    if not lengths:
        return b""
    text = lengths.pop()
    if lengths or not (text.isascii() and text.isdigit()):
        raise BadBodyError("Content-Length is not one whole number of 0 or more")
    return _exactly(stream, _limited(int(text) if len(text) < 20 else MAX_BODY + 1))


def _chunks(stream: BufferedIOBase) -> bytes:
    parts: list[bytes] = []
    total = 0
    while size := _size(_line(stream)):
        total = _limited(total + size)
        parts.append(_exactly(stream, size))
        if _line(stream):
            raise BadBodyError("a chunk is longer than it says")
    for _ in range(100):  # trailer fields after the last chunk, which are ignored
        if not _line(stream):
            return b"".join(parts)
    raise BadBodyError("too many fields follow the last chunk")


def _size(line: bytes) -> int:
    text = line.partition(b";")[0].strip()
    if not text or len(text) > 16 or set(text.lower()) - set(b"0123456789abcdef"):
        raise BadBodyError("the size of a chunk is not a hexadecimal number")
    return int(text, 16)


def _line(stream: BufferedIOBase) -> bytes:
    line = stream.readline(_MAX_LINE)
    if not line.endswith(b"\n"):
        raise BadBodyError("the body ends before its last chunk, or a line of it is too long")
    return line.rstrip(b"\r\n")


def _exactly(stream: BufferedIOBase, size: int) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise BadBodyError("the body is shorter than it says")
    return data


def _limited(size: int) -> int:
    if size > MAX_BODY:
        raise BadBodyError(f"the body is larger than {MAX_BODY >> 20} MiB", status=413)
    return size
