"""A hand on every request that a try sends: it is noted, and the try may die at one of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from airflow_provider_seldon.kube.requests.transport import Transport
from airflow_provider_seldon.kube.watch import wait
from airflow_provider_seldon.kube.watch.reflector import Tuning
from tests.histories.plan import Kill

#: Seconds after which a server that says nothing is given up, instead of half a minute.
IMPATIENT = 2.0


class KilledError(BaseException):
    """The process of a task is gone: nothing of its code may go on, so it is no ``Exception``."""


class Try:
    """
    One try of a task, as far as its requests go.

    :param kill: when it is to die.
    :param wrote: called with begin, end and name of each write.
    """

    def __init__(self, kill: Kill | None, wrote: Callable[[float, float, str], None]) -> None:
        self._kill = kill
        self._wrote = wrote
        self._count = 0
        self._dead = False
        self.late: list[threading.Thread] = []

    def send(self, send: Callable[[], Any], what: str, *, writes: bool) -> Any:
        """Send a request, or die before, after or while it is sent."""
        if self._dead:
            raise KilledError
        self._count += 1
        kill = self._kill if self._kill and self._kill.request == self._count else None
        if kill is None or kill.moment == "wait":
            return self._noted(send, what, writes=writes)
        self._dead = True
        if kill.moment == "after":
            self._noted(send, what, writes=writes)
        elif kill.moment == "late":
            self.late.append(
                threading.Thread(target=self._send_late, args=(send, what, writes, kill.seconds))
            )
            self.late[-1].start()
        raise KilledError(f"{kill.moment} request {self._count}, {what}")

    def _send_late(self, send: Callable[[], Any], what: str, writes: bool, seconds: float) -> None:
        time.sleep(seconds)
        with suppress(Exception):
            self._noted(send, f"late {what}", writes=writes)

    def _noted(self, send: Callable[[], Any], what: str, *, writes: bool) -> Any:
        began = time.monotonic()
        try:
            return send()
        finally:
            if writes:
                self._wrote(began, time.monotonic(), what)


_current = threading.local()


@contextmanager
def as_try(one: Try) -> Iterator[None]:
    """Whatever this thread sends belongs to a try."""
    _current.one = one
    try:
        yield
    finally:
        _current.one = None


@contextmanager
def noted() -> Iterator[None]:
    """Note the requests of tries, and be impatient with servers that say nothing."""
    original = Transport.request

    def request(transport: Transport, method: str, path: str, **parts: Any) -> dict[str, Any]:
        def send() -> dict[str, Any]:
            return original(transport, method, path, **parts)

        one: Try | None = getattr(_current, "one", None)
        if one is None:
            return send()
        what = f"{method} {path.rpartition('/')[2]}"
        answer: dict[str, Any] = one.send(send, what, writes=method != "GET" and not path.endswith("secrets"))
        return answer

    changed = [(Transport.__init__.__kwdefaults__, "timeout", IMPATIENT)]
    changed += [(Tuning.__init__.__kwdefaults__, patience, IMPATIENT) for patience in ("idle", "idle_list")]
    before = [(defaults, key, defaults[key]) for defaults, key, _ in changed]
    pods_interval = wait.PODS_INTERVAL
    Transport.request = request  # type: ignore[method-assign]
    wait.PODS_INTERVAL = 0.2
    try:
        for defaults, key, value in changed:
            defaults[key] = value
        yield
    finally:
        Transport.request = original  # type: ignore[method-assign]
        wait.PODS_INTERVAL = pods_interval
        for defaults, key, value in before:
            defaults[key] = value
