"""
Keep one resource of one namespace up to date: LIST, then WATCH, as long as there are subscribers.

It survives everything that ends a watch: bookmarks carry the resource version through quiet times, a stream
that ends or goes silent is resumed from there, 410 leads to a new LIST (and only differences are passed on),
429 and 5xx are retried. Without permission to watch it lists once per interval. Permanent errors are raised.
Source: Kubernetes API concepts, efficient detection of changes.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_seldon.core.resource.unstructured import Object, name_of, number_at, text_at
from airflow_provider_seldon.exceptions import (
    CredentialPluginError,
    ForbiddenError,
    NotFoundError,
    SeldonError,
    ServerUnavailableError,
    UnauthorizedError,
    UnexpectedAnswerError,
)
from airflow_provider_seldon.kube.requests.answers import is_named
from airflow_provider_seldon.kube.requests.json_stream import LONGEST, ListParser
from airflow_provider_seldon.kube.requests.session import ApiSession, ExpiredError

log = logging.getLogger(__name__)

#: Consecutive failed attempts after which it lists again instead of resuming: the resource version may be
#: wrong.
LIST_AFTER = 4


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """
    Times and limits of a reflector; all times are seconds.

    :param idle: a watch without any data for this time, not even its end, is closed: the peer is gone.
    :param idle_list: the same for the response to a LIST.
    :param watch: requested duration of a watch. API servers send a bookmark every minute and before the end,
        so a short watch soon shows that the peer is there, and is resumed from its bookmark.
    :param poll: time between two LISTs without permission to watch.
    :param poll_rounds: LISTs after which the watch is tried again.
    :param first_pause: pause before the first retry; doubles with each, up to ``longest_pause``.
    :param refused: how long a refusal (403, 404) must last to be final.
    :param unauthorized: the same for credentials (401), which are read again for each attempt.
    :param slice: how long the event loop is occupied at a time.
    :param burst: number of objects that are passed on at a time, because each may cause more work elsewhere.
    :param page: objects in one LIST.
    """

    idle: float = 35.0
    idle_list: float = 30.0
    watch: float = 25.0
    poll: float = 10.0
    poll_rounds: int = 30
    first_pause: float = 0.2
    longest_pause: float = 30.0
    refused: float = 5.0
    unauthorized: float = 30.0
    slice: float = 0.005
    burst: int = 10
    page: int = 5000


@dataclass(frozen=True, kw_only=True)
class Sink:
    """
    Receives the objects of a reflector.

    :param put: called for an object that exists or has changed.
    :param drop: called with the name of a deleted object.
    :param names: returns the names of the existing objects.
    """

    put: Callable[[Object], None]
    drop: Callable[[str], None]
    names: Callable[[], Iterable[str]]


class Reflector:
    """
    Feeds one sink; ``run`` it as a task.

    :param session: the cluster.
    :param path: path of the collection, e.g. ``/apis/apps/v1/namespaces/ns/deployments``.
    :param query: selectors.
    :param sink: receives the objects.
    :param on_synced: called after each complete LIST.
    :param tuning: its times and limits.
    """

    def __init__(
        self,
        *,
        session: ApiSession,
        path: str,
        sink: Sink,
        on_synced: Callable[[], None],
        query: Mapping[str, str] | None = None,
        tuning: Tuning | None = None,
    ) -> None:
        self.trouble = ""
        self._session = session
        self._path = path
        self._query = dict(query or {})
        self._sink = sink
        self._on_synced = on_synced
        self._tuning = tuning or Tuning()
        self._version = ""
        self._polls_left = 0
        self._failures = 0
        self._refused_since: float | None = None
        self._slice_end = 0.0
        self._burst = 0

    async def run(self) -> None:
        """
        Feed until cancelled.

        :raises ForbiddenError: the permission to list is missing.
        :raises NotFoundError: there is no such resource.
        :raises UnauthorizedError: the credentials are rejected, even fresh ones.
        """
        while True:
            try:
                await self._once()
                continue
            except ExpiredError as error:
                self._version, trouble = "", error
            except CredentialPluginError as error:
                trouble = error
            except (ForbiddenError, NotFoundError, UnauthorizedError) as error:
                self._refuse(error)
                trouble = error
            except ServerUnavailableError as error:
                if self._failures >= LIST_AFTER:
                    self._version = ""
                trouble = error
            except SeldonError as error:
                # Refused for any reason: if the resource version is the cause, a LIST helps.
                self._version, trouble = "", error
            except ValueError as error:
                self._version, trouble = "", UnexpectedAnswerError(f"GET {self._path}: {error}")
            self.trouble = str(trouble)
            await asyncio.sleep(self._pause(trouble))

    async def _once(self) -> None:
        if not self._version:
            await self._list()
        if self._polls_left:
            self._polls_left -= 1
            await asyncio.sleep(self._tuning.poll * random.uniform(0.9, 1.1))
            self._version = ""
            return
        try:
            await self._watch()
        except ForbiddenError:
            log.warning(
                "%s: no permission to watch; listing every %g s instead", self._path, self._tuning.poll
            )
            self._polls_left = self._tuning.poll_rounds

    async def _list(self) -> None:
        seen: set[str] = set()
        proceed: dict[str, str] = {}
        version = ""
        while True:
            parser = ListParser()
            query = self._query | {"limit": str(self._tuning.page)} | proceed
            async with self._session.open(
                self._path, query, timeout=60.0, idle=self._tuning.idle_list
            ) as response:
                async for chunk in response.content.iter_any():
                    for item in parser.feed(chunk):
                        self._put(item)
                        seen.add(name_of(item))
                        await self._breathe()
            if not parser.complete:
                raise ValueError("the response is incomplete")
            version = text_at(parser.metadata, "resourceVersion") or version
            token = text_at(parser.metadata, "continue")
            if not token:
                break
            if proceed.get("continue") == token:
                raise ValueError("the list does not continue; the same page follows again")
            proceed = {"continue": token}
        if not version:
            raise ValueError("the response is not a list of the Kubernetes API")
        for name in self._sink.names():
            if name not in seen:
                self._sink.drop(name)
                await self._breathe()
        self._version = version
        # What failed before a successful LIST may fail again right after it; the pauses keep growing until a
        # watch succeeds.
        self._refused_since, self.trouble = None, ""
        self._on_synced()

    async def _watch(self) -> None:
        """Process changes until the stream ends, which it always does at some time."""
        query = self._query | {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            "timeoutSeconds": str(round(self._tuning.watch * random.uniform(0.8, 1.0))),
        }
        started = time.monotonic()
        async with self._session.open(self._path, query, idle=self._tuning.idle) as response:
            self.trouble = ""
            rest = b""
            async for chunk in response.content.iter_any():
                *lines, rest = (rest + chunk).split(b"\n")
                if len(rest) > LONGEST:
                    raise ValueError("an event of the watch is too large")
                for line in lines:
                    if line:
                        self._take(_event(line))
                        await self._breathe()
        if time.monotonic() - started < self._tuning.first_pause:
            raise ServerUnavailableError(f"GET {self._path}: the watch ended immediately")
        self._went_well()

    def _take(self, event: dict[str, Any]) -> None:
        """
        Process an event.

        :raises ValueError: it is invalid.
        """
        manifest = event.get("object")
        if not isinstance(manifest, dict):
            raise ValueError("an event of the watch has no object")
        kind = event.get("type")
        if kind == "ERROR":
            self._raise_for(manifest)
        version = text_at(manifest, "metadata", "resourceVersion")
        if kind in ("ADDED", "MODIFIED"):
            self._put(manifest)
        elif kind == "DELETED":
            self._sink.drop(name_of(manifest))
        elif kind != "BOOKMARK":
            return
        self._version = version or self._version
        self._went_well()

    def _put(self, manifest: Object) -> None:
        """
        Pass an object on; an unreadable one affects only the waits for it.

        :raises ValueError: it is not a Kubernetes object.
        """
        if not is_named(manifest):
            raise ValueError("an event of the watch has an object without a name")
        try:
            self._sink.put(manifest)
        except Exception as error:
            log.warning("%s: %s cannot be read: %r", self._path, name_of(manifest), error)
            self._sink.drop(name_of(manifest))

    def _raise_for(self, status: Object) -> None:
        message = f"GET {self._path}: the watch failed: {text_at(status, 'message') or 'no reason given'}"
        code = number_at(status, "code") or 0
        if code == 410 or status.get("reason") in ("Expired", "Gone"):
            raise ExpiredError(message)
        raise ServerUnavailableError(message, status=code)

    def _went_well(self) -> None:
        self._failures, self._refused_since, self.trouble = 0, None, ""

    def _refuse(self, error: SeldonError) -> None:
        """Raise a lasting refusal; one may be temporary while permissions or an API are being added."""
        now = time.monotonic()
        if self._refused_since is None:
            self._refused_since = now
        unauthorized = isinstance(error, UnauthorizedError)
        if now - self._refused_since >= (self._tuning.unauthorized if unauthorized else self._tuning.refused):
            raise error

    def _pause(self, trouble: SeldonError) -> float:
        """Return how long to wait before the next attempt, randomly different for each reflector."""
        self._failures += 1
        asked = trouble.retry_after if isinstance(trouble, ServerUnavailableError) else None
        if asked is not None:
            return asked + random.uniform(0.0, max(0.1, asked * 0.1))
        longest = min(self._tuning.longest_pause, self._tuning.first_pause * 2.0 ** (self._failures - 1))
        return longest * random.uniform(0.5, 1.0)

    async def _breathe(self) -> None:
        """Yield to the event loop when the time slice is used up."""
        self._burst += 1
        if self._burst < self._tuning.burst and time.perf_counter() < self._slice_end:
            return
        await asyncio.sleep(0)
        self._burst = 0
        self._slice_end = time.perf_counter() + self._tuning.slice


def _event(line: bytes) -> dict[str, Any]:
    try:
        event = json.loads(line)
    except RecursionError:
        raise ValueError("an event of the watch nests too deeply") from None
    except ValueError:
        raise ValueError("an event of the watch is not JSON") from None
    if not isinstance(event, dict):
        raise ValueError("an event of the watch is not an object")
    return event
