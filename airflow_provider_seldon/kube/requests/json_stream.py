"""
Parse a large JSON list incrementally.

A LIST of a busy namespace has tens of megabytes; decoding it at once would block the event loop for that
time. This parser decodes each object as soon as it has arrived. It knows only the structure of Kubernetes
lists (one object with an array ``items``, at any position).
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any

_DECODER = json.JSONDecoder()
_SPACE = " \t\r\n"
_WORD = re.compile(r"[-+.\w]+")
#: Maximum size of an object, in characters; etcd's limit is 1.5 MB.
LONGEST = 8 * 1024 * 1024


class ListParser:
    """Takes bytes, and yields objects; ``metadata`` is complete at the end of the list."""

    def __init__(self) -> None:
        self.metadata: dict[str, Any] = {}
        self.complete = False
        self._text = ""
        self._bytes = codecs.getincrementaldecoder("utf-8")()
        self._in_items = False
        self._started = False

    def feed(self, data: bytes) -> Iterator[dict[str, Any]]:
        """
        Take the next piece and yield the objects that it completes.

        :raises ValueError: it is not a JSON object, or one of its items is not an object, or too large.
        """
        self._text += self._bytes.decode(data)
        position = 0
        while not self.complete:
            try:
                after, item = self._step(position)
            except _MoreNeeded:
                break
            position = after
            if item is not None:
                yield item
        self._text = self._text[position:]
        if len(self._text) > LONGEST:
            raise ValueError("an object in the response is too large")

    def _step(self, position: int) -> tuple[int, dict[str, Any] | None]:
        """Read the next token from ``position``; return where it ends, and an item if it was one."""
        position, char = self._next(position)
        if not self._started:
            if char != "{":
                raise ValueError("the response is not a JSON object")
            self._started = True
            return position + 1, None
        if char == ",":
            return position + 1, None
        if self._in_items:
            if char == "]":
                self._in_items = False
                return position + 1, None
            item, position = self._value(position)
            if not isinstance(item, dict):
                raise ValueError("an item of the response is not an object")
            return position, item
        if char == "}":
            self.complete = True
            return position + 1, None
        return self._field(position), None

    def _field(self, position: int) -> int:
        key, position = self._value(position)
        position, char = self._next(position)
        if char != ":":
            raise ValueError("a colon is missing in the JSON of the response")
        position, char = self._next(position + 1)
        if key == "items" and char == "[":
            self._in_items = True
            return position + 1
        value, position = self._value(position)
        if key == "metadata" and isinstance(value, dict):
            self.metadata = value
        return position

    def _value(self, position: int) -> tuple[Any, int]:
        # A number or word at the end of the text may continue in the next piece.
        word = _WORD.match(self._text, position)
        if word is not None and word.end() == len(self._text):
            raise _MoreNeeded
        try:
            value, end = _DECODER.raw_decode(self._text, position)
        except json.JSONDecodeError:
            raise _MoreNeeded from None
        except RecursionError:
            raise ValueError("the response nests too deeply") from None
        return value, end

    def _next(self, position: int) -> tuple[int, str]:
        while position < len(self._text) and self._text[position] in _SPACE:
            position += 1
        if position >= len(self._text):
            raise _MoreNeeded
        return position, self._text[position]


class _MoreNeeded(Exception):  # noqa: N818
    """The text ends within a token or a value."""
