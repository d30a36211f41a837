"""Configurable faults: what the local API server does wrong, for which requests, and how often.

Purpose: tests of retries, reconnects and idempotency need a server with exactly defined faults. A
:class:`Fault` is JSON data; :class:`Faults` is the list of active ones and returns the one that matches a
request. The server acts on it; this module does no I/O.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

DROP_BEFORE, DROP_AFTER = "before", "after"


@dataclass(kw_only=True)
class Fault:
    """
    One fault.

    :param verb: ``get``, ``list``, ``watch``, ``create``, ``update``, ``patch``, ``apply``, ``delete``,
        ``deletecollection`` or ``*``. ``patch`` matches every PATCH; ``apply`` only server-side apply.
    :param resource: Plural name, with a subresource if needed (``seldondeployments/status``); ``*`` for all,
        and ``<plural>/*`` for a resource with all its subresources.
    :param name: Object name; for lists and watches, the name in a field selector. ``*`` for all.
    :param namespace: Namespace, or ``*``.
    :param count: Maximum number of affected requests; ``None`` for all matching ones.
    :param skip: Number of matching requests that are first handled normally.
    :param status: HTTP code to return instead of handling the request, with a Kubernetes ``Status`` body.
    :param reason: ``reason`` of that body; by default, the one of the code.
    :param message: ``message`` of that body.
    :param retry_after: ``Retry-After`` in seconds.
    :param delay: Seconds to wait before anything else.
    :param drop: ``before``: close the connection before the request is handled; ``after``: handle it, then
        close the connection without a response.
    :param stall: Send only the response's headers, for this many seconds.
    :param close_watch_after: End a watch (cleanly) after this many seconds.
    :param webhook: Make the admission webhook ``down`` (500 ``failed calling webhook``) or ``off`` (accepts
        everything).
    """

    verb: str = "*"
    resource: str = "*"
    name: str = "*"
    namespace: str = "*"
    count: int | None = 1
    skip: int = 0
    status: int | None = None
    reason: str | None = None
    message: str | None = None
    retry_after: int | None = None
    delay: float = 0.0
    drop: str | None = None
    stall: float | None = None
    close_watch_after: float | None = None
    webhook: str | None = None
    hits: int = 0

    def __post_init__(self) -> None:
        if self.drop not in (None, DROP_BEFORE, DROP_AFTER):
            raise ValueError(f"drop: {self.drop!r} is neither 'before' nor 'after'")
        if self.webhook not in (None, "down", "off"):
            raise ValueError(f"webhook: {self.webhook!r} is neither 'down' nor 'off'")

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Fault:
        """
        Return the fault for JSON data.

        :raises ValueError: For an unknown field.
        """
        known = {item.name for item in fields(cls)}
        unknown = sorted(data.keys() - known)
        if unknown:
            raise ValueError(f"a fault has no {', '.join(unknown)}; it has {', '.join(sorted(known))}")
        return cls(**data)

    def to_json(self) -> dict[str, Any]:
        """Return the fault as JSON data."""
        return asdict(self)

    def matches(self, *, verb: str, apply: bool, resource: str, name: str, namespace: str) -> bool:
        """Return whether a request matches this fault."""
        verbs = {"*", verb} | ({"apply"} if apply else set())
        resources = {"*", resource, f"{resource.partition('/')[0]}/*"}
        return (
            self.verb in verbs
            and self.resource in resources
            and self.name in ("*", name)
            and self.namespace in ("*", namespace)
        )


class Faults:
    """The active faults. Safe to change from another thread while the server runs."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> Fault:
        """Activate a fault and return it; its ``hits`` counts the affected requests."""
        with self._lock:
            self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """Deactivate all faults."""
        with self._lock:
            self._faults.clear()

    def active(self) -> list[Fault]:
        """Return the faults that can still affect a request."""
        with self._lock:
            return list(self._faults)

    def take(self, *, verb: str, apply: bool, resource: str, name: str, namespace: str) -> Fault | None:
        """Return the first fault that matches a request, and count it; ``None`` if none does."""
        with self._lock:
            for fault in self._faults:
                if not fault.matches(
                    verb=verb, apply=apply, resource=resource, name=name, namespace=namespace
                ):
                    continue
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                fault.hits += 1
                if fault.count is not None and fault.hits >= fault.count:
                    self._faults.remove(fault)
                return fault
        return None
