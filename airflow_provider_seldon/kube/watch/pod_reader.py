"""
Pods, for all waits that need them: one LIST at a time, and at most every few seconds.

Children often fail together (a registry is down, a quota is exhausted), so their waits share the answer.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_seldon.core.children.expected import ID_LABEL
from airflow_provider_seldon.core.resource.unstructured import (
    Object,
    controller,
    items_at,
    mapping_at,
    name_of,
    text_at,
)
from airflow_provider_seldon.exceptions import ForbiddenError, SeldonError
from airflow_provider_seldon.kube.requests import paths
from airflow_provider_seldon.kube.requests.json_stream import ListParser
from airflow_provider_seldon.kube.requests.session import ApiSession

#: Seconds for which an answer is valid, and for which a refusal is.
FRESH = 4.0
REFUSED = 300.0
#: Seconds before a LIST in which others may join, and the minimum between two LISTs.
GATHER = 0.1
GAP = 1.0
#: Maximum of ids in a selector; with more, all pods of the operator are read.
NAMED = 40


class SharedPods:
    """
    The pods of one namespace.

    :param session: the cluster.
    :param namespace: the namespace.
    """

    def __init__(self, *, session: ApiSession, namespace: str) -> None:
        self._session = session
        self._path = paths.pods(namespace)
        self._asked: dict[str, float] = {}
        self._pods: dict[str, list[Object]] = {}
        self._read: frozenset[str] = frozenset()
        self._read_at = float("-inf")
        self._refused_at = float("-inf")
        self._reading = asyncio.Lock()

    async def of(self, children: Sequence[Object], *, age: float = FRESH) -> list[Object] | None:
        """
        Return the pods of some children.

        None when they cannot be read: the permission is missing, or the server does not answer. That is no
        reason to end a wait.

        :param age: maximum age in seconds of an earlier answer.
        """
        wanted = {_id(child) for child in children} - {""}
        if time.monotonic() - self._refused_at < REFUSED or not wanted:
            return None
        self._asked |= dict.fromkeys(wanted, time.monotonic())
        async with self._reading:
            if time.monotonic() - self._read_at >= age or not wanted <= self._read:
                await asyncio.sleep(max(GATHER, self._read_at + GAP - time.monotonic()))
                try:
                    await self._list()
                except ForbiddenError:
                    self._refused_at = time.monotonic()
                    return None
                except (SeldonError, ValueError):
                    return None
            return [pod for child in children for pod in self._pods.get(name_of(child), [])]

    async def _list(self) -> None:
        now = time.monotonic()
        self._asked = {one: at for one, at in self._asked.items() if now - at < 10 * FRESH}
        ids = frozenset(self._asked)
        selector = f"{ID_LABEL} in ({','.join(sorted(ids))})" if len(ids) <= NAMED else ID_LABEL
        pods: dict[str, list[Object]] = {}
        parser = ListParser()
        query: Mapping[str, str] = {"labelSelector": selector}
        async with self._session.open(self._path, query, timeout=60.0, idle=30.0) as response:
            async for chunk in response.content.iter_any():
                for pod in parser.feed(chunk):
                    replica_set = text_at(controller(pod), "name")
                    pods.setdefault(replica_set.rpartition("-")[0], []).append(_trimmed(pod))
                await asyncio.sleep(0)
        if not parser.complete:
            raise ValueError("the response is incomplete")
        self._pods, self._read, self._read_at = pods, ids, time.monotonic()


def _id(child: Object) -> str:
    """Return the id label of a child's pods: for a separate engine it is not the deployment's."""
    return text_at(child, "spec", "template", "metadata", "labels", ID_LABEL)


def _trimmed(pod: Object) -> dict[str, Any]:
    metadata = mapping_at(pod, "metadata")
    kept = ("name", "creationTimestamp", "deletionTimestamp", "labels", "annotations")
    status = mapping_at(pod, "status")
    told = ("phase", "reason", "conditions", "initContainerStatuses", "containerStatuses")
    return {
        "metadata": {key: metadata[key] for key in kept if key in metadata}
        | {"ownerReferences": items_at(pod, "metadata", "ownerReferences")},
        "status": {key: status[key] for key in told if key in status},
    }
