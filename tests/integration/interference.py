"""Something happens right before the k-th request that a task sends, those of its wait left out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest

from airflow_provider_seldon.kube.requests.transport import Transport


class Interference:
    """
    Lets somebody act between two requests of whoever asks for it, in their own thread, so that nothing is left to time.

    :param monkeypatch: puts the requests back as they were.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._planned = threading.local()
        send = Transport.request

        def request(transport: Transport, method: str, path: str, **parts: Any) -> dict[str, Any]:
            self._meet(method, path)
            records = getattr(self._planned, "records", None)
            if records is not None and method != "GET":
                records.append(partial(send, transport, method, path, **parts))
            return send(transport, method, path, **parts)

        monkeypatch.setattr(Transport, "request", request)

    @contextmanager
    def before(self, k: int | str, act: Callable[[], Any]) -> Iterator[list[str]]:
        """
        Call ``act`` before the k-th request of this thread.

        :param k: which request; or a method such as ``PATCH``, for the first of that kind.
        :returns: the requests that were met until then; the last one is the one that waited.
        """
        met: list[str] = []
        self._planned.act, self._planned.k, self._planned.met = act, k, met
        try:
            yield met
        finally:
            self._planned.act = None

    @contextmanager
    def recorded(self) -> Iterator[list[Callable[[], Any]]]:
        """Note the writes of this thread; calling one sends it again."""
        records: list[Callable[[], Any]] = []
        self._planned.records = records
        try:
            yield records
        finally:
            self._planned.records = None

    def _meet(self, method: str, path: str) -> None:
        act = getattr(self._planned, "act", None)
        if act is None:
            return
        self._planned.met.append(f"{method} {path.rpartition('/')[2]}")
        if self._planned.k in (len(self._planned.met), method):
            self._planned.act = None  # whoever acts sends requests, too
            act()
