"""The log of requests, for tests that count them.

Purpose: a promise such as "one LIST and one PATCH, nothing else" needs a count: every request is recorded
with its verb, path, user agent, status and duration, in memory, up to a limit.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(kw_only=True)
class LoggedRequest:
    """
    One request.

    :param method: HTTP method.
    :param path: Path without query.
    :param query: Query text.
    :param verb: Kubernetes verb, ``apply`` for a server-side apply; empty outside of resources.
    :param resource: Plural with subresource; empty outside of resources.
    :param namespace: Namespace in the path.
    :param name: Object name in the path.
    :param user_agent: The client's user agent.
    :param status: HTTP code of the response; 0 while it is open or if the connection was dropped.
    :param started: Unix time in seconds.
    :param seconds: Duration; ``None`` while it is open (a watch).
    :param warnings: Texts of the response's ``Warning`` headers.
    """

    method: str
    path: str
    query: str = ""
    verb: str = ""
    resource: str = ""
    namespace: str = ""
    name: str = ""
    user_agent: str = ""
    status: int = 0
    started: float = 0.0
    seconds: float | None = None
    warnings: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return the entry as JSON data."""
        return asdict(self)


class RequestLog:
    """
    The last requests, oldest first. Safe to read from another thread.

    :param limit: Maximum number of entries.
    """

    def __init__(self, *, limit: int = 50_000) -> None:
        self._entries: deque[LoggedRequest] = deque(maxlen=limit)
        self._lock = threading.Lock()

    def add(self, entry: LoggedRequest) -> None:
        """Record a request."""
        with self._lock:
            self._entries.append(entry)

    def clear(self) -> None:
        """Drop all entries."""
        with self._lock:
            self._entries.clear()

    def entries(
        self, where: Callable[[LoggedRequest], bool] | None = None, **values: str | int
    ) -> list[LoggedRequest]:
        """
        Return the requests that match all given attributes.

        :param where: A further condition.
        :param values: Attributes of :class:`LoggedRequest`, such as ``verb="list"``.
        """
        with self._lock:
            entries = list(self._entries)
        return [
            entry
            for entry in entries
            if all(getattr(entry, name) == value for name, value in values.items())
            and (where is None or where(entry))
        ]

    def count(self, where: Callable[[LoggedRequest], bool] | None = None, **values: str | int) -> int:
        """Return the number of matching requests; see :meth:`entries`."""
        return len(self.entries(where, **values))
